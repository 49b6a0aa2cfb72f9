#include "edge/core/due_queue.h"

namespace fusebox::edge {

bool DueQueue::before(std::uint16_t a, std::uint16_t b) const {
  return slots_[a].wait_until != slots_[b].wait_until ? slots_[a].wait_until < slots_[b].wait_until : a < b;
}

void DueQueue::place(std::uint32_t at, std::uint16_t slot) {
  places_[at] = slot;
  slots_[slot].queue_at = static_cast<std::uint16_t>(at);
}

void DueQueue::rise(std::uint32_t at) {
  const std::uint16_t slot = places_[at];
  while (at > 0) {
    const std::uint32_t parent = (at - 1) / 2;
    if (!before(slot, places_[parent])) break;
    place(at, places_[parent]);
    at = parent;
  }
  place(at, slot);
}

void DueQueue::sink(std::uint32_t at) {
  const std::uint16_t slot = places_[at];
  for (;;) {
    std::uint32_t child = 2 * at + 1;
    if (child >= size_) break;
    if (child + 1 < size_ && before(places_[child + 1], places_[child])) ++child;
    if (!before(places_[child], slot)) break;
    place(at, places_[child]);
    at = child;
  }
  place(at, slot);
}

void DueQueue::insert(std::uint16_t slot) {
  place(size_, slot);
  rise(size_++);
}

void DueQueue::remove(std::uint16_t slot) {
  const std::uint32_t at = slots_[slot].queue_at;
  if (at == Slot::kNotQueued) return;
  slots_[slot].queue_at = Slot::kNotQueued;
  if (at == --size_) return;
  place(at, places_[size_]);
  rise(at);
  sink(at);
}

void DueQueue::forget_keys() {
  for (std::uint32_t i = 0; i < size_; ++i) slots_[places_[i]].wait_until = 0;
  for (std::uint32_t i = size_ / 2; i-- > 0;) sink(i);
}

}  // namespace fusebox::edge
