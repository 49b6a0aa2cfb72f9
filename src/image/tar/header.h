// One 512-byte header block of a tar archive, read field by field.
//
// Owner    a view into the archive.
// Threads  pure functions.
// Contract containers.md 14.1
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace fusebox::image::tar {

inline constexpr std::size_t kBlockBytes = 512;

constexpr std::uint64_t padded(std::uint64_t size) noexcept {  // size must be in an archive, so this cannot wrap
  return (size + (kBlockBytes - 1)) / kBlockBytes * kBlockBytes;
}

// Octal with leading blanks, ended by a blank or NUL; or base-256 where the top bit is set. All blank: 0. Nothing for
// another text, a negative number or one above 2^63 - 1.
std::optional<std::uint64_t> parse_number(std::string_view field) noexcept;
// "12", "12.5": nanoseconds since the epoch; a time before it is the epoch. Nothing for another text.
std::optional<std::uint64_t> parse_pax_time(std::string_view text) noexcept;
// Decimal digits only, at most 2^63 - 1.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

class Header {
 public:
  // Nothing where less than a block is left.
  static std::optional<Header> at(base::ByteView archive, std::uint64_t offset) noexcept;

  bool is_zero() const noexcept;
  bool has_magic() const noexcept { return field(257, 5) == "ustar"; }
  // A blank field matches too; the sum may have been made of signed or unsigned bytes.
  bool checksum_matches() const noexcept;

  std::string_view name() const noexcept { return text(0, 100); }
  std::optional<std::uint64_t> size() const noexcept { return parse_number(field(124, 12)); }
  std::uint64_t modified_ns() const noexcept;  // 0 where the field makes no sense: nothing depends on it
  char flag() const noexcept { return block_[156]; }
  std::string_view link() const noexcept { return text(157, 100); }
  std::string_view prefix() const noexcept;  // only where the magic says that there is one

 private:
  explicit Header(std::string_view block) noexcept : block_(block) {}
  std::string_view field(std::size_t from, std::size_t size) const noexcept { return block_.substr(from, size); }
  std::string_view text(std::size_t from, std::size_t size) const noexcept;  // to the first NUL
  std::string_view block_;
};

}  // namespace fusebox::image::tar
