// Which timed module is due first: a binary heap over slots, so that an idle tick looks at one of them.
//
// Owner    the array is the caller's. Slots keep their own place (Slot::queue_at) for removal.
// Threads  one at a time.
#pragma once

#include <cstdint>

#include "edge/core/slot.h"

namespace fusebox::edge {

class DueQueue {
 public:
  void open(Slot* slots, std::uint16_t* places) {
    slots_ = slots;
    places_ = places;
    size_ = 0;
  }
  std::uint32_t size() const { return size_; }
  // The slot with the least wait_until, the lowest of several.
  std::uint16_t first() const { return places_[0]; }
  std::uint64_t first_key_us() const { return slots_[places_[0]].wait_until; }

  // Not queued before; wait_until is set.
  void insert(std::uint16_t slot);
  // Without effect when it is not queued.
  void remove(std::uint16_t slot);
  // The clock went back: nobody's key holds any more; each is looked at once.
  void forget_keys();

 private:
  bool before(std::uint16_t a, std::uint16_t b) const;
  void place(std::uint32_t at, std::uint16_t slot);
  void rise(std::uint32_t at);
  void sink(std::uint32_t at);

  Slot* slots_ = nullptr;
  std::uint16_t* places_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace fusebox::edge
