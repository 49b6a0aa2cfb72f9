// One running copy of a module. Internal to src/engine/wasmtime_*.
#pragma once

#include <optional>

#include "engine/engine.h"
#include "engine/pool_places.h"
#include "engine/stop_slot.h"
#include "engine/stop_thread.h"
#include "engine/wasmtime_program.h"

namespace fusebox::engine {

// What stop handles and the instance share; handles may outlive it.
struct StopHandle::State {
  std::atomic<bool> cancelled{false};
  std::shared_ptr<StopWatcher> watcher;  // null when timers stop guests; then `thread` is woken
  std::atomic<pid_t> thread{0};          // the last one that called the guest
};

struct Instance::Impl {
  enum class Life : std::uint8_t { idle, calling, over };

  // What every call touches comes first.
  wasmtime_context_t* context = nullptr;
  CallSlot* slot = nullptr;         // of the call in flight
  std::int64_t* counter = nullptr;  // of the pass; null when unmetered
  void* user = nullptr;
  Instance* owner = nullptr;  // follows moves
  std::size_t stack_need_bytes = 0;
  std::int64_t ticks = 0;        // of the last call
  std::uint64_t host_calls = 0;  // of the last call
  std::int64_t host_ns = 0;      // CPU time of host functions in the last call
  wasm_engine_t* wasm_engine = nullptr;
  StopWatcher* watcher = nullptr;  // null when timers stop guests
  Life life = Life::idle;
  bool counts_ticks = false;
  bool blocks = false;  // an import may wait
  Stopping stopping = Stopping::none;

  bool start_pending = false;         // left to the first asynchronous call
  bool waited = false;                // the guest's wait in progress has been looked at once
  wasm_trap_t** wait_trap = nullptr;  // where that wait puts what ends the call
  std::optional<Outcome> pending;     // what a host function wants the call to end with
  Outcome outcome;                    // of the last call that did not complete
  std::shared_ptr<StopHandle::State> stop_state;

  std::shared_ptr<const Program> program;
  InstanceLimits limits;
  bool has_memory = false;
  wasmtime_memory_t memory{};
  std::byte* memory_base = nullptr;        // where it stays; null when it may move
  std::uint64_t memory_bytes_seen = 0;     // its size when last asked for
  std::uint8_t place = PoolPlaces::kNone;  // in the pool
  StorePtr store;
  wasmtime_instance_t instance{};

  ~Impl();

  bool in_pool() const noexcept { return place != PoolPlaces::kNone; }
  const Code::Impl& code() const noexcept { return program->code().impl(); }
  Engine::Impl& engine() const noexcept { return program->code().engine().impl(); }

  base::Result<Function> start_function();

  bool is_cancelled() const noexcept { return stop_state && stop_state->cancelled.load(); }

  // Runs `body(env, error, trap)` as one call of the guest: under `budget`, on a stack that is large enough.
  // True when it completed, else `outcome` says how it ended.
  using Body = wasmtime_error_t* (*)(Impl & self, void* env, wasm_trap_t** trap) noexcept;
  bool run(const CallBudget& budget, Body body, void* env) noexcept;

  // The steps of one call, for run() and for asynchronous calls, which enter and leave many times.
  std::int64_t begin_account(const CallBudget& budget) noexcept;  // returns the tick budget
  void end_account(std::int64_t tick_budget) noexcept;
  void attach(StopThread& thread, CallSlot& call_slot) noexcept;
  void enter(StopThread& thread, CallSlot& call_slot) noexcept;
  void leave(StopThread& thread, CallSlot& call_slot) noexcept;
  // Sets `outcome`, `ticks` and `life`; takes ownership of both. Always false.
  bool finish_badly(const CallSlot& call_slot, wasmtime_error_t* error, wasm_trap_t* trap) noexcept;

  // The same where `body` is known, in wasmtime_call.cc.
  bool run_known(const CallBudget& budget, Body body, void* env) noexcept;

 private:
  bool run_here(StopThread& thread, const CallBudget& budget, Body body, void* env) noexcept;
  bool run_on_more_stack(StopThread& thread, const CallBudget& budget, Body body, void* env) noexcept;
  bool refuse(Outcome why) noexcept;
  bool refuse_life() noexcept;
  bool refuse_ticks() noexcept;
  bool refuse_blocking() noexcept;
  bool over_before_it_began() noexcept;
  void forget_pending() noexcept;
  void set_deadlines(StopThread& thread, CallSlot& call_slot, const CallBudget& budget) const noexcept;
};

// Instantiates a module whose imports may wait.
wasmtime_error_t* instantiate_on_fiber(Instance::Impl& self, const wasmtime_instance_pre_t* pre,
                                       wasm_trap_t** trap) noexcept;

}  // namespace fusebox::engine
