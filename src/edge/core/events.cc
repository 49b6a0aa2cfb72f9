// What interrupts may call: nothing here takes a lock or reads the log.
#include "edge/core/core.h"

namespace fusebox::edge {

void Core::post(std::uint32_t event, std::uint32_t source) {
  const std::uint32_t bit = 1u << event;
  for (std::uint32_t w = 0; w < words_; ++w) {
    each_slot(subscribers_[event * words_ + w].load(std::memory_order_acquire), w, [&](std::uint32_t id) {
      Slot& slot = slots_[id];
      slot.last_source.store(source, std::memory_order_relaxed);
      if ((slot.latch.fetch_or(bit) & bit) != 0) slot.coalesced.fetch_add(1, std::memory_order_relaxed);
      // After the latch: whoever sees the slot pending sees the event.
      pending_.add(id);
    });
  }
}

void Core::clear(std::uint32_t event) {
  const std::uint32_t bit = 1u << event;
  for (std::uint32_t w = 0; w < words_; ++w) {
    each_slot(subscribers_[event * words_ + w].load(std::memory_order_acquire), w, [&](std::uint32_t id) {
      // The claim first: a step that fails gives its claim back to the latch.
      slots_[id].claim.fetch_and(~bit);
      slots_[id].latch.fetch_and(~bit);
      slots_[id].claim.fetch_and(~bit);  // of a step that took it between the two
    });
  }
}

void Core::expire(std::uint32_t id) {
  if (id >= slot_count_) return;
  // Counted, so that the instance is not released between the look at the window and the interrupt (settle()).
  expiring_.fetch_add(1);
  Slot& slot = slots_[id];
  const std::uint32_t call = slot.window.in_flight();
  if (call != StopWindow::kNoCall && slot.window.ask(call)) {
    if (asker_fences_) port_->fence_all();
    if (slot.window.is_open(call)) backend_->interrupt(*slot.body.instance);
  }
  expiring_.fetch_sub(1);
}

fuse_stat_t Runtime::post_event(std::uint32_t event_id) {
  if (event_id >= kEvents) return FUSE_ERR_INVALID_ARG;
  core_of(*this).post(event_id, kNobody);
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::clear_event(std::uint32_t event_id) {
  if (event_id >= kEvents) return FUSE_ERR_INVALID_ARG;
  core_of(*this).clear(event_id);
  return FUSE_SUCCESS;
}

void Runtime::quota_expired(fuse_module_id_t id) {
  core_of(*this).expire(id);
}

}  // namespace fusebox::edge
