#include "base/json_string.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace fusebox::base::json {
namespace {

constexpr std::string_view kUnclosed = "string has no closing quote";
constexpr std::string_view kControl =
    "string holds a bare control character; write it as an escape such as \\n or \\u0001";
constexpr std::string_view kNotUtf8 = "string is not valid UTF-8";
constexpr std::string_view kBadEscape =
    "unknown escape; allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits";
constexpr std::string_view kBadHex = "\\u needs four hexadecimal digits";
constexpr std::string_view kSurrogate =
    "\\u names half of a surrogate pair; both halves are needed, the high one first";

bool is_special(char c) noexcept {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

// Eight bytes at a time: whether any is a quote, a backslash or a control character (may err only towards "yes").
bool has_special(std::uint64_t word) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kTops = 0x8080808080808080u;
  const auto zero_byte = [](std::uint64_t x) { return (x - kOnes) & ~x & kTops; };
  return (zero_byte(word ^ kOnes * '"') | zero_byte(word ^ kOnes * '\\') | ((word - kOnes * 0x20) & ~word & kTops)) !=
         0;
}

std::size_t plain_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (text.size() - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    if (has_special(word)) break;
    at += 8;
  }
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

// Four hexadecimal digits at the start of `text`, or a value no code unit has.
constexpr std::uint32_t kNoUnit = 0x10000;
std::uint32_t code_unit(std::string_view text) noexcept {
  if (text.size() < 4) return kNoUnit;
  std::uint32_t unit = 0;
  for (const char c : text.substr(0, 4)) {
    if (c >= '0' && c <= '9') {
      unit = unit << 4 | static_cast<std::uint32_t>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      unit = unit << 4 | static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
    } else {
      return kNoUnit;
    }
  }
  return unit;
}

struct Escape {
  std::size_t size = 0;  // bytes taken from the backslash on
  std::string_view error;
};

Escape decode_unicode(std::string_view rest, std::string& out) {
  const std::uint32_t first = code_unit(rest.substr(2));
  if (first == kNoUnit) return {0, kBadHex};
  if (first < 0xd800 || first > 0xdfff) {
    append_utf8(out, first);
    return {6, {}};
  }
  const std::uint32_t second = rest.substr(6).starts_with("\\u") ? code_unit(rest.substr(8)) : kNoUnit;
  if (first > 0xdbff || second < 0xdc00 || second > 0xdfff) return {0, kSurrogate};
  append_utf8(out, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
  return {12, {}};
}

// `rest` starts with a backslash.
Escape decode_escape(std::string_view rest, std::string& out) {
  if (rest.size() < 2) return {1, kUnclosed};
  if (rest[1] == 'u') return decode_unicode(rest, out);
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const std::size_t which = kLetters.find(rest[1]);
  if (which == std::string_view::npos) return {0, kBadEscape};
  out += kMeanings[which];
  return {2, {}};
}

}  // namespace

ScannedString scan_string(std::string_view rest, std::string& scratch) {
  ScannedString scanned;
  std::size_t at = 1;
  std::size_t copied = 1;
  for (;;) {
    at += plain_prefix(rest.substr(at));
    if (at == rest.size()) return {{}, at, false, kUnclosed};
    if (rest[at] == '"') break;
    if (rest[at] != '\\') return {{}, at, false, kControl};
    if (!scanned.in_scratch) scratch.clear();
    scanned.in_scratch = true;
    scratch.append(rest.substr(copied, at - copied));
    const Escape escape = decode_escape(rest.substr(at), scratch);
    if (!escape.error.empty()) return {{}, at + escape.size, false, escape.error};
    at += escape.size;
    copied = at;
  }
  // Escapes decode to whole characters, so the raw bytes are what can be wrong.
  const std::string_view raw = rest.substr(1, at - 1);
  if (const std::size_t valid = utf8_valid_prefix(raw); valid != raw.size()) return {{}, 1 + valid, false, kNotUtf8};
  if (scanned.in_scratch) scratch.append(rest.substr(copied, at - copied));
  scanned.text = scanned.in_scratch ? std::string_view(scratch) : raw;
  scanned.size = at + 1;
  return scanned;
}

}  // namespace fusebox::base::json
