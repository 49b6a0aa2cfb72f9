// What an Engine holds: the Wasmtime engines of one set of settings. Internal to src/engine/wasmtime_*.
#pragma once

#include <mutex>
#include <string>

#include "engine/engine.h"
#include "engine/pool_places.h"
#include "engine/stop_watcher.h"
#include "engine/wasmtime_handle.h"

namespace fusebox::engine {

// Where an instance's memories come from. Both share compiled code: their tunables are the same.
enum class Placement : std::uint8_t { pooled, on_demand };

struct Engine::Impl {
  EngineOptions options;
  std::string code_identity;
  std::shared_ptr<StopWatcher> watcher;  // null when timers stop guests
  WasmEnginePtr pooled;                  // null without a pool
  PoolPlaces places;                     // in the pool

  // Made when first needed: a process that only runs cached code never validates, and most never outgrow the pool.
  wasm_engine_t* on_demand();
  wasm_engine_t* validator();

  // Whether a linear memory keeps its address while it grows: everything it may grow to is reserved.
  bool memory_stays() const noexcept;
  bool metered() const noexcept { return options.stopping == Stopping::time || options.stopping == Stopping::ticks; }

  explicit Impl(const EngineOptions& wanted) noexcept : options(wanted), places(wanted.pool_instances) {}

 private:
  std::mutex mutex_;
  WasmEnginePtr on_demand_;
  WasmEnginePtr validator_;
};

}  // namespace fusebox::engine
