#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fatal.h"

namespace fusebox::base {

std::uint64_t Random::next_u64() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) fatal("Random::below: the bound is 0");
  // 2^64 mod bound values at the bottom would make the first remainders likelier than the rest: draw again for those.
  const std::uint64_t uneven = (0 - bound) % bound;
  std::uint64_t value = next_u64();
  while (value < uneven) value = next_u64();
  return value % bound;
}

void SystemRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fatal("getrandom gave no random bytes");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void SeededRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    // SplitMix64: one addition and three mixes a word, every seed is a good seed.
    std::uint64_t word = state_ += 0x9e3779b97f4a7c15u;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    word ^= word >> 31;
    const std::size_t size = std::min(out.size(), sizeof word);
    std::memcpy(out.data(), &word, size);
    out = out.subspan(size);
  }
}

}  // namespace fusebox::base
