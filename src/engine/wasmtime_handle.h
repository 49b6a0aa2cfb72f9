// Owners for Wasmtime's handles, and its errors as ours. Internal to src/engine/wasmtime_*.
#pragma once

#include <wasmtime.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/freed.h"
#include "base/result.h"

namespace fusebox::engine {

using base::Freed;

using ConfigPtr = std::unique_ptr<wasm_config_t, Freed<wasm_config_delete>>;
using WasmEnginePtr = std::unique_ptr<wasm_engine_t, Freed<wasm_engine_delete>>;
using ModulePtr = std::unique_ptr<wasmtime_module_t, Freed<wasmtime_module_delete>>;
using LinkerPtr = std::unique_ptr<wasmtime_linker_t, Freed<wasmtime_linker_delete>>;
using InstancePrePtr = std::unique_ptr<wasmtime_instance_pre_t, Freed<wasmtime_instance_pre_delete>>;
using StorePtr = std::unique_ptr<wasmtime_store_t, Freed<wasmtime_store_delete>>;
using ErrorPtr = std::unique_ptr<wasmtime_error_t, Freed<wasmtime_error_delete>>;
using TrapPtr = std::unique_ptr<wasm_trap_t, Freed<wasm_trap_delete>>;
using FuncTypePtr = std::unique_ptr<wasm_functype_t, Freed<wasm_functype_delete>>;

// Wasmtime fills vectors of bytes; this frees them.
class WasmBytes {
 public:
  WasmBytes() noexcept { wasm_byte_vec_new_empty(&raw_); }
  WasmBytes(const WasmBytes&) = delete;
  WasmBytes& operator=(const WasmBytes&) = delete;
  ~WasmBytes() { wasm_byte_vec_delete(&raw_); }
  wasm_byte_vec_t* out() noexcept { return &raw_; }
  std::string_view text() const noexcept { return {raw_.data, raw_.size}; }

 private:
  wasm_byte_vec_t raw_;
};

// Wasmtime's message on one line: its chain of causes is laid out over several.
std::string message_of(const wasmtime_error_t& error);

// Null means success; takes ownership either way.
base::Result<void> check(base::Errc code, std::string_view step, wasmtime_error_t* error, std::string_view name = {});

}  // namespace fusebox::engine
