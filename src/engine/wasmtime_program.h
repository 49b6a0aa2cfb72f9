// A module with its imports resolved, per placement. Internal to src/engine/wasmtime_*.
#pragma once

#include <mutex>
#include <vector>

#include "engine/engine.h"
#include "engine/wasmtime_code.h"

namespace fusebox::engine {

// What the trampoline of one import needs; its address is compiled into nothing and stays the same for the Program's
// life.
struct BoundImport {
  HostFunction function = nullptr;
  void* env = nullptr;
  BlockingHostFunction blocking = nullptr;
  FuncType type;
  std::string name;    // "module.field", for messages
  bool waits = false;  // an answer kCallAgain is understood: the guest calls a wrapper (meter/again.h)
};

struct Program::Impl {
  std::shared_ptr<const Code> code;
  std::vector<HostImport> imports;  // those the module asks for, each name once
  std::vector<BoundImport> bound;   // parallel to `imports`

  bool blocks = false;  // some import may wait

  base::Result<const wasmtime_instance_pre_t*> pre(Placement placement) const;

 private:
  struct Linked {
    LinkerPtr linker;
    InstancePrePtr pre;
  };
  base::Result<Linked> link_for(Placement placement) const;
  mutable std::mutex mutex_;
  mutable Linked pooled_;
  mutable Linked on_demand_;
};

// Called by compiled code for every import; knows the import by `env` and the instance by the store.
wasm_trap_t* host_call_trampoline(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values,
                                  std::size_t count) noexcept;

// The same for functions that may ask to be called again.
wasm_trap_t* asking_trampoline(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values,
                               std::size_t count) noexcept;

// The import the pass adds: suspends the guest once.
void wait_trampoline(void* env, wasmtime_caller_t* caller, const wasmtime_val_t* args, std::size_t args_count,
                     wasmtime_val_t* results, std::size_t results_count, wasm_trap_t** trap,
                     wasmtime_async_continuation_t* continuation) noexcept;

void blocking_trampoline(void* env, wasmtime_caller_t* caller, const wasmtime_val_t* args, std::size_t args_count,
                         wasmtime_val_t* results, std::size_t results_count, wasm_trap_t** trap,
                         wasmtime_async_continuation_t* continuation) noexcept;

}  // namespace fusebox::engine
