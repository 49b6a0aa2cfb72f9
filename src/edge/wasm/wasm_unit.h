// What a Unit and an Instance of this backend are. Internal to src/edge/wasm.
//
// The core knows both as opaque handles; another backend in the same program has others behind them, so the types of
// backend.h are never completed.
#pragma once

#include <array>
#include <memory>

#include "edge/backend.h"
#include "edge/wasm/program_store.h"
#include "engine/engine.h"

namespace fusebox::edge {

struct WasmUnit {
  std::shared_ptr<const LinkedModule> module;
  UnitLimits limits;
  std::uint32_t heap_pages = 0;  // of wamr_heap_compat, on top of limits.pages_max
};

struct WasmInstance {
  WasmInstance(std::shared_ptr<const LinkedModule> linked, ImportSink& answers, void* of) noexcept
      : sink(answers), owner(of), module(std::move(linked)) {}

  // What every call touches comes first.
  ImportSink& sink;
  void* owner;
  std::unique_ptr<engine::Instance> guest;
  std::array<engine::Function, 3> functions{};  // by Export
  const char* sink_trap = nullptr;              // what the sink said to the import call that ended the guest's
  std::shared_ptr<const LinkedModule> module;
  std::unique_ptr<engine::StopHandle> stop;
};

inline Unit* handle_of(WasmUnit* unit) noexcept {
  return reinterpret_cast<Unit*>(unit);
}
inline WasmUnit& of(Unit& unit) noexcept {
  return reinterpret_cast<WasmUnit&>(unit);
}
inline const WasmUnit& of(const Unit& unit) noexcept {
  return reinterpret_cast<const WasmUnit&>(unit);
}
inline Instance* handle_of(WasmInstance* instance) noexcept {
  return reinterpret_cast<Instance*>(instance);
}
inline WasmInstance& of(Instance& instance) noexcept {
  return reinterpret_cast<WasmInstance&>(instance);
}
inline const WasmInstance& of(const Instance& instance) noexcept {
  return reinterpret_cast<const WasmInstance&>(instance);
}

}  // namespace fusebox::edge
