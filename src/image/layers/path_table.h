// From the hash of a path to the node that may have it: open addressing, 8 bytes a place.
//
// The table does not know the paths: the caller says whether a candidate is the one that was meant.
//
// Threads  one thread at a time while it changes; afterwards any.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/tree.h"

namespace fusebox::image {

class PathTable {
 public:
  static constexpr Tree::NodeId kNone = 0xFFFF'FFFF;

  // Makes room for `count` nodes, so that as many insertions move nothing.
  explicit PathTable(std::size_t count = 0) : slots_(places_for(count)) {}

  template <class IsMeant>
  Tree::NodeId find(std::uint64_t hash, IsMeant&& is_meant) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.id == kNone) return kNone;
      if (slot.tag == tag_of(hash) && slot.id != kErased && is_meant(slot.id)) return slot.id;
    }
  }

  // `hash_of` gives the hash of a node that is already in the table.
  template <class HashOf>
  void insert(std::uint64_t hash, Tree::NodeId id, HashOf&& hash_of) {
    if (places_for(used_ + 1) > slots_.size()) rebuild(hash_of);
    place(hash, id);
  }

  void erase(std::uint64_t hash, Tree::NodeId id) noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].id != id) at = (at + 1) & mask;
    slots_[at].id = kErased;
    ++erased_;
  }

  std::size_t bytes() const noexcept { return slots_.size() * sizeof(Slot); }

 private:
  static constexpr Tree::NodeId kErased = 0xFFFF'FFFE;
  struct Slot {
    std::uint32_t tag = 0;
    Tree::NodeId id = kNone;
  };
  // At most two thirds are taken, so that a search ends soon.
  static std::size_t places_for(std::size_t count) noexcept { return std::bit_ceil(count + count / 2 + 2); }
  static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32); }

  void place(std::uint64_t hash, Tree::NodeId id) noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].id != kNone) at = (at + 1) & mask;
    slots_[at] = {tag_of(hash), id};
    ++used_;
  }
  template <class HashOf>
  void rebuild(HashOf&& hash_of) {
    PathTable larger(2 * (used_ - erased_) + 16);
    for (const Slot& slot : slots_) {
      if (slot.id < kErased) larger.place(hash_of(slot.id), slot.id);
    }
    *this = std::move(larger);
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;    // places that are not empty
  std::size_t erased_ = 0;  // of these
};

}  // namespace fusebox::image
