// The guests `fusebox bench` measures with, carried in the command as text so that it needs no file, and what loads
// and calls them.
//
// Owner    A Guest keeps its instance; the instance keeps its program.
// Threads  one thread.
// Errors   a guest that does not load, or a call that does not complete, ends the line it belongs to.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"

namespace fusebox::cli::bench {

// Exports null(), empty(n), calls(n), calls_two(n), spin(), count(n); imports bench.nothing and bench.two, which
// `calls` and `calls_two` call n times.
extern const std::string_view kCallsGuest;
// One page, some data; run() writes a word: the least that instantiation, a call and teardown must clean up.
extern const std::string_view kPageGuest;
// The capability contract's femto_alloc(size) and run(ptr, len), which answers with a copy of its input.
extern const std::string_view kEchoGuest;

// Both limits on, a pool large enough for a benchmark.
engine::EngineOptions engine_options(engine::Profile profile, engine::Stopping stopping);

// An engine, and in it the module compiled and linked with the imports above.
base::Result<std::shared_ptr<const engine::Program>> program_of(const engine::EngineOptions& options,
                                                                base::ByteView wasm);
// The same from text.
base::Result<std::shared_ptr<const engine::Program>> program_of(const engine::EngineOptions& options,
                                                                std::string_view text);

// An instance and one of its functions.
class Guest {
 public:
  static base::Result<Guest> create(const std::shared_ptr<const engine::Program>& program,
                                    std::string_view export_name);
  // Fails unless the call completed.
  base::Result<engine::RawValue> call(std::int32_t argument, const engine::CallBudget& budget);
  engine::Instance& instance() noexcept { return *instance_; }
  const engine::Function& function() const noexcept { return function_; }

 private:
  Guest(std::unique_ptr<engine::Instance> instance, engine::Function function) noexcept
      : instance_(std::move(instance)), function_(function) {}
  std::unique_ptr<engine::Instance> instance_;
  engine::Function function_;
};

}  // namespace fusebox::cli::bench
