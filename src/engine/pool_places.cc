#include "engine/pool_places.h"

#include <functional>
#include <thread>

namespace fusebox::engine {

PoolPlaces::PoolPlaces(std::uint32_t places) noexcept {
  for (std::size_t i = 0; i < kShares; ++i) {
    shares_[i].left.store(static_cast<std::int32_t>(places / kShares + (i < places % kShares ? 1 : 0)),
                          std::memory_order_relaxed);
  }
}

std::uint8_t PoolPlaces::take() noexcept {
  // Thread ids are addresses: the low bits are the same for all of them.
  const std::size_t hash = std::hash<std::thread::id>{}(std::this_thread::get_id());
  const std::size_t home = hash ^ hash >> 12 ^ hash >> 24;
  for (std::size_t i = 0; i < kShares; ++i) {
    const std::size_t share = (home + i) % kShares;
    std::atomic<std::int32_t>& left = shares_[share].left;
    std::int32_t seen = left.load(std::memory_order_relaxed);
    while (seen > 0) {
      if (left.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed))
        return static_cast<std::uint8_t>(share);
    }
  }
  return kNone;
}

void PoolPlaces::give_back(std::uint8_t share) noexcept {
  shares_[share].left.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace fusebox::engine
