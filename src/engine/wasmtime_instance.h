// One running copy of a module. Internal to src/engine/wasmtime_*.
#pragma once

#include <optional>

#include "engine/engine.h"
#include "engine/stop_slot.h"
#include "engine/stop_thread.h"
#include "engine/wasmtime_program.h"

namespace fusebox::engine {

// What stop handles and the instance share; handles may outlive it.
struct StopHandle::State {
  std::atomic<bool> cancelled{false};
  std::atomic<pid_t> thread{0};  // the last one that called the guest
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
  Life life = Life::idle;
  bool counts_ticks = false;
  Stopping stopping = Stopping::none;

  std::optional<Outcome> pending;  // what a host function wants the call to end with
  Outcome outcome;                 // of the last call that did not complete
  std::shared_ptr<StopHandle::State> stop_state;

  std::shared_ptr<const Program> program;
  InstanceLimits limits;
  bool has_memory = false;
  wasmtime_memory_t memory{};
  bool in_pool = false;
  StorePtr store;
  wasmtime_instance_t instance{};

  ~Impl();

  const Code::Impl& code() const noexcept { return program->code().impl(); }
  Engine::Impl& engine() const noexcept { return program->code().engine().impl(); }

  // Runs `body(env, error, trap)` as one call of the guest: under `budget`, on a stack that is large enough.
  // True when it completed, else `outcome` says how it ended.
  using Body = wasmtime_error_t* (*)(Impl & self, void* env, wasm_trap_t** trap) noexcept;
  bool run(const CallBudget& budget, Body body, void* env) noexcept;

 private:
  bool run_here(StopThread& thread, const CallBudget& budget, Body body, void* env) noexcept;
  bool refuse(Outcome why) noexcept;
  void prepare(StopThread& thread, CallSlot& slot, const CallBudget& budget, std::int64_t ticks) noexcept;
  bool finish_badly(const CallSlot& slot, std::int64_t ticks, wasmtime_error_t* error, wasm_trap_t* trap) noexcept;
};

}  // namespace fusebox::engine
