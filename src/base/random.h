// The seam for chance.
//
// Threads  SystemRandom: any thread. SeededRandom: one thread at a time.
// Errors   SystemRandom stops the process if the kernel cannot give random bytes: no caller could go on safely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fusebox::base {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> out) = 0;
  std::uint64_t next_u64();
  // Uniform in [0, bound); a bound of 0 stops the process.
  std::uint64_t below(std::uint64_t bound);
};

// getrandom(2).
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override;
};

// Repeatable; for simulation and tests. Not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}
  void fill(std::span<std::byte> out) override;

 private:
  std::uint64_t state_;
};

}  // namespace fusebox::base
