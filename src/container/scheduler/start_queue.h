// Tasks in their first turns, and which of them is next. Internal to container/scheduler.
//
// A container takes three turns until it is where it wants to be: it asks for its image, it is made of it, and it computes
// until it waits for the first time. In a line, whoever comes last would wait three times for all before it, each of which
// may compute for a whole slice. So the one that was started last goes first, and every kOldestEvery-th place goes to the
// one that was started first: a single newcomer waits for a few turns however many are there, and nobody waits for ever.
//
// Owner    the scheduler; keeps its places.
// Threads  the scheduler's lock guards it.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "container/scheduler/place.h"

namespace fusebox::container {

class StartQueue {
 public:
  static constexpr std::uint32_t kFirstTurns = 3;   // load, make, compute
  static constexpr std::uint32_t kOldestEvery = 4;  // a newcomer's three turns fall between two such places

  bool empty() const noexcept { return waiting_.empty(); }
  void add(std::shared_ptr<Place> place) {
    const std::uint64_t number = place->number;
    waiting_.emplace(number, std::move(place));
  }
  // There must be one.
  std::shared_ptr<Place> take() {
    const bool oldest = ++taken_ % kOldestEvery == 0;
    const auto at = oldest ? waiting_.begin() : std::prev(waiting_.end());
    return std::move(waiting_.extract(at).mapped());
  }

 private:
  std::map<std::uint64_t, std::shared_ptr<Place>> waiting_;  // by the order of their starts
  std::uint32_t taken_ = 0;
};

}  // namespace fusebox::container
