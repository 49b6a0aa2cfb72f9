// One run of a WASI module: its arguments, environment, descriptors and what a call in progress waits for.
//
// The engine's instances get a Process as their `user`; the host functions of imports() work on it. A call that would
// block returns kCallAgain (engine.h): the engine suspends the guest, AsyncCall::poll() answers false, and waits() holds
// what the call waits for. When the next poll() comes the call is tried again.
//
//   EngineOptions options{.async = true, .may_ask_again = may_ask_again(), ...};
//   Process process(...);
//   auto program = Program::link(code, imports(code->info()));
//   auto started = Instance::create(program, limits, &process, budget);
//   auto call = AsyncCall::start(*started->instance, entry, ...);
//   while (!call->poll()) { park until process.waits() }
//
// Owner    its container; keeps namespace and descriptors.
// Threads  one at a time: its container's.
// Contract containers.md section 15
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "engine/engine.h"
#include "vfs/descriptors.h"
#include "vfs/namespace.h"

namespace fusebox::wasi {

struct ProcessOptions {
  std::vector<std::string> args;  // argv[0] first
  std::vector<std::string> envs;  // as passed
  std::shared_ptr<const vfs::Namespace> names;
  std::unique_ptr<vfs::File> console[3];  // in, out, err
  std::uint32_t fds_max = vfs::Descriptors::kFdsDefault;
  bool prestat_nul = false;  // system.compat.prestatNul
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  // CPU time of this run so far, for clock ids 2 and 3; null = the clock's thread_cpu().
  base::Nanos (*cpu_time)(void* of) = nullptr;
  void* cpu_time_of = nullptr;
};

class Process {
 public:
  explicit Process(ProcessOptions options);  // opens console and preopens: fds 0-2, 3.., then "/"
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // What the call that answered kCallAgain waits for. Meaningful while AsyncCall::poll() answers false.
  const vfs::WaitSet& waits() const noexcept;
  std::optional<std::int32_t> exit_code() const noexcept;  // set by proc_exit
  std::optional<std::uint8_t> raised() const noexcept;     // set by proc_raise: the run ended by that signal
  void close_all() noexcept;                               // at the end of the run: every descriptor
  std::uint32_t open_fds() const noexcept;

  struct Impl;
  Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Everything a module may import (contract 3.1): wasi_snapshot_preview1, wasi_unstable, `wanted`, `env`; and, for each
// function import that none of them offers, a function that ends the run with
// "failed to call unlinked import function (<module>, <name>)".
std::vector<engine::HostImport> imports(const engine::ModuleInfo& info);

// EngineOptions::may_ask_again for engines whose programs are linked with imports().
std::vector<std::string> may_ask_again();

}  // namespace fusebox::wasi
