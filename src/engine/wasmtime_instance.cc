#include "engine/wasmtime_instance.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/units.h"
#include "engine/call_limits.h"
#include "engine/expose.h"

namespace fusebox::engine {
namespace {

constexpr std::int64_t kInstancesPerStore = 1;
constexpr std::int64_t kMemoriesPerStore = 2;  // the guest's and the pass's

// The largest size memory 0 can ever have under these limits.
std::uint64_t pages_reachable(const Code::Impl& code, const InstanceLimits& limits) {
  std::uint64_t pages = limits.memory_bytes / kWasmPageBytes;
  if (code.info.memories.empty()) return 0;
  if (code.info.memories[0].pages_max) pages = std::min(pages, *code.info.memories[0].pages_max);
  return pages;
}

base::Result<void> check_limits(const Code::Impl& code, const InstanceLimits& limits) {
  const std::uint64_t pages_max = limits.memory_bytes / kWasmPageBytes;
  if (code.pages_min > pages_max) {
    return base::fail(base::Errc::exhausted,
                      "the module's memory starts with " + std::to_string(code.pages_min) + " pages (" +
                          base::format_size(code.pages_min * kWasmPageBytes) + "); the limit is " +
                          std::to_string(pages_max) + " pages (" + base::format_size(limits.memory_bytes) + ")",
                      "MEMORY_LIMIT");
  }
  if (code.table_elements_min > limits.table_elements) {
    return base::fail(base::Errc::exhausted,
                      "the module's tables start with " + std::to_string(code.table_elements_min) +
                          " elements; the limit is " + std::to_string(limits.table_elements),
                      "MEMORY_LIMIT");
  }
  return {};
}

bool can_grow(const TableType& table) noexcept {
  return !table.elements_max || *table.elements_max > table.elements_min;
}

// Wasmtime's limit is one number for each table, the policy's is a sum. With one table that grows, the rest can be
// given to it. With several the rest is shared equally: growth may be refused early, never late.
std::uint64_t elements_per_table(const Code::Impl& code, std::uint64_t elements_max) {
  std::uint64_t fixed = 0;
  std::uint64_t growing = 0;
  for (const TableType& table : code.info.tables) {
    if (can_grow(table))
      ++growing;
    else
      fixed += table.elements_min;
  }
  return growing == 0 ? elements_max : (elements_max - std::min(fixed, elements_max)) / growing;
}

std::int64_t as_limit(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(value, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
}

wasmtime_error_t* on_epoch(wasmtime_context_t* context, void*, std::uint64_t* delta,
                           wasmtime_update_deadline_kind_t* kind) noexcept {
  // Some guest of this engine must stop; only this one's own slot says whether it is this one.
  auto& self = *static_cast<Instance::Impl*>(wasmtime_context_get_data(context));
  *delta = 1;
  *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
  if (self.slot == nullptr || !self.slot->must_stop()) return nullptr;
  self.pending = Outcome{Stopped{self.slot->limit(), {}}, {}};
  return wasmtime_error_new("stopped");
}

void make_store(Instance::Impl& self) {
  const Code::Impl& code = self.code();
  self.wasm_engine = self.in_pool() ? self.engine().pooled.get() : self.engine().on_demand();
  self.store.reset(wasmtime_store_new(self.wasm_engine, &self, nullptr));
  self.context = wasmtime_store_context(self.store.get());
  // The pass's memory needs its bytes even where the guest may have none; a guest's page is larger.
  const std::uint64_t memory_bytes = std::max(self.limits.memory_bytes / kWasmPageBytes * kWasmPageBytes,
                                              std::uint64_t{code.metered ? kMeterBytes : 0u});
  wasmtime_store_limiter(self.store.get(), as_limit(memory_bytes), as_limit(self.limits.table_elements),
                         kInstancesPerStore, -1, kMemoriesPerStore);
  if (self.stopping == Stopping::epoch) {
    wasmtime_store_epoch_deadline_callback(self.store.get(), &on_epoch, nullptr, nullptr);
    wasmtime_context_set_epoch_deadline(self.context, 1);
  }
}

// What the store's limits could not say before the instance existed.
void tighten_limits(Instance::Impl& self) {
  const std::uint64_t elements = elements_per_table(self.code(), self.limits.table_elements);
  if (elements == self.limits.table_elements) return;
  const std::uint64_t memory_bytes = self.limits.memory_bytes / kWasmPageBytes * kWasmPageBytes;
  wasmtime_store_limiter(self.store.get(), as_limit(memory_bytes), as_limit(elements), kInstancesPerStore, -1,
                         kMemoriesPerStore);
}

wasmtime_error_t* instantiate(Instance::Impl& self, void* env, wasm_trap_t** trap) noexcept {
  if (self.program->impl().blocks)
    return instantiate_on_fiber(self, static_cast<const wasmtime_instance_pre_t*>(env), trap);
  return wasmtime_instance_pre_instantiate(static_cast<const wasmtime_instance_pre_t*>(env), self.context,
                                           &self.instance, trap);
}

bool find_export(Instance::Impl& self, std::string_view name, wasmtime_extern_kind_t kind, wasmtime_extern_t& out) {
  return wasmtime_instance_export_get(self.context, &self.instance, name.data(), name.size(), &out) && out.kind == kind;
}

base::Result<void> find_own_exports(Instance::Impl& self) {
  wasmtime_extern_t item;
  const Code::Impl& code = self.code();
  if (!code.memory_export.empty() && find_export(self, code.memory_export, WASMTIME_EXTERN_MEMORY, item)) {
    self.memory = item.of.memory;
    self.has_memory = true;
    if (self.engine().memory_stays()) {
      self.memory_base = reinterpret_cast<std::byte*>(wasmtime_memory_data(self.context, &self.memory));
    }
  }
  if (!code.metered) return {};
  if (!find_export(self, kMeterExport, WASMTIME_EXTERN_MEMORY, item)) {
    return base::fail(base::Errc::bug, "instance: the pass's memory is not exported", "INTERNAL");
  }
  self.counter = reinterpret_cast<std::int64_t*>(wasmtime_memory_data(self.context, &item.of.memory));
  self.counts_ticks = self.stopping == Stopping::ticks;
  return {};
}

Function to_function(const wasmtime_func_t& raw, const FuncType& type) {
  Function function;
  std::memcpy(function.handle, &raw, sizeof raw);
  function.params = static_cast<std::uint32_t>(type.params.size());
  function.results = static_cast<std::uint32_t>(type.results.size());
  return function;
}

// Ends creation: an Error when the host could not do it, otherwise how the guest's own part ended.
base::Result<Instance::Started> not_started(Instance& instance) {
  Outcome outcome = instance.take_outcome();
  if (auto* failed = std::get_if<Failed>(&outcome.how)) return base::fail(std::move(failed->error));
  outcome.usage.ticks = static_cast<std::uint64_t>(instance.ticks_spent());
  return Instance::Started{nullptr, std::move(outcome)};
}

}  // namespace

base::Result<Instance::Started> Instance::create(std::shared_ptr<const Program> program, const InstanceLimits& limits,
                                                 void* user, const CallBudget& budget,
                                                 const std::function<void(Instance&)>& before_start) {
  const Code::Impl& code = program->code().impl();
  Engine::Impl& engine = program->code().engine().impl();
  FB_CHECK(check_limits(code, limits));

  auto impl = std::make_unique<Impl>();
  Impl& self = *impl;
  self.program = std::move(program);
  self.blocks = self.program->impl().blocks;
  self.limits = limits;
  self.user = user;
  self.stopping = engine.options.stopping;
  self.watcher = engine.watcher.get();
  self.stack_need_bytes = engine.options.stack_bytes + kHostStackBytes;
  if (code.fits_pool && pages_reachable(code, limits) <= engine.options.pool_memory_bytes / kWasmPageBytes)
    self.place = engine.places.take();
  auto instance = std::make_unique<Instance>(std::move(impl));

  FB_TRY(const wasmtime_instance_pre_t* pre,
         self.program->impl().pre(self.in_pool() ? Placement::pooled : Placement::on_demand));
  make_store(self);
  // No guest code runs here: its start function is an export (expose.h).
  if (!self.run(CallBudget{}, &instantiate, const_cast<wasmtime_instance_pre_t*>(pre))) return not_started(*instance);
  FB_CHECK(find_own_exports(self));
  tighten_limits(self);
  if (before_start) before_start(*instance);
  self.start_pending = code.has_start && self.program->impl().blocks;
  if (code.has_start && !self.start_pending) {
    FB_TRY(const Function start, self.start_function());
    if (!instance->call_fast(start, nullptr, budget)) return not_started(*instance);
  }
  return Started{std::move(instance), Outcome{}};
}

base::Result<Function> Instance::Impl::start_function() {
  wasmtime_extern_t item;
  if (!find_export(*this, kStartExport, WASMTIME_EXTERN_FUNC, item)) {
    return base::fail(base::Errc::bug, "instance: the start function is not exported", "INTERNAL");
  }
  return to_function(item.of.func, FuncType{});
}

Instance::Impl::~Impl() {
  store.reset();  // the slot in the pool is free only now
  if (in_pool()) engine().places.give_back(place);
}

Instance::Instance(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)), ticks_(&impl_->ticks) {
  impl_->owner = this;
}
Instance::~Instance() = default;
Instance::Instance(Instance&& from) noexcept : impl_(std::move(from.impl_)), ticks_(from.ticks_) {
  impl_->owner = this;
}
Instance& Instance::operator=(Instance&& from) noexcept {
  impl_ = std::move(from.impl_);
  ticks_ = from.ticks_;
  impl_->owner = this;
  return *this;
}

base::Result<Function> Instance::function(std::string_view export_name) {
  const Export* info = impl_->code().info.find_export(export_name);
  wasmtime_extern_t item;
  if (info == nullptr || info->kind != ExternKind::function ||
      !find_export(*impl_, export_name, WASMTIME_EXTERN_FUNC, item)) {
    return base::fail(base::Errc::not_found, "the module exports no function \"" + std::string(export_name) + "\"",
                      "FUNCTION_NOT_FOUND");
  }
  return to_function(item.of.func, info->function);
}

std::span<std::byte> Instance::memory() noexcept {
  if (!impl_->has_memory) return {};
  std::byte* const base = impl_->memory_base != nullptr
                              ? impl_->memory_base
                              : reinterpret_cast<std::byte*>(wasmtime_memory_data(impl_->context, &impl_->memory));
  return {base, wasmtime_memory_data_size(impl_->context, &impl_->memory)};
}

// A memory never shrinks: what was in it once still is.
std::span<std::byte> Instance::memory_up_to(std::uint64_t end) noexcept {
  if (impl_->memory_base == nullptr) return memory();
  if (end > impl_->memory_bytes_seen) impl_->memory_bytes_seen = memory().size();
  return {impl_->memory_base, impl_->memory_bytes_seen};
}

bool Instance::grow_memory(std::uint64_t pages) noexcept {
  std::uint64_t before = 0;
  return impl_->has_memory && !ErrorPtr(wasmtime_memory_grow(impl_->context, &impl_->memory, pages, &before));
}

// Memory never shrinks within an instance, so its size is its peak.
std::uint64_t Instance::peak_memory_bytes() const noexcept {
  if (!impl_->has_memory) return impl_->code().pages_min * kWasmPageBytes;
  return wasmtime_memory_data_size(impl_->context, &impl_->memory);
}

StopHandle Instance::stop_handle() const {
  if (!impl_->stop_state) {
    impl_->stop_state = std::make_shared<StopHandle::State>();
    impl_->stop_state->watcher = impl_->engine().watcher;
    if (CallSlot* slot = impl_->slot) {  // asked for by a host function
      impl_->stop_state->thread.store(StopThread::current()->id());
      slot->cancelled.store(&impl_->stop_state->cancelled, std::memory_order_release);
    }
  }
  return StopHandle(impl_->stop_state);
}

NativeRange Instance::native_code() const noexcept {
  const auto module = impl_->code().module(impl_->in_pool() ? Placement::pooled : Placement::on_demand);
  if (!module) return {};
  void* begin = nullptr;
  void* end = nullptr;
  wasmtime_module_image_range(*module, &begin, &end);
  return {reinterpret_cast<std::uintptr_t>(begin), reinterpret_cast<std::uintptr_t>(end)};
}

void StopHandle::cancel() noexcept {
  // The first is enough: from then on the call sees the flag when it begins, and its own timer repeats the poke. More
  // signals would be queued, each handled before the guest goes on.
  if (state_->cancelled.exchange(true)) return;
  if (state_->watcher)
    state_->watcher->wake();
  else
    StopThread::wake(state_->thread.load());
}

void Instance::trim() noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<std::uintptr_t>(impl_->counter);
  if (at != 0 && at % page == 0 && impl_->life != Impl::Life::calling) ::madvise(impl_->counter, page, MADV_DONTNEED);
}

}  // namespace fusebox::engine
