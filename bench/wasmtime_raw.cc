#include "wasmtime_raw.h"

#include <string>
#include <string_view>
#include <utility>

#include "engine/wasmtime_handle.h"

namespace fusebox::cli::bench {
namespace {

using engine::ConfigPtr;
using engine::ModulePtr;
using engine::StorePtr;
using engine::TrapPtr;
using engine::WasmEnginePtr;

constexpr std::uint64_t kFuelForever = std::uint64_t{1} << 60;

// As the engine under test is set, but for how it is stopped.
ConfigPtr config_with(bool fuel) {
  ConfigPtr config(wasm_config_new());
  wasmtime_config_strategy_set(config.get(), WASMTIME_STRATEGY_CRANELIFT);
  wasmtime_config_cranelift_opt_level_set(config.get(), WASMTIME_OPT_LEVEL_SPEED);
  wasmtime_config_cranelift_nan_canonicalization_set(config.get(), true);
  wasmtime_config_consume_fuel_set(config.get(), fuel);
  return config;
}

base::Result<void> no_trap(wasm_trap_t* raw) {
  const TrapPtr trap(raw);
  if (!trap) return {};
  engine::WasmBytes message;
  wasm_trap_message(trap.get(), message.out());
  return base::fail(base::Errc::trapped, std::string(message.text()));
}

base::Result<ModulePtr> compile(wasm_engine_t* engine, base::ByteView wasm) {
  wasmtime_module_t* module = nullptr;
  FB_CHECK(engine::check(
      base::Errc::invalid, "compile",
      wasmtime_module_new(engine, reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size(), &module)));
  return ModulePtr(module);
}

// An instance without imports, and one of its functions.
base::Result<wasmtime_func_t> instantiate(wasmtime_context_t* context, const wasmtime_module_t* module,
                                          std::string_view name) {
  wasmtime_instance_t instance;
  wasm_trap_t* trap = nullptr;
  FB_CHECK(engine::check(base::Errc::invalid, "instantiate",
                         wasmtime_instance_new(context, module, nullptr, 0, &instance, &trap)));
  FB_CHECK(no_trap(trap));
  wasmtime_extern_t found;
  if (!wasmtime_instance_export_get(context, &instance, name.data(), name.size(), &found) ||
      found.kind != WASMTIME_EXTERN_FUNC) {
    return base::fail(base::Errc::not_found, "no exported function " + std::string(name));
  }
  return found.of.func;
}

base::Result<std::int32_t> call(wasmtime_context_t* context, const wasmtime_func_t& function, std::int32_t argument) {
  wasmtime_val_raw_t value{};
  value.i32 = argument;
  wasm_trap_t* trap = nullptr;
  FB_CHECK(engine::check(base::Errc::bug, "call", wasmtime_func_call_unchecked(context, &function, &value, 1, &trap)));
  FB_CHECK(no_trap(trap));
  return value.i32;
}

}  // namespace

struct FuelGuest::State {
  WasmEnginePtr engine;
  ModulePtr module;
  StorePtr store;
  wasmtime_func_t function{};
};

FuelGuest::FuelGuest(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
FuelGuest::FuelGuest(FuelGuest&&) noexcept = default;
FuelGuest::~FuelGuest() = default;

base::Result<FuelGuest> FuelGuest::create(base::ByteView wasm) {
  auto state = std::make_unique<State>();
  state->engine.reset(wasm_engine_new_with_config(config_with(true).release()));
  FB_TRY(state->module, compile(state->engine.get(), wasm));
  state->store.reset(wasmtime_store_new(state->engine.get(), nullptr, nullptr));
  wasmtime_context_t* context = wasmtime_store_context(state->store.get());
  FB_CHECK(engine::check(base::Errc::bug, "fuel", wasmtime_context_set_fuel(context, kFuelForever)));
  FB_TRY(state->function, instantiate(context, state->module.get(), "compute"));
  return FuelGuest(std::move(state));
}

base::Result<std::uint32_t> FuelGuest::compute(std::int32_t iterations) {
  wasmtime_context_t* context = wasmtime_store_context(state_->store.get());
  FB_CHECK(engine::check(base::Errc::bug, "fuel", wasmtime_context_set_fuel(context, kFuelForever)));
  FB_TRY(const std::int32_t checksum, call(context, state_->function, iterations));
  return static_cast<std::uint32_t>(checksum);
}

struct CompilingEngine::State {
  WasmEnginePtr engine;
};

CompilingEngine::CompilingEngine() : state_(std::make_unique<State>()) {
  state_->engine.reset(wasm_engine_new_with_config(config_with(false).release()));
}
CompilingEngine::CompilingEngine(CompilingEngine&&) noexcept = default;
CompilingEngine::~CompilingEngine() = default;

base::Result<void> CompilingEngine::run_once(base::ByteView wasm) {
  FB_TRY(const ModulePtr module, compile(state_->engine.get(), wasm));
  const StorePtr store(wasmtime_store_new(state_->engine.get(), nullptr, nullptr));
  wasmtime_context_t* context = wasmtime_store_context(store.get());
  FB_TRY(const wasmtime_func_t function, instantiate(context, module.get(), "run"));
  FB_CHECK(call(context, function, 0));
  return {};
}

}  // namespace fusebox::cli::bench
