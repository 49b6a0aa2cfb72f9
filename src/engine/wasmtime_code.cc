#include "engine/wasmtime_code.h"

#include <algorithm>

#include "engine/call_limits.h"
#include "engine/code_blob.h"
#include "engine/expose.h"

namespace fusebox::engine {
namespace {

const std::uint8_t* raw(base::ByteView bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

base::Result<ModulePtr> compile_for(wasm_engine_t* engine, base::ByteView wasm) {
  wasmtime_module_t* module = nullptr;
  FB_CHECK(check(base::Errc::unsupported, "cannot compile the module",
                 wasmtime_module_new(engine, raw(wasm), wasm.size(), &module), "COMPILE"));
  return ModulePtr(module);
}

base::Result<ModulePtr> deserialize_for(wasm_engine_t* engine, base::ByteView compiled) {
  wasmtime_module_t* module = nullptr;
  FB_CHECK(check(base::Errc::corrupt, "compiled code is not for this engine",
                 wasmtime_module_deserialize(engine, raw(compiled), compiled.size(), &module)));
  return ModulePtr(module);
}

base::Result<void> refuse_reserved_names(const ModuleInfo& info) {
  for (const Export& item : info.exports) {
    if (!item.name.starts_with(kReservedPrefix)) continue;
    return base::fail(base::Errc::invalid,
                      "export \"" + item.name + "\": names that start with \"" + std::string(kReservedPrefix) +
                          "\" belong to the host; rename the export",
                      "COMPILE");
  }
  return {};
}

}  // namespace

void Code::Impl::read_info() {
  for (const MemoryType& memory : info.memories) pages_min += memory.pages_min;
  for (const TableType& table : info.tables) table_elements_min += table.elements_min;
  for (const Export& item : info.exports) {
    if (item.kind == ExternKind::memory && item.index == 0) memory_export = item.name;
  }
  if (must_expose_memory(info)) memory_export = kMemoryExport;
  has_start = info.start_function.has_value();

  const EngineOptions& options = engine->options();
  waits = metered && any_may_ask_again(info, options.may_ask_again);
  for (const Import& import : info.imports) functions_imported += import.kind == ExternKind::function ? 1 : 0;
  const auto fits = [&](const TableType& table) { return table.elements_min <= options.pool_table_elements; };
  fits_pool = options.pool_instances > 0 && pages_min <= options.pool_memory_bytes / kWasmPageBytes &&
              info.memories.size() <= 1 && info.tables.size() <= kPoolTablesPerInstance &&
              std::ranges::all_of(info.tables, fits);
}

base::Result<void> Code::Impl::load(base::ByteView wasm) {
  read_info();
  Engine::Impl& owner = engine->impl();
  if (fits_pool) {
    base::Result<ModulePtr> module = compile_for(owner.pooled.get(), wasm);
    if (module) {
      pooled_ = std::move(*module);
      return {};
    }
    // Too large for a slot in a way only the compiler sees (the size of the instance itself): it still runs on demand.
    fits_pool = false;
  }
  FB_TRY(on_demand_, compile_for(owner.on_demand(), wasm));
  return {};
}

base::Result<void> Code::Impl::load_serialized(base::ByteView compiled) {
  read_info();
  Engine::Impl& owner = engine->impl();
  if (fits_pool) {
    base::Result<ModulePtr> module = deserialize_for(owner.pooled.get(), compiled);
    if (module) {
      pooled_ = std::move(*module);
      return {};
    }
    fits_pool = false;
  }
  FB_TRY(on_demand_, deserialize_for(owner.on_demand(), compiled));
  return {};
}

base::Result<base::Bytes> Code::Impl::serialize_compiled() const {
  const wasmtime_module_t* module = pooled_ ? pooled_.get() : on_demand_.get();
  WasmBytes bytes;
  FB_CHECK(check(base::Errc::bug, "cannot serialize compiled code", wasmtime_module_serialize(module, bytes.out())));
  const base::ByteView view = base::as_bytes(bytes.text());
  return base::Bytes(view.begin(), view.end());
}

base::Result<const wasmtime_module_t*> Code::Impl::module(Placement placement) const {
  if (placement == Placement::pooled) return pooled_.get();
  const std::lock_guard lock(mutex_);
  if (!on_demand_) {
    FB_TRY(const base::Bytes compiled, serialize_compiled());
    FB_TRY(on_demand_, deserialize_for(engine->impl().on_demand(), compiled));
  }
  return on_demand_.get();
}

base::Result<std::shared_ptr<const Code>> Code::compile(std::shared_ptr<Engine> engine, base::ByteView wasm) {
  FB_CHECK(engine->validate(wasm));
  auto impl = std::make_unique<Impl>();
  impl->engine = std::move(engine);
  impl->hash = base::sha256(wasm);
  FB_TRY(impl->info, inspect(wasm));
  FB_CHECK(refuse_reserved_names(impl->info));

  FB_TRY(Exposed exposed, expose(wasm, impl->info));
  impl->code_shift = exposed.code_shift;
  if (impl->engine->impl().metered()) {
    const MeterMode mode = impl->engine->options().stopping == Stopping::ticks ? MeterMode::ticks : MeterMode::time;
    const auto& may_ask_again = impl->engine->options().may_ask_again;
    FB_TRY(Metered metered, meter(exposed.wasm, MeterOptions{.mode = mode, .may_ask_again = may_ask_again}));
    impl->map = std::move(metered.map);
    impl->metered = true;
    FB_CHECK(impl->load(metered.wasm));
  } else {
    FB_CHECK(impl->load(exposed.wasm));
  }
  return std::make_shared<const Code>(std::move(impl));
}

base::Result<base::Bytes> Code::serialize() const {
  FB_TRY(const base::Bytes compiled, impl_->serialize_compiled());
  const CodeBlob blob{impl_->info, impl_->hash, impl_->metered, impl_->map, impl_->code_shift, compiled};
  return encode_code(blob, impl_->engine->code_identity());
}

base::Result<std::shared_ptr<const Code>> Code::deserialize(std::shared_ptr<Engine> engine, base::ByteView bytes) {
  FB_TRY(CodeBlob blob, decode_code(bytes, engine->code_identity()));
  auto impl = std::make_unique<Impl>();
  impl->engine = std::move(engine);
  impl->info = std::move(blob.info);
  impl->hash = blob.hash;
  impl->metered = blob.metered;
  impl->map = std::move(blob.map);
  impl->code_shift = blob.code_shift;
  FB_CHECK(impl->load_serialized(blob.compiled));
  return std::make_shared<const Code>(std::move(impl));
}

Code::Code(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Code::~Code() = default;
const ModuleInfo& Code::info() const noexcept {
  return impl_->info;
}
const base::Sha256& Code::hash() const noexcept {
  return impl_->hash;
}
Engine& Code::engine() const noexcept {
  return *impl_->engine;
}

}  // namespace fusebox::engine
