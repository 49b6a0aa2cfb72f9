// WebAssembly for every face: compile under a profile, instantiate under limits, call under budgets, stop.
//
// Everything above this folder sees only these types; Wasmtime's headers are included by src/engine/wasmtime_*.cc
// alone. Owner    Engine < Code < Program < Instance: each keeps what stands before it alive through shared ownership.
// Threads  Engine, Code, Imports, Program: immutable after creation, any thread. Instance: one thread at a time, may
// move between
//          threads while idle. StopHandle: any thread.
// Errors   what Fusebox or the module got wrong before guest code ran is an Error; how guest code ended is an Outcome.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "engine/inspect.h"
#include "engine/meter.h"
#include "engine/outcome.h"

namespace fusebox::engine {

// fast: guard pages, bounds checks by the processor, at most some thousand instances in one process.
// dense: checked accesses and small reservations, for very many sandboxes.
enum class Profile : std::uint8_t { fast, dense };

// How a guest is stopped. `none` is only for measuring what the others cost: time limits are not kept.
enum class Stopping : std::uint8_t { time, ticks, epoch, none };

// Who stops a guest whose time is up. timer: a signal to the thread that runs it. watcher: one thread of the engine,
// for places where signals do not reach computing code (the thread sanitizer).
enum class StopSource : std::uint8_t { timer, watcher };
#if defined(FUSEBOX_TSAN)
inline constexpr StopSource kStopSourceDefault = StopSource::watcher;
#else
inline constexpr StopSource kStopSourceDefault = StopSource::timer;
#endif

struct EngineOptions {
  Profile profile = Profile::fast;
  Stopping stopping = Stopping::time;  // ticks = ticks and time
  StopSource stop_source = kStopSourceDefault;
  std::uint64_t stack_bytes = 512u << 10;  // guest stack of every instance of this engine
  // Instances beyond the pool, and memories too large for a slot, run on demand: slower to make, otherwise the same.
  std::uint32_t pool_instances = 256;            // 0 = on demand: for large or very many memories
  std::uint64_t pool_memory_bytes = 256u << 20;  // largest linear memory that fits a pool slot
  std::uint32_t pool_table_elements = 20'000;
  bool async = false;  // calls run on fibers; blocking host functions suspend
  // Which imports may answer kCallAgain: code is compiled so that it waits and calls them again. Each entry is a module
  // ("wasi_unstable") or one function ("env.puts"); meant are functions with exactly one i32 as result, and each that a
  // program is linked with must be marked HostImport::may_ask_again. Needs `async`, and stopping by time or ticks.
  std::vector<std::string> may_ask_again = {};
  // NaN results with the same bits on every processor, for replay across architectures. Floating point code then takes
  // 2.6 to 5.6 times as long (docs/adr/0004-engine-settings.md).
  bool canonical_nans = false;
  bool parallel_compilation = true;  // off under the thread sanitizer
};

class Engine;
class Code;
class Program;
class Instance;

// A WebAssembly value as the guest's ABI passes it: the low bits hold i32, i64, f32 or f64.
union RawValue {
  std::int32_t i32;
  std::int64_t i64;
  float f32;
  double f64;
  unsigned char v128[16];
  void* reference;
};
static_assert(sizeof(RawValue) == 16);

// What a host function sees of the guest that called it. Lives only for that call.
class HostContext {
 public:
  void* user() const noexcept { return user_; }  // what create() of the Instance was given
  Instance& instance() const noexcept { return *instance_; }
  // The guest's linear memory now; good until the guest runs again. Empty when it has none.
  std::span<std::byte> memory() const noexcept;
  // Ends the guest call when the host function returns `false`: trapped(host_error, message).
  void trap(std::string message);
  // The same with another outcome: denied or exited.
  void end(Denied denied);
  void end(Exited exited);
  // Time the guest has left, for the host function's own timeouts; nanoseconds::max() = no wall limit.
  std::chrono::nanoseconds wall_left() const noexcept;
  // Whether the call must end (time is up or somebody cancelled). Host functions that wait look at it.
  bool stop_requested() const noexcept;

  HostContext(void* user, Instance* instance) noexcept : user_(user), instance_(instance) {}

 private:
  void* user_;
  Instance* instance_;
};

// Arguments are in values[0..], results go to values[0..]. Returns false after trap() or end(). Must not throw.
using HostFunction = bool (*)(HostContext& context, void* env, RawValue* values);

// What a blocking host function leaves behind to be waited for. `ready` is asked at every poll and writes results to
// values[0..] when it answers true; `drop` runs once, when the wait is over in whatever way. Null `ready` = nothing to
// wait for.
struct Waiting {
  bool (*ready)(void* state, RawValue* values) = nullptr;
  void (*drop)(void* state) = nullptr;
  void* state = nullptr;
};
// For asynchronous calls (async.h): instead of blocking the thread it fills `waiting`, and the guest is suspended.
using BlockingHostFunction = bool (*)(HostContext& context, void* env, RawValue* values, Waiting& waiting);

// The functions a face offers its guests. Built once per Engine, then frozen by link().
struct HostImport {
  std::string module;
  std::string field;
  FuncType type;
  HostFunction function = nullptr;
  void* env = nullptr;                      // outlives every Program linked with it
  BlockingHostFunction blocking = nullptr;  // instead of `function`; the guest can then only be called by AsyncCall
  // `function`, whose result is exactly one i32, may answer kCallAgain (meter.h) in values[0]: the poll() in progress
  // answers false, and at the next one it is called again with the same arguments. A failure in ordinary calls, and where
  // the engine's options do not name `module`. Other answers cost no more than those of other functions.
  bool may_ask_again = false;
  std::shared_ptr<const void> keep = {};  // programs linked with it keep this; what `env` lies in, if it is not static
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  static base::Result<std::shared_ptr<Engine>> create(const EngineOptions& options);
  ~Engine();
  const EngineOptions& options() const noexcept;
  // Engine version, settings, processor features: everything that shapes compiled code, for cache keys.
  const std::string& code_identity() const noexcept;
  // Whether Wasmtime's validator accepts the module for this engine's feature set (contract edge.md 1.2 when metered).
  base::Result<void> validate(base::ByteView wasm) const;

  struct Impl;
  Impl& impl() const noexcept { return *impl_; }
  explicit Engine(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

// Compiled code of one module for one engine, with what is needed to read its traps.
class Code {
 public:
  // Validates, inspects, meters (by options().stopping) and compiles.
  static base::Result<std::shared_ptr<const Code>> compile(std::shared_ptr<Engine> engine, base::ByteView wasm);
  // The inverse pair for caches and artifacts. deserialize() runs native code on trust: only for bytes whose MAC was
  // verified.
  base::Result<base::Bytes> serialize() const;
  static base::Result<std::shared_ptr<const Code>> deserialize(std::shared_ptr<Engine> engine, base::ByteView bytes);
  ~Code();

  const ModuleInfo& info() const noexcept;    // of the module the user gave, without the pass's additions
  const base::Sha256& hash() const noexcept;  // of the module the user gave
  Engine& engine() const noexcept;

  struct Impl;
  Impl& impl() const noexcept { return *impl_; }
  explicit Code(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

// Code with its imports resolved: what instances are made of.
class Program {
 public:
  // Every import of the module must be in `imports` with exactly its type; the message names the first that is not.
  // Several entries may share module and field with different types: the one with the module's type is taken.
  static base::Result<std::shared_ptr<const Program>> link(std::shared_ptr<const Code> code,
                                                           std::span<const HostImport> imports);
  ~Program();
  const Code& code() const noexcept;

  struct Impl;
  Impl& impl() const noexcept { return *impl_; }
  explicit Program(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

struct InstanceLimits {
  std::uint64_t memory_bytes = 64u << 20;  // over all linear memory; rounded down to pages
  std::uint64_t table_elements = 10'000;   // over all tables
};

// What one call may spend. Zero durations mean no such limit.
struct CallBudget {
  std::chrono::nanoseconds cpu{0};
  std::chrono::nanoseconds wall{0};
  std::int64_t ticks = 0;  // 0 = no tick limit; counted all the same where the engine counts
  // When the call begins, by a steady clock of nanoseconds that the caller has just read for its own account; the CPU limit
  // then needs no reading of its own. Always the same clock on one thread. 0 = none.
  std::int64_t read_ns = 0;
};

// Ends calls from any thread, also after the instance is gone (then without effect).
class StopHandle {
 public:
  // The call in flight ends with stopped(cancelled). Final: when none is in flight, the next one ends so before guest
  // code runs.
  void cancel() noexcept;
  struct State;
  explicit StopHandle(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

// An exported function, resolved once. Dies with its instance.
struct Function {
  std::uint64_t handle[2] = {0, 0};
  std::uint32_t params = 0;
  std::uint32_t results = 0;
};

// Where compiled code lies in this process; empty when it is not known.
struct NativeRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

class Instance {
 public:
  struct Started;  // an Instance, or how its start function ended
  // `user` is what host functions get. The start function runs under `budget` like any other call.
  // Errors: `exhausted` name "MEMORY_LIMIT" when the initial memory is above the limit, before any code ran.
  // `before_start` is given the instance before any guest code runs, so that its stop_handle() can end the start
  // function.
  // Where imports may wait (blocking, or may_ask_again) the start function is left to the first AsyncCall, and `budget`
  // is not used.
  static base::Result<Started> create(std::shared_ptr<const Program> program, const InstanceLimits& limits, void* user,
                                      const CallBudget& budget,
                                      const std::function<void(Instance&)>& before_start = {});
  ~Instance();
  Instance(Instance&&) noexcept;
  Instance& operator=(Instance&&) noexcept;

  // `not_found` when there is no such exported function. The type stands in code().info().
  base::Result<Function> function(std::string_view export_name);
  // Arguments in values[0..params), results in values[0..results). After anything but completed or exited(0) the
  // instance is poisoned: later calls return `failed` at once and no guest code runs again.
  Outcome call(const Function& function, std::span<RawValue> values, const CallBudget& budget);
  // The hot path: no usage but ticks, no backtrace unless it did not complete. True when completed; else
  // last_outcome().
  bool call_fast(const Function& function, RawValue* values, const CallBudget& budget) noexcept;
  Outcome take_outcome();

  std::span<std::byte> memory() noexcept;  // memory 0; moves with memory.grow
  // The same for who looks at no byte from `end` on: may be shorter than the memory is, but not below `end` unless that is.
  std::span<std::byte> memory_up_to(std::uint64_t end) noexcept;
  // Host-side growth under the same limit; false when refused.
  bool grow_memory(std::uint64_t pages) noexcept;
  std::int64_t ticks_spent() const noexcept { return *ticks_; }  // by the last call
  std::uint64_t peak_memory_bytes() const noexcept;
  StopHandle stop_handle() const;
  // A thread interrupted there runs guest code: it holds no lock of the host.
  NativeRange native_code() const noexcept;
  // Gives back what an idle instance need not hold (the counter's page); the next call works as before.
  void trim() noexcept;

  struct Impl;
  Impl& impl() const noexcept { return *impl_; }
  explicit Instance(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
  const std::int64_t* ticks_;  // of impl_
};

struct Instance::Started {
  std::unique_ptr<Instance> instance;  // null when the start function did not complete
  Outcome outcome;
};

}  // namespace fusebox::engine
