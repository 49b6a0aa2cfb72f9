// A set of slots, one bit each. AtomicSlotSet may be written from interrupts.
//
// Owner    the words are the caller's.
// Threads  SlotSet: one at a time. AtomicSlotSet: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace fusebox::edge {

// Visits the slots of word `index` whose bits are set, lowest first; a slot dropped meanwhile is visited all the same.
template <typename Visit>
void each_slot(std::uint32_t word, std::uint32_t index, Visit visit) {
  for (; word != 0; word &= word - 1) visit(index * 32 + static_cast<std::uint32_t>(__builtin_ctz(word)));
}

class SlotSet {
 public:
  void open(std::uint32_t* words) { words_ = words; }
  bool has(std::uint32_t slot) const { return (words_[slot >> 5] >> (slot & 31) & 1) != 0; }
  void add(std::uint32_t slot) { words_[slot >> 5] |= 1u << (slot & 31); }
  void drop(std::uint32_t slot) { words_[slot >> 5] &= ~(1u << (slot & 31)); }
  std::uint32_t word(std::uint32_t index) const { return words_[index]; }

 private:
  std::uint32_t* words_ = nullptr;
};

class AtomicSlotSet {
 public:
  using Word = std::atomic<std::uint32_t>;
  void open(Word* words) { words_ = words; }
  void add(std::uint32_t slot) { words_[slot >> 5].fetch_or(1u << (slot & 31), std::memory_order_release); }
  void drop(std::uint32_t slot) {
    const std::uint32_t bit = 1u << (slot & 31);
    if ((words_[slot >> 5].load(std::memory_order_relaxed) & bit) != 0) {
      words_[slot >> 5].fetch_and(~bit, std::memory_order_acquire);
    }
  }
  std::uint32_t word(std::uint32_t index) const { return words_[index].load(std::memory_order_acquire); }

 private:
  Word* words_ = nullptr;
};

}  // namespace fusebox::edge
