// The hash of a path, made from the hash of its directory and its last component: all prefixes come on the way.
//
// Keyed with chance, so that nobody can write an archive whose paths all fall on one place of the table.
//
// Threads  immutable: any.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/random.h"

namespace fusebox::image {

class PathHash {
 public:
  explicit PathHash(base::Random& random) noexcept : root_(random.next_u64()), factor_(random.next_u64() | 1) {}

  std::uint64_t root() const noexcept { return root_; }

  std::uint64_t child(std::uint64_t directory, std::string_view name) const noexcept {
    std::uint64_t hash = directory;
    std::size_t at = 0;
    for (; name.size() - at > 8; at += 8) hash = mix(hash ^ load<std::uint64_t>(name.data() + at));
    return mix((hash ^ tail(name.data() + at, name.size() - at)) + name.size());
  }

 private:
  template <class Word>
  static std::uint64_t load(const char* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  // The last 1 to 8 bytes, by two loads that may overlap.
  static std::uint64_t tail(const char* from, std::size_t size) noexcept {
    if (size >= 4) return load<std::uint32_t>(from) << 32 | load<std::uint32_t>(from + size - 4);
    if (size == 0) return 0;
    return load<std::uint8_t>(from) << 16 | load<std::uint8_t>(from + size / 2) << 8 |
           load<std::uint8_t>(from + size - 1);
  }
  std::uint64_t mix(std::uint64_t value) const noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(value) * factor_;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  std::uint64_t root_;
  std::uint64_t factor_;
};

}  // namespace fusebox::image
