// What several lines measure in the same way.
//
// Threads  one thread.
// Owner    a Variant borrows the guest, the program and the conditions it is made of.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/bench_guests.h"
#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

// Far away: what is measured is keeping the limit, not meeting it.
inline constexpr std::chrono::seconds kFarLimit{60};
inline constexpr engine::CallBudget kBothLimits{.cpu = std::chrono::seconds{5}, .wall = {}, .ticks = 1'000'000'000};

// A few runs of `body`, each a sample of its own in microseconds.
Variant timed_us(std::string name, const Conditions& conditions, std::function<base::Result<void>()> body);

// Nanoseconds of one call of the guest's function, which takes and gives nothing.
Variant null_calls_ns(std::string name, Guest& guest, const engine::CallBudget& budget, const Conditions& conditions);

base::Result<std::unique_ptr<engine::Instance>> instantiate(const std::shared_ptr<const engine::Program>& program,
                                                            const engine::CallBudget& budget);
base::Result<void> call(engine::Instance& instance, std::string_view name, engine::RawValue* values,
                        const engine::CallBudget& budget);

// Instantiates kPageGuest, calls it, checks its answer, tears it down.
base::Result<void> live_once(const std::shared_ptr<const engine::Program>& program, const engine::CallBudget& budget);

}  // namespace fusebox::cli::bench
