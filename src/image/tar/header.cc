#include "image/tar/header.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace fusebox::image::tar {
namespace {

constexpr std::uint64_t kNumberMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kChecksumBytes = 8;

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\0';
}

std::optional<std::uint64_t> parse_digits(std::string_view digits, int base) noexcept {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (digits.empty() || error != std::errc() || stop != end || value > kNumberMax) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_base256(std::string_view field) noexcept {
  const auto first = static_cast<unsigned char>(field[0]);
  if ((first & 0x40u) != 0) return std::nullopt;  // the sign of a number in two's complement
  std::uint64_t value = first & 0x3Fu;
  for (const char c : field.substr(1)) {
    if (value > (kNumberMax >> 8)) return std::nullopt;
    value = (value << 8) | static_cast<unsigned char>(c);
  }
  return value;
}

std::uint64_t seconds_to_ns(std::uint64_t seconds) noexcept {
  return seconds > kNumberMax / kNanosPerSecond ? kNumberMax : seconds * kNanosPerSecond;
}

}  // namespace

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  return parse_digits(text, 10);
}

std::optional<std::uint64_t> parse_number(std::string_view field) noexcept {
  if (field.empty()) return 0;
  if ((static_cast<unsigned char>(field[0]) & 0x80u) != 0) return parse_base256(field);
  const auto begin = std::ranges::find_if_not(field, is_blank);
  const auto end = std::find_if(begin, field.end(), is_blank);
  if (begin == end) return 0;
  // What follows the digits' end is not looked at: some writers leave old bytes there.
  return parse_digits(
      field.substr(static_cast<std::size_t>(begin - field.begin()), static_cast<std::size_t>(end - begin)), 8);
}

std::optional<std::uint64_t> parse_pax_time(std::string_view text) noexcept {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const auto seconds = parse_decimal(text.substr(0, point));
  if (!seconds) return std::nullopt;
  std::uint64_t fraction = 0;
  if (point != std::string_view::npos) {
    const std::string_view digits = text.substr(point + 1);
    if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    std::uint64_t unit = kNanosPerSecond;
    for (const char c : digits.substr(0, 9)) fraction += (unit /= 10) * static_cast<std::uint64_t>(c - '0');
  }
  if (negative) return 0;
  const std::uint64_t whole = seconds_to_ns(*seconds);
  return fraction > kNumberMax - whole ? kNumberMax : whole + fraction;
}

std::optional<Header> Header::at(base::ByteView archive, std::uint64_t offset) noexcept {
  if (!base::in_bounds(offset, kBlockBytes, archive.size())) return std::nullopt;
  return Header(base::as_text(archive.subspan(offset, kBlockBytes)));
}

bool Header::is_zero() const noexcept {
  return block_[0] == '\0' && std::memcmp(block_.data(), block_.data() + 1, kBlockBytes - 1) == 0;
}

bool Header::checksum_matches() const noexcept {
  const std::string_view stored = field(kChecksumAt, kChecksumBytes);
  if (std::ranges::all_of(stored, is_blank)) return true;
  const auto wanted = parse_number(stored);
  if (!wanted) return false;
  std::int32_t sum = 0;
  std::int32_t high = 0;  // bytes that are negative where char is signed
  for (const char c : block_) {
    const auto byte = static_cast<unsigned char>(c);
    sum += byte;
    high += byte >> 7;
  }
  for (const char c : stored) {
    const auto byte = static_cast<unsigned char>(c);
    sum += ' ' - byte;
    high -= byte >> 7;
  }
  const auto value = static_cast<std::int64_t>(*wanted);
  return value == sum || value == sum - 256 * high;
}

std::uint64_t Header::modified_ns() const noexcept {
  return seconds_to_ns(parse_number(field(136, 12)).value_or(0));
}

std::string_view Header::prefix() const noexcept {
  return field(257, 6) == std::string_view("ustar\0", 6) ? text(345, 155) : std::string_view();
}

std::string_view Header::text(std::size_t from, std::size_t size) const noexcept {
  const std::string_view whole = field(from, size);
  return whole.substr(0, whole.find('\0'));
}

}  // namespace fusebox::image::tar
