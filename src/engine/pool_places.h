// How many instances may come from a pool, counted without threads sharing a cache line.
//
// Every thread takes from a share of its own first and from the others' when that is empty, so the count is exact and
// threads that come and go meet only then.
// Threads  any thread.
// Units    places, one for each instance.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace fusebox::engine {

class PoolPlaces {
 public:
  explicit PoolPlaces(std::uint32_t places = 0) noexcept;

  static constexpr std::uint8_t kNone = 0xff;
  // The share a place was taken from, for give_back(); kNone when all are taken.
  std::uint8_t take() noexcept;
  void give_back(std::uint8_t share) noexcept;

 private:
  static constexpr std::size_t kShares = 16;  // as many processors take places side by side
  struct alignas(64) Share {
    std::atomic<std::int32_t> left{0};
  };
  std::array<Share, kShares> shares_;
};

}  // namespace fusebox::engine
