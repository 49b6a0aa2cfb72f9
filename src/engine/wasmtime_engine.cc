#include "engine/wasmtime_engine.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/units.h"
#include "engine/call_limits.h"
#include "engine/cpu_identity.h"

namespace fusebox::engine {
namespace {

#if defined(FUSEBOX_TSAN)
// The thread sanitizer's shadow memory leaves no room for large reservations (engine-notes.md).
constexpr std::uint64_t kFastReservationBytes = 16u << 20;
constexpr std::uint64_t kFastGuardBytes = 64u << 10;
constexpr bool kParallelCompilation = false;
#else
constexpr std::uint64_t kFastReservationBytes = std::uint64_t{4}
                                                << 30;  // every 32-bit address lies inside: no bounds checks
constexpr std::uint64_t kFastGuardBytes = 32u << 20;    // offsets up to here need no check either
constexpr bool kParallelCompilation = true;
#endif
// Cleared by writing, not by giving pages back. Measured p50 of instantiate, call, teardown at 4, 16 and 64 KiB: 3.2,
// 3.6 and 4.7 us: only the page of the counter, and the first of the guest, are sure to be used again.
constexpr std::size_t kResidentBytes = 4u << 10;
constexpr std::size_t kTableResidentBytes = 4u << 10;

using PoolConfigPtr =
    std::unique_ptr<wasmtime_pooling_allocation_config_t, Freed<wasmtime_pooling_allocation_config_delete>>;

// The proposals of contract edge.md 1.2; all others off. The pass needs a second memory, of eight bytes, and an atomic
// load of it: those three are on where its output is compiled, and off where the guest's own bytes are validated.
void set_features(wasm_config_t* config, bool for_the_pass) {
  wasmtime_config_wasm_simd_set(config, true);
  wasmtime_config_wasm_bulk_memory_set(config, true);
  wasmtime_config_wasm_multi_value_set(config, true);
  wasmtime_config_wasm_multi_memory_set(config, for_the_pass);
  wasmtime_config_wasm_threads_set(config, for_the_pass);
  wasmtime_config_shared_memory_set(config, false);
  wasmtime_config_wasm_relaxed_simd_set(config, false);
  wasmtime_config_wasm_tail_call_set(config, false);
  wasmtime_config_wasm_memory64_set(config, false);
  wasmtime_config_wasm_wide_arithmetic_set(config, false);
  wasmtime_config_wasm_custom_page_sizes_set(config, for_the_pass);
  wasmtime_config_wasm_stack_switching_set(config, false);
  wasmtime_config_gc_support_set(config, false);
}

// How the validator begins its refusal of externref.
constexpr std::string_view kNeedsReferenceHeap = "gc types are disallowed but found type which requires gc";

struct Layout {
  std::uint64_t reservation_bytes;
  std::uint64_t guard_bytes;
};

// A pool's slots are reservations, so there the dense layout reserves what a slot may hold.
Layout layout_of(const EngineOptions& options) noexcept {
  if (options.profile == Profile::fast) return {kFastReservationBytes, kFastGuardBytes};
  return {options.pool_instances > 0 ? options.pool_memory_bytes / kWasmPageBytes * kWasmPageBytes : 0, 0};
}

void set_layout(wasm_config_t* config, const EngineOptions& options) {
  const Layout layout = layout_of(options);
  wasmtime_config_memory_reservation_set(config, layout.reservation_bytes);
  wasmtime_config_memory_guard_size_set(config, layout.guard_bytes);
  if (options.profile == Profile::fast) return;
  wasmtime_config_memory_reservation_for_growth_set(config, 0);
  wasmtime_config_memory_may_move_set(config, true);
}

void set_code(wasm_config_t* config, const EngineOptions& options) {
  wasmtime_config_strategy_set(config, WASMTIME_STRATEGY_CRANELIFT);
  wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
  wasmtime_config_cranelift_nan_canonicalization_set(config,
                                                     true);  // NaN bits are the one thing wasm leaves to the processor
  wasmtime_config_parallel_compilation_set(config, kParallelCompilation && options.parallel_compilation);
  wasmtime_config_epoch_interruption_set(config, options.stopping == Stopping::epoch);
  wasmtime_config_consume_fuel_set(config, false);
}

ConfigPtr base_config(const EngineOptions& options) {
  ConfigPtr config(wasm_config_new());
  set_features(config.get(), true);
  set_layout(config.get(), options);
  set_code(config.get(), options);
  wasmtime_config_max_wasm_stack_set(config.get(), options.stack_bytes);
  wasmtime_config_async_stack_size_set(config.get(), options.stack_bytes + kHostStackBytes);
  // Copy-on-write images are one mapping each; the dense layout must stay below the kernel's count of mappings.
  wasmtime_config_memory_init_cow_set(config.get(), options.profile == Profile::fast);
  return config;
}

void set_pool(wasm_config_t* config, const EngineOptions& options) {
  const PoolConfigPtr pool(wasmtime_pooling_allocation_config_new());
  const std::uint32_t count = options.pool_instances;
  wasmtime_pooling_allocation_config_total_core_instances_set(pool.get(), count);
  wasmtime_pooling_allocation_config_total_memories_set(pool.get(), count * 2);  // the guest's and the pass's
  wasmtime_pooling_allocation_config_max_memories_per_module_set(pool.get(), 2);
  wasmtime_pooling_allocation_config_max_memory_size_set(pool.get(),
                                                         options.pool_memory_bytes / kWasmPageBytes * kWasmPageBytes);
  wasmtime_pooling_allocation_config_total_tables_set(pool.get(),
                                                      count * static_cast<std::uint32_t>(kPoolTablesPerInstance));
  wasmtime_pooling_allocation_config_max_tables_per_module_set(pool.get(),
                                                               static_cast<std::uint32_t>(kPoolTablesPerInstance));
  wasmtime_pooling_allocation_config_table_elements_set(pool.get(), options.pool_table_elements);
  wasmtime_pooling_allocation_config_total_stacks_set(pool.get(), options.async ? count : 1);
  wasmtime_pooling_allocation_config_max_unused_warm_slots_set(pool.get(), count * 2);
  wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool.get(), kResidentBytes);
  wasmtime_pooling_allocation_config_table_keep_resident_set(pool.get(), kTableResidentBytes);
  wasmtime_pooling_allocation_strategy_set(config, pool.get());
}

// Wasmtime ends the process when it cannot reserve its pool, so the room is tried first.
base::Result<void> probe_address_space(const EngineOptions& options) {
  const Layout layout = layout_of(options);
  const std::uint64_t slot_bytes = layout.reservation_bytes + layout.guard_bytes;
  const std::uint64_t table_bytes = std::uint64_t{options.pool_table_elements} * sizeof(void*) * kPoolTablesPerInstance;
  const std::size_t bytes = options.pool_instances * (2 * slot_bytes + table_bytes);
  void* room = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) {
    return base::fail(base::Errc::unavailable, "engine: no address space for a pool of " +
                                                   std::to_string(options.pool_instances) + " instances (" +
                                                   base::format_size(bytes) +
                                                   "); lower pool_instances or use the dense profile");
  }
  ::munmap(room, bytes);
  return {};
}

WasmEnginePtr make(ConfigPtr config) {
  return WasmEnginePtr(wasm_engine_new_with_config(config.release()));
}

std::string identity_of(const EngineOptions& options) {
  std::string text = "wasmtime-" WASMTIME_VERSION ";" + cpu_identity();
  const Layout layout = layout_of(options);
  text += options.profile == Profile::fast ? ";fast" : ";dense";
  text += ":" + std::to_string(layout.reservation_bytes) + ":" + std::to_string(layout.guard_bytes);
  constexpr std::string_view kModes[] = {"time", "ticks", "epoch", "none"};
  text += ";stop=" + std::string(kModes[static_cast<std::size_t>(options.stopping)]);
  text += ";meter=" + std::to_string(kMeterVersion) + (options.canonical_nans ? ";nan=canonical" : ";nan=native") +
          ";features=1.2";
  for (const std::string& module : options.may_ask_again) text += ";again=" + module;
  return text;
}

base::Result<void> check_options(const EngineOptions& options) {
  if (options.stack_bytes < kStackBytesMin || options.stack_bytes > kStackBytesMax) {
    return base::fail(base::Errc::invalid, "engine: stack_bytes is " + std::to_string(options.stack_bytes) +
                                               "; allowed are " + base::format_size(kStackBytesMin) + " to " +
                                               base::format_size(kStackBytesMax));
  }
  if (options.pool_instances > kPoolInstancesMax) {
    return base::fail(base::Errc::invalid, "engine: pool_instances is " + std::to_string(options.pool_instances) +
                                               "; the most allowed is " + std::to_string(kPoolInstancesMax) +
                                               "; use 0 (on demand) for more");
  }
  if (options.pool_instances > 0 && options.profile == Profile::fast &&
      options.pool_memory_bytes > kFastReservationBytes) {
    return base::fail(base::Errc::invalid, "engine: pool_memory_bytes is " +
                                               base::format_size(options.pool_memory_bytes) + "; the most allowed is " +
                                               base::format_size(kFastReservationBytes));
  }
  if (options.pool_instances > 0 && options.pool_memory_bytes < kWasmPageBytes) {
    return base::fail(base::Errc::invalid, "engine: pool_memory_bytes is " + std::to_string(options.pool_memory_bytes) +
                                               "; the least that helps is one page, " + std::to_string(kWasmPageBytes));
  }
  if (!options.may_ask_again.empty() &&
      (!options.async || (options.stopping != Stopping::time && options.stopping != Stopping::ticks))) {
    return base::fail(
        base::Errc::invalid,
        "engine: may_ask_again needs async = true, and stopping = time or ticks: the pass puts the wait in");
  }
  return {};
}

}  // namespace

wasm_engine_t* Engine::Impl::on_demand() {
  const std::lock_guard lock(mutex_);
  if (!on_demand_) {
    on_demand_ = make(base_config(options));
  }
  return on_demand_.get();
}

wasm_engine_t* Engine::Impl::validator() {
  const std::lock_guard lock(mutex_);
  if (!validator_) {
    ConfigPtr config(wasm_config_new());
    set_features(config.get(), false);
    wasmtime_config_parallel_compilation_set(config.get(), kParallelCompilation && options.parallel_compilation);
    validator_ = make(std::move(config));
  }
  return validator_.get();
}

base::Result<std::shared_ptr<Engine>> Engine::create(const EngineOptions& options) {
  FB_CHECK(check_options(options));
  auto impl = std::make_unique<Impl>(options);
  impl->code_identity = identity_of(options);
  if (options.pool_instances > 0) {
    FB_CHECK(probe_address_space(options));
    ConfigPtr config = base_config(options);
    set_pool(config.get(), options);
    impl->pooled = make(std::move(config));
  }
  if (options.stop_source == StopSource::watcher && options.stopping != Stopping::none)
    impl->watcher = StopWatcher::create();
  return std::make_shared<Engine>(std::move(impl));
}

bool Engine::Impl::memory_stays() const noexcept {
  return layout_of(options).reservation_bytes >= std::uint64_t{4} << 30;
}

Engine::Engine(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Engine::~Engine() = default;
const EngineOptions& Engine::options() const noexcept {
  return impl_->options;
}
const std::string& Engine::code_identity() const noexcept {
  return impl_->code_identity;
}

base::Result<void> Engine::validate(base::ByteView wasm) const {
  const ErrorPtr error(
      wasmtime_module_validate(impl_->validator(), reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size()));
  if (!error) return {};
  const std::string why = message_of(*error);
  // Externref needs the engine's heap of references, which is not built in; funcref does not.
  if (why.starts_with(kNeedsReferenceHeap)) {
    return base::fail(base::Errc::unsupported,
                      "module uses externref, which is not accepted; of reference types funcref is" +
                          why.substr(kNeedsReferenceHeap.size()),
                      "COMPILE");
  }
  return base::fail(base::Errc::invalid, "module is not valid WebAssembly: " + why, "COMPILE");
}

}  // namespace fusebox::engine
