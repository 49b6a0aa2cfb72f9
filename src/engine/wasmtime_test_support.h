// For the pass's tests, benchmark and fuzzer: modules from text, and a bare Wasmtime to run them in, without our engine
// layer.
//
// Threads  one at a time. Errors  texts; tests print them.
#pragma once

#include <wabt/binary-writer.h>
#include <wabt/error-formatter.h>
#include <wabt/stream.h>
#include <wabt/validator.h>
#include <wabt/wast-lexer.h>
#include <wabt/wast-parser.h>
#include <wasmtime.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "engine/meter.h"

namespace fusebox::engine::testing {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};

inline std::expected<base::Bytes, std::string> assemble(std::string_view text) {
  std::unique_ptr<wabt::WastLexer> lexer;
  wabt::Errors errors;
  lexer = wabt::WastLexer::CreateBufferLexer("test.wat", text.data(), text.size(), &errors);
  std::unique_ptr<wabt::Module> module;
  wabt::Features features;
  features.EnableAll();
  wabt::WastParseOptions options(features);
  const auto failed = [&] { return std::unexpected(wabt::FormatErrorsToString(errors, wabt::Location::Type::Text)); };
  if (wabt::Failed(wabt::ParseWatModule(lexer.get(), &module, &errors, &options))) return failed();
  wabt::MemoryStream stream;
  wabt::WriteBinaryOptions write;
  write.features = features;
  write.write_debug_names = true;
  if (wabt::Failed(wabt::WriteBinaryModule(&stream, module.get(), write))) return failed();
  const auto& data = stream.output_buffer().data;
  const auto* begin = reinterpret_cast<const std::byte*>(data.data());
  return base::Bytes(begin, begin + data.size());
}

struct EngineChoice {
  bool for_the_pass = true;  // multi-memory, threads and custom page sizes on
  bool dense = false;
  bool epochs = false;
  bool fuel = false;
  std::size_t stack_bytes = 512u << 10;
};

class BareEngine {
 public:
  explicit BareEngine(const EngineChoice& choice = {}) {
    wasm_config_t* config = wasm_config_new();
    wasmtime_config_wasm_multi_memory_set(config, choice.for_the_pass);
    wasmtime_config_wasm_threads_set(config, choice.for_the_pass);
    wasmtime_config_wasm_custom_page_sizes_set(config, choice.for_the_pass);
    wasmtime_config_wasm_relaxed_simd_set(config, false);
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_tail_call_set(config, false);
    wasmtime_config_wasm_wide_arithmetic_set(config, false);
    wasmtime_config_cranelift_nan_canonicalization_set(config, true);
    wasmtime_config_max_wasm_stack_set(config, choice.stack_bytes);
    wasmtime_config_parallel_compilation_set(config, false);
    wasmtime_config_epoch_interruption_set(config, choice.epochs);
    wasmtime_config_consume_fuel_set(config, choice.fuel);
    if (choice.dense) {
      wasmtime_config_memory_reservation_set(config, 0);
      wasmtime_config_memory_guard_size_set(config, 0);
      wasmtime_config_memory_reservation_for_growth_set(config, 0);
      wasmtime_config_memory_may_move_set(config, true);
    }
    engine_.reset(wasm_engine_new_with_config(config));
  }
  wasm_engine_t* get() const noexcept { return engine_.get(); }

  // "" when the validator accepts.
  std::string validate(base::ByteView wasm) const {
    return take(
        wasmtime_module_validate(engine_.get(), reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size()));
  }

  static std::string take(wasmtime_error_t* error) {
    if (error == nullptr) return {};
    wasm_byte_vec_t message;
    wasmtime_error_message(error, &message);
    std::string text(message.data, message.size);
    wasm_byte_vec_delete(&message);
    wasmtime_error_delete(error);
    return text.empty() ? "unnamed error" : text;
  }

 private:
  std::unique_ptr<wasm_engine_t, Freed<wasm_engine_delete>> engine_;
};

// How a call went. `value` holds the results' bits, `memory` the hash of the guest's memory, both after a trap as well.
struct CallResult {
  bool trapped = false;
  int trap_code = -1;                  // wasmtime_trap_code_enum
  std::uint64_t offset = 0;            // of the innermost frame, in the module that ran
  std::vector<std::uint64_t> offsets;  // of all frames, innermost first
  std::vector<std::uint64_t> values;
  std::vector<std::uint64_t> host_calls;  // arguments of env.host, in order
  std::uint64_t memory_hash = 0;
  std::string message;
  std::int64_t counter = 0;  // the meter's, when the module has one
};

// One module, instantiated afresh for each call. Imports of env.host (any type) record their arguments and answer
// zeros; with `on_host` they may look at the instance.
class BareModule {
 public:
  static std::expected<BareModule, std::string> compile(const BareEngine& engine, base::ByteView wasm) {
    wasmtime_module_t* module = nullptr;
    std::string error = BareEngine::take(
        wasmtime_module_new(engine.get(), reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size(), &module));
    if (!error.empty()) return std::unexpected(error);
    return BareModule(engine, module);
  }
  wasmtime_module_t* get() const noexcept { return module_.get(); }
  wasm_engine_t* engine() const noexcept { return engine_; }

 private:
  BareModule(const BareEngine& engine, wasmtime_module_t* module) : engine_(engine.get()), module_(module) {}
  wasm_engine_t* engine_;
  std::unique_ptr<wasmtime_module_t, Freed<wasmtime_module_delete>> module_;
};

class BareInstance {
 public:
  // `budget` is put into the meter's counter before the start function runs only when the module has none: a start
  // function is therefore not for these tests.
  static std::expected<std::unique_ptr<BareInstance>, std::string> create(const BareModule& module,
                                                                          std::int64_t memory_bytes_max = 64 << 20) {
    std::unique_ptr<BareInstance> self(new BareInstance);
    self->store_.reset(wasmtime_store_new(module.engine(), nullptr, nullptr));
    self->context_ = wasmtime_store_context(self->store_.get());
    wasmtime_store_limiter(self->store_.get(), memory_bytes_max, 100'000, -1, -1, -1);
    self->linker_.reset(wasmtime_linker_new(module.engine()));
    if (std::string error = self->define_hosts(module); !error.empty()) return std::unexpected(error);
    wasm_trap_t* trap = nullptr;
    std::string error = BareEngine::take(
        wasmtime_linker_instantiate(self->linker_.get(), self->context_, module.get(), &self->instance_, &trap));
    if (trap != nullptr) {
      wasm_trap_delete(trap);
      return std::unexpected("start function trapped");
    }
    if (!error.empty()) return std::unexpected(error);
    return self;
  }

  wasmtime_context_t* context() noexcept { return context_; }
  wasmtime_instance_t& instance() noexcept { return instance_; }

  std::int64_t* counter() {
    const std::optional<wasmtime_memory_t> memory = export_memory(kMeterExport);
    if (!memory) return nullptr;
    return reinterpret_cast<std::int64_t*>(wasmtime_memory_data(context_, &*memory));
  }

  CallResult call(std::string_view name, const std::vector<std::int64_t>& arguments,
                  std::optional<std::int64_t> budget = {}) {
    CallResult result;
    wasmtime_extern_t item;
    if (!wasmtime_instance_export_get(context_, &instance_, name.data(), name.size(), &item) ||
        item.kind != WASMTIME_EXTERN_FUNC) {
      result.message = "no such function";
      result.trapped = true;
      return result;
    }
    // Another thread may look at the counter while the guest runs.
    if (budget && counter() != nullptr) std::atomic_ref(*counter()).store(*budget);
    host_calls_.clear();
    run(item.of.func, arguments, result);
    result.host_calls = host_calls_;
    if (counter() != nullptr) result.counter = std::atomic_ref(*counter()).load();
    if (const auto memory = export_memory("memory")) result.memory_hash = hash(*memory);
    return result;
  }

 private:
  BareInstance() = default;

  std::optional<wasmtime_memory_t> export_memory(std::string_view name) {
    wasmtime_extern_t item;
    if (!wasmtime_instance_export_get(context_, &instance_, name.data(), name.size(), &item)) return std::nullopt;
    if (item.kind != WASMTIME_EXTERN_MEMORY) return std::nullopt;
    return item.of.memory;
  }

  std::uint64_t hash(const wasmtime_memory_t& memory) {
    const std::uint8_t* data = wasmtime_memory_data(context_, &memory);
    const std::size_t size = wasmtime_memory_data_size(context_, &memory);
    std::uint64_t value = 1469598103934665603ULL ^ size;
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
      std::uint64_t word;
      std::memcpy(&word, data + i, 8);
      value = (value ^ word) * 1099511628211ULL;
      value ^= value >> 29;
    }
    return value;
  }

  static std::uint64_t bits(const wasmtime_val_t& value) {
    switch (value.kind) {
      case WASMTIME_I32:
        return static_cast<std::uint32_t>(value.of.i32);
      case WASMTIME_I64:
        return static_cast<std::uint64_t>(value.of.i64);
      case WASMTIME_F32: {
        std::uint32_t word;
        std::memcpy(&word, &value.of.f32, 4);
        return word;
      }
      case WASMTIME_F64: {
        std::uint64_t word;
        std::memcpy(&word, &value.of.f64, 8);
        return word;
      }
      case WASMTIME_V128: {
        std::uint64_t words[2];
        std::memcpy(words, value.of.v128, 16);
        return words[0] * 31 + words[1];
      }
      default:
        return 0;
    }
  }

  static wasm_trap_t* on_host(void* env, wasmtime_caller_t*, const wasmtime_val_t* arguments, std::size_t count,
                              wasmtime_val_t* results, std::size_t results_count) {
    auto* self = static_cast<BareInstance*>(env);
    if (self->at_host_ != nullptr) self->at_host_();
    if (results_count == 0 && count == 0) {  // the pass's wait
      ++self->waits_;
      return nullptr;
    }
    if (self->asks_again_ && results_count == 1 && ++self->turn_ % kTurns != 0) {
      results[0].of.i32 = kCallAgain;
      return nullptr;
    }
    for (std::size_t i = 0; i < count; ++i) self->host_calls_.push_back(bits(arguments[i]));
    // What a host sees of the ticks at this moment.
    if (self->counter_seen_) self->host_calls_.push_back(static_cast<std::uint64_t>(*self->counter()));
    for (std::size_t i = 0; i < results_count; ++i) results[i].of.i64 = 0;
    return nullptr;
  }

  std::string define_hosts(const BareModule& module) {
    wasm_importtype_vec_t imports;
    wasmtime_module_imports(module.get(), &imports);
    std::string error;
    for (std::size_t i = 0; i < imports.size && error.empty(); ++i) {
      const wasm_externtype_t* type = wasm_importtype_type(imports.data[i]);
      const wasm_name_t* from = wasm_importtype_module(imports.data[i]);
      const wasm_name_t* field = wasm_importtype_name(imports.data[i]);
      if (wasm_externtype_kind(type) != WASM_EXTERN_FUNC) {
        error = "imports something that is not a function";
        break;
      }
      error = BareEngine::take(wasmtime_linker_define_func(linker_.get(), from->data, from->size, field->data,
                                                           field->size, wasm_externtype_as_functype_const(type),
                                                           on_host, this, nullptr));
    }
    wasm_importtype_vec_delete(&imports);
    return error;
  }

  void run(wasmtime_func_t& function, const std::vector<std::int64_t>& arguments, CallResult& result) {
    std::unique_ptr<wasm_functype_t, Freed<wasm_functype_delete>> type(wasmtime_func_type(context_, &function));
    const wasm_valtype_vec_t* params = wasm_functype_params(type.get());
    std::vector<wasmtime_val_t> values(params->size);
    for (std::size_t i = 0; i < params->size; ++i) {
      values[i].kind = static_cast<wasmtime_valkind_t>(wasm_valtype_kind(params->data[i]));
      std::memset(&values[i].of, 0, sizeof values[i].of);
      values[i].of.i64 = i < arguments.size() ? arguments[i] : 0;
    }
    std::vector<wasmtime_val_t> results(wasm_functype_results(type.get())->size);
    wasm_trap_t* trap = nullptr;
    result.message = BareEngine::take(
        wasmtime_func_call(context_, &function, values.data(), values.size(), results.data(), results.size(), &trap));
    if (trap != nullptr) {
      read_trap(trap, result);
    } else if (!result.message.empty()) {
      result.trapped = true;
    } else {
      for (const wasmtime_val_t& value : results) result.values.push_back(bits(value));
    }
  }

  static void read_trap(wasm_trap_t* trap, CallResult& result) {
    result.trapped = true;
    wasmtime_trap_code_t code = 0;
    if (wasmtime_trap_code(trap, &code)) result.trap_code = code;
    wasm_frame_vec_t frames;
    wasm_trap_trace(trap, &frames);
    for (std::size_t i = 0; i < frames.size; ++i) result.offsets.push_back(wasm_frame_module_offset(frames.data[i]));
    if (!result.offsets.empty()) result.offset = result.offsets.front();
    wasm_frame_vec_delete(&frames);
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    result.message.assign(message.data, message.size);
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
  }

 public:
  // Called at the begin of each host call.
  void at_host_calls(void (*then)()) { at_host_ = then; }
  // Every function asks twice to be called again before it answers.
  void ask_again() { asks_again_ = true; }
  int waits() const noexcept { return waits_; }
  void show_counter_to_hosts() { counter_seen_ = counter() != nullptr; }

 private:
  std::unique_ptr<wasmtime_store_t, Freed<wasmtime_store_delete>> store_;
  std::unique_ptr<wasmtime_linker_t, Freed<wasmtime_linker_delete>> linker_;
  wasmtime_context_t* context_ = nullptr;
  wasmtime_instance_t instance_{};
  std::vector<std::uint64_t> host_calls_;
  bool counter_seen_ = false;
  static constexpr int kTurns = 3;
  bool asks_again_ = false;
  int turn_ = 0;
  int waits_ = 0;
  void (*at_host_)() = nullptr;
};

// What the host works out after a call that started with `budget` (meter.h).
struct Account {
  std::int64_t ticks = 0;
  bool out_of_ticks = false;
};
inline Account settle(const MeterMap& map, const CallResult& result, std::int64_t budget) {
  std::int64_t counter = result.counter;
  if (counter < -(std::int64_t{1} << 61)) counter -= kStopBias;
  Account account;
  account.ticks = budget - counter;
  if (result.trapped) {
    account.ticks -= map.refund_at(result.offset);
    account.out_of_ticks =
        result.trap_code == WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED && map.is_check(result.offset);
  }
  return account;
}

}  // namespace fusebox::engine::testing
