#include "capability/running_slots.h"

#include <functional>
#include <thread>

namespace fusebox::capability {

RunningSlots::Claim::~Claim() {
  if (slot_ == nullptr) return;
  {
    const std::lock_guard lock(slot_->mutex);
    slot_->handle.reset();
    slot_->id = {};
  }
  slot_->taken.store(false, std::memory_order_release);
}

void RunningSlots::Claim::attach(engine::StopHandle handle) {
  const std::lock_guard lock(slot_->mutex);
  slot_->handle = std::move(handle);
  // A cancel that came before there was anything to stop.
  if (slot_->cancelled.load(std::memory_order_relaxed)) slot_->handle->cancel();
}

std::optional<RunningSlots::Claim> RunningSlots::claim(const ExecutionId& id) {
  // Threads start at different slots, so that they do not fight over the first ones.
  const std::size_t start = std::hash<std::thread::id>{}(std::this_thread::get_id()) >> 12;
  for (std::size_t i = 0; i < count_; ++i) {
    Slot& slot = slots_[(start + i) % count_];
    if (slot.taken.load(std::memory_order_relaxed) || slot.taken.exchange(true, std::memory_order_acquire)) continue;
    const std::lock_guard lock(slot.mutex);
    slot.cancelled.store(false, std::memory_order_relaxed);
    slot.id = id;
    return Claim(slot);
  }
  return std::nullopt;
}

template <class Matches>
std::size_t RunningSlots::cancel_where(const Matches& matches) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    Slot& slot = slots_[i];
    if (!slot.taken.load(std::memory_order_acquire)) continue;
    const std::lock_guard lock(slot.mutex);
    // Between claim() and its lock, and after ~Claim() took it, the slot has no id.
    if (slot.id == ExecutionId{} || !matches(slot.id)) continue;
    slot.cancelled.store(true, std::memory_order_relaxed);
    if (slot.handle) slot.handle->cancel();
    ++found;
  }
  return found;
}

bool RunningSlots::cancel(const ExecutionId& id) {
  return cancel_where([&](const ExecutionId& running) { return running == id; }) != 0;
}

std::size_t RunningSlots::cancel_all() {
  return cancel_where([](const ExecutionId&) { return true; });
}

std::size_t RunningSlots::running() const noexcept {
  std::size_t taken = 0;
  for (std::size_t i = 0; i < count_; ++i) taken += slots_[i].taken.load(std::memory_order_relaxed) ? 1 : 0;
  return taken;
}

}  // namespace fusebox::capability
