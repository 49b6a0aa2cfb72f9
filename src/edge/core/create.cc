#include <new>

#include "edge/core/core.h"

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kLifecycleBudgetUs = 1'000'000;
constexpr std::uint32_t kModulesDefault = FUSE_MAX_MODULES;
constexpr std::uint32_t kProbationSteps = 3;
constexpr std::uint32_t kEvidenceEntries = 64;
#if defined(__arm__) || defined(FUSEBOX_BARE)
constexpr std::uint32_t kStackFloorBytes = 16u << 10;
#else
constexpr std::uint32_t kStackFloorBytes = 1u << 20;
#endif

void use_default(std::uint32_t& field, std::uint32_t value) {
  if (field == 0) field = value;
}

// False when a field is out of range.
bool complete(fuse_options_t& options) {
  use_default(options.lifecycle_budget_us, kLifecycleBudgetUs);
  use_default(options.stack_floor_bytes, kStackFloorBytes);
  use_default(options.memory_pages_cap, kPagesMax);
  use_default(options.max_modules, kModulesDefault);
  use_default(options.update_probation_steps, kProbationSteps);
  use_default(options.evidence_entries, kEvidenceEntries);
  return options.memory_pages_cap <= kPagesMax && options.max_modules <= kModulesMax && options.wamr_heap_compat <= 1 &&
         options.strict_policy <= 1 && options.strict_imports <= 1;
}

template <typename T>
T* take_zeroed(Pool& pool, std::size_t count) {
  T* out = pool.take_array<T>(count);
  if (out != nullptr) {
    for (std::size_t i = 0; i < count; ++i) new (out + i) T{};
  }
  return out;
}

}  // namespace

fuse_stat_t Runtime::create(const Setup& setup, Runtime** out) {
  if (setup.module_memory == nullptr || setup.module_memory_size == 0 || setup.log_memory == nullptr ||
      setup.log_memory_size == 0 || setup.backend == nullptr || setup.port == nullptr || out == nullptr) {
    return FUSE_ERR_INVALID_ARG;
  }
  fuse_options_t options = setup.options;
  if (!complete(options)) {
    setup.port->note_error(
        "options: memory_pages_cap is at most 65536, max_modules at most 4096, and flags are 0 or 1");
    return FUSE_ERR_INVALID_ARG;
  }
  Pool pool(setup.module_memory, setup.module_memory_size);
  void* place = pool.take(sizeof(Core));
  if (place == nullptr) {
    setup.port->note_error("module memory is too small for the runtime itself; give at least 16 KiB");
    return FUSE_ERR_MODULE_LOAD_FAILED;
  }
  Core* core = new (place) Core();
  if (const fuse_stat_t status = core->open(setup, options, pool); status != FUSE_SUCCESS) return status;
  *out = core;
  return FUSE_SUCCESS;
}

void Runtime::destroy(Runtime* runtime) {
  if (runtime != nullptr) core_of(*runtime).close();
}

fuse_stat_t Core::open(const Setup& setup, const fuse_options_t& options, Pool pool) {
  port_ = setup.port;
  backend_ = setup.backend;
  inputs_ = setup.inputs;
  hal_ = setup.hal;
  hal_mask_ = setup.hal_mask;
  options_ = options;
  pool_ = pool;
  asker_fences_ = port_->fence_all();

  // Where the pool is small, modules come before evidence, and fewer of each are better than none.
  for (slot_count_ = options_.max_modules; slot_count_ > 0; slot_count_ /= 2) {
    words_ = (slot_count_ + 31) / 32;
    Pool tried = pool_;
    // Taken as one block, so that a try that does not fit leaves the pool as it was.
    const std::size_t sets = std::size_t{words_} * sizeof(std::uint32_t) * (3 + 1 + kEvents);
    const std::size_t queue = (slot_count_ * sizeof(std::uint16_t) + Pool::kAlign - 1) / Pool::kAlign * Pool::kAlign;
    const std::size_t slots = slot_count_ * sizeof(Slot);
    auto* block = static_cast<std::uint8_t*>(tried.take(slots + queue + sets));
    if (block == nullptr) continue;
    pool_ = tried;
    slots_ = reinterpret_cast<Slot*>(block);
    for (std::uint32_t i = 0; i < slot_count_; ++i) new (slots_ + i) Slot{};
    queue_.open(slots_, reinterpret_cast<std::uint16_t*>(block + slots));
    auto* words = reinterpret_cast<std::uint32_t*>(block + slots + queue);
    for (std::uint32_t i = 0; i < words_ * (3 + 1 + kEvents); ++i) new (words + i) std::uint32_t{0};
    ready_.open(words);
    always_.open(words + words_);
    restarting_.open(words + 2 * words_);
    auto* atomics = words + 3 * words_;
    for (std::uint32_t i = 0; i < words_ * (1 + kEvents); ++i) new (atomics + i) AtomicSlotSet::Word{0};
    pending_.open(reinterpret_cast<AtomicSlotSet::Word*>(atomics));
    subscribers_ = reinterpret_cast<AtomicSlotSet::Word*>(atomics + words_);
    break;
  }
  if (slot_count_ == 0) words_ = 0;

  std::size_t capacity = setup.log_memory_size / sizeof(fuse_log_entry_t);
  if (capacity > UINT32_MAX) capacity = UINT32_MAX;
  auto* origins = take_zeroed<std::uint8_t>(pool_, (capacity + 7) / 8);
  if (origins == nullptr) capacity = 0;
  std::uint32_t evidence_capacity = options_.evidence_entries;
  // The rest of the pool is for modules: evidence takes a quarter at most.
  const std::size_t room = pool_.free_bytes() / 4 / sizeof(fuse_log_record_t);
  if (evidence_capacity > room) evidence_capacity = static_cast<std::uint32_t>(room);
  auto* evidence = take_zeroed<fuse_log_record_t>(pool_, evidence_capacity);
  if (evidence == nullptr) evidence_capacity = 0;
  ring_.open(setup.log_memory, static_cast<std::uint32_t>(capacity), origins, evidence, evidence_capacity);

  if (!port_->enter()) {
    port_->note_error("fuse_init: called from a HAL callback");
    return FUSE_ERR_INVALID_ARG;
  }
  running_ = true;
  write_log(kNobody, FUSE_LOG_INFO, Text("FUSE runtime initialised"));
  port_->leave();
  return FUSE_SUCCESS;
}

void Core::close() {
  if (!port_->enter()) return;
  for (std::uint32_t id = 0; id < slot_count_; ++id) {
    if (slots_[id].in_use) unload(slots_[id]);
  }
  closed_ = true;  // whoever comes too late finds nothing, and loads nothing
  port_->leave();
}

}  // namespace fusebox::edge
