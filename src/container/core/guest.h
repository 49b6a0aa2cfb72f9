// One guest at work: a WASI process, the instance it runs in, and the call under way. What a run and an exec have in
// common.
//
// Owner    owns process, instance and call; they go in the order that is safe.
// Threads  one at a time, but for stop() and memory_bytes(): any.
// Contract containers.md 3.1 (entry points), 16.5
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "container/core/end.h"
#include "container/scheduler/scheduler.h"
#include "engine/async.h"
#include "engine/engine.h"
#include "wasi/process.h"

namespace fusebox::container {

struct GuestLimits {
  std::uint64_t memory_pages_max = 0;  // 0 = what WebAssembly allows
  base::Nanos cpu{0};                  // 0 = none, as below
  base::Nanos wall{0};
  std::uint64_t ticks = 0;
};

// The end of a run whose module's initial memory is more than it may have, nothing when it is not.
std::optional<End> over_memory_cap(const engine::ModuleInfo& info, std::uint64_t pages_max);

class Guest {
 public:
  // `slot`: what an `entry` with a parameter is given.
  static std::expected<std::unique_ptr<Guest>, End> start(std::shared_ptr<const engine::Program> program,
                                                          wasi::ProcessOptions process, const GuestLimits& limits,
                                                          std::uint32_t slot, const base::Clock& clock);
  ~Guest();
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // Runs until the guest ends or waits.
  std::optional<End> poll();
  const vfs::WaitSet& waits();
  CodeRange code() const noexcept;
  wasi::Process& process() noexcept { return process_; }
  // The guest computes no further; poll() says so when it is under way.
  void stop() noexcept;
  std::uint64_t memory_bytes() const noexcept;
  std::uint64_t memory_bytes_max() const noexcept { return memory_bytes_max_; }

 private:
  Guest(std::shared_ptr<const engine::Program> program, wasi::ProcessOptions process, const base::Clock& clock);
  std::expected<void, End> instantiate(const GuestLimits& limits);
  std::expected<void, End> call(const GuestLimits& limits, std::uint32_t slot);

  std::shared_ptr<const engine::Program> program_;
  wasi::Process process_;
  const base::Clock& clock_;
  std::unique_ptr<engine::Instance> instance_;
  std::unique_ptr<engine::AsyncCall> call_;
  std::optional<engine::StopHandle> stop_;
  base::Nanos wall_deadline_ = vfs::WaitSet::kNever;
  vfs::WaitSet waits_with_deadline_;
  std::uint64_t memory_bytes_max_ = 0;
};

}  // namespace fusebox::container
