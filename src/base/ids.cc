#include "base/ids.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "base/bytes.h"
#include "base/text.h"

namespace fusebox::base {
namespace {

using Number = unsigned __int128;  // an id without its fixed bits: milliseconds, then random bits

constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kUlidCharacters = 26;
constexpr unsigned kUuidRandomBits = 74;
constexpr unsigned kUlidRandomBits = 80;
constexpr Number kOne = 1;

Number from_bytes(std::span<const std::byte, 16> bytes) noexcept {
  Number value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<unsigned>(byte);
  return value;
}

std::array<std::byte, 16> to_bytes(Number value) noexcept {
  std::array<std::byte, 16> bytes{};
  for (std::size_t i = bytes.size(); i-- > 0; value >>= 8) bytes[i] = static_cast<std::byte>(value & 0xff);
  return bytes;
}

// RFC 9562 section 5.7: 48 bits of milliseconds, version 0111, 12 bits, variant 10, 62 bits.
constexpr Number kLow62 = (kOne << 62) - 1;
Number without_fixed_bits(Number uuid) noexcept {
  return (uuid >> 80) << kUuidRandomBits | (uuid >> 64 & 0xfff) << 62 | (uuid & kLow62);
}
Number with_fixed_bits(Number value) noexcept {
  return (value >> kUuidRandomBits) << 80 | Number{7} << 76 | (value >> 62 & 0xfff) << 64 | Number{2} << 62 |
         (value & kLow62);
}

// Larger than `last`. When the clock has not moved on, by a random step: the next id then is not the last one plus one,
// and the carry into the milliseconds, should it ever come, keeps the order.
Number next_after(Number last, const Clock& clock, Random& random, unsigned random_bits) {
  const std::int64_t wall_ms =
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall()).count());
  std::array<std::byte, 16> bits{};
  random.fill(bits);
  const Number chance = from_bytes(bits);
  const Number fresh = static_cast<Number>(wall_ms) << random_bits | (chance & ((kOne << random_bits) - 1));
  const Number step = 1 + (chance & 0xffff'ffff);
  return std::max(fresh, last + step);
}

int crockford_value(char c) noexcept {
  const auto upper = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper == 'O') return 0;
  if (upper == 'I' || upper == 'L') return 1;
  const std::size_t at = kCrockford.find(upper);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::string Uuid::text() const {
  std::string out = to_hex(bytes);
  for (const std::size_t at : {8u, 13u, 18u, 23u}) out.insert(at, 1, '-');
  return out;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid, "id " + in_quotes(text) +
                                   " is no UUID; allowed is a text such as 0199aa00-0000-7000-8000-000000000000");
  };
  if (text.size() != 36) return refuse();
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return refuse();
    if (!dash) digits += text[i];
  }
  const Result<Bytes> bytes = from_hex(digits);
  if (!bytes) return refuse();
  Uuid out;
  std::ranges::copy(*bytes, out.bytes.begin());
  return out;
}

std::string Ulid::text() const {
  std::string out(kUlidCharacters, '0');
  Number value = from_bytes(bytes);
  for (std::size_t i = out.size(); i-- > 0; value >>= 5) out[i] = kCrockford[static_cast<std::size_t>(value & 31)];
  return out;
}

Result<Ulid> Ulid::parse(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid,
                "id " + in_quotes(text) +
                    " is no ULID; allowed are 26 characters of 0-9 and A-Z without I, L, O and U, up to 7ZZZ...");
  };
  // 26 characters hold 130 bits: the first may use three of its five.
  if (text.size() != kUlidCharacters || crockford_value(text.front()) > 7) return refuse();
  Number value = 0;
  for (const char c : text) {
    const int digit = crockford_value(c);
    if (digit < 0) return refuse();
    value = value << 5 | static_cast<unsigned>(digit);
  }
  return Ulid{to_bytes(value)};
}

Uuid IdSource::uuid() {
  const std::lock_guard lock(mutex_);
  const Number last = without_fixed_bits(from_bytes(last_uuid_.bytes));
  last_uuid_ = Uuid{to_bytes(with_fixed_bits(next_after(last, clock_, random_, kUuidRandomBits)))};
  return last_uuid_;
}

Ulid IdSource::ulid() {
  const std::lock_guard lock(mutex_);
  last_ulid_ = Ulid{to_bytes(next_after(from_bytes(last_ulid_.bytes), clock_, random_, kUlidRandomBits))};
  return last_ulid_;
}

}  // namespace fusebox::base
