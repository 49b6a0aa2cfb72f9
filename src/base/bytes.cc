#include "base/bytes.h"

#include <openssl/crypto.h>

#include <array>
#include <cstring>

namespace fusebox::base {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> digit_values(std::string_view digits) {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto kBase64Values = digit_values(kBase64Digits);
constexpr auto kHexValues = [] {
  auto values = digit_values(kHexDigits);
  for (std::uint8_t i = 0; i < 6; ++i) values[static_cast<std::size_t>('A') + i] = static_cast<std::uint8_t>(10 + i);
  return values;
}();

std::uint8_t value_in(const std::array<std::uint8_t, 256>& values, char digit) noexcept {
  return values[static_cast<unsigned char>(digit)];
}

// Length of the well-formed UTF-8 sequence at `at`, or 0. The ranges are those of the Unicode standard, table 3-7.
std::size_t utf8_sequence(const unsigned char* at, const unsigned char* end) noexcept {
  const unsigned char lead = *at;
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) second_min = 0xa0;  // overlong
    if (lead == 0xed) second_max = 0x9f;  // surrogates
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) second_min = 0x90;  // overlong
    if (lead == 0xf4) second_max = 0x8f;  // above U+10FFFF
  } else {
    return 0;
  }
  if (static_cast<std::size_t>(end - at) < size || at[1] < second_min || at[1] > second_max) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  return size;
}

const unsigned char* begin_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::size_t ascii_prefix(const unsigned char* at, const unsigned char* end) noexcept {
  const unsigned char* const start = at;
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    if ((word & 0x8080808080808080u) != 0) break;
    at += 8;
  }
  while (at != end && *at < 0x80) ++at;
  return static_cast<std::size_t>(at - start);
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<unsigned>(bytes[i]);
    out[2 * i] = kHexDigits[value >> 4];
    out[2 * i + 1] = kHexDigits[value & 15];
  }
  return out;
}

Result<Bytes> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) {
    return fail(Errc::invalid, "hexadecimal text has " + std::to_string(hex.size()) + " digits; two make one byte");
  }
  Bytes out(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const unsigned high = value_in(kHexValues, hex[i]);
    const unsigned low = value_in(kHexValues, hex[i + 1]);
    if (high == kNoDigit || low == kNoDigit) {
      const std::size_t at = high == kNoDigit ? i : i + 1;
      return fail(Errc::invalid,
                  "character " + std::to_string(at + 1) + " is no hexadecimal digit; allowed are 0-9, a-f and A-F");
    }
    out[i / 2] = static_cast<std::byte>(high << 4 | low);
  }
  return out;
}

std::string to_base64(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < have ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) out += j <= have ? kBase64Digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return fail(Errc::invalid, "base64 text has " + std::to_string(text.size()) +
                                   " characters; a multiple of 4 is needed, padded with =");
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t digits = i + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::uint8_t value = j < digits ? value_in(kBase64Values, text[i + j]) : std::uint8_t{0};
      if (value == kNoDigit) {
        return fail(Errc::invalid, "character " + std::to_string(i + j + 1) +
                                       " is no base64 digit; allowed are A-Z, a-z, 0-9, + and /");
      }
      group = group << 6 | value;
    }
    const std::size_t whole = digits - 1;
    // Two texts for the same bytes would be two names for one signature.
    if ((group & ((1u << (8 * (3 - whole))) - 1)) != 0) {
      return fail(Errc::invalid, "base64 text is not canonical: its last digit has unused bits set");
    }
    for (std::size_t j = 0; j < whole; ++j) out.push_back(static_cast<std::byte>(group >> (16 - 8 * j) & 0xff));
  }
  return out;
}

std::size_t utf8_valid_prefix(std::string_view text) noexcept {
  const unsigned char* const start = begin_of(text);
  const unsigned char* const end = start + text.size();
  const unsigned char* at = start;
  while (at != end) {
    at += ascii_prefix(at, end);
    if (at == end) break;
    const std::size_t size = utf8_sequence(at, end);
    if (size == 0) break;
    at += size;
  }
  return static_cast<std::size_t>(at - start);
}

bool is_utf8(std::string_view text) noexcept {
  return utf8_valid_prefix(text) == text.size();
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

std::string to_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = utf8_valid_prefix(text);
    out += text.substr(0, good);
    text.remove_prefix(good);
    if (text.empty()) break;
    out += "\xef\xbf\xbd";
    text.remove_prefix(1);
  }
  return out;
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fusebox::base
