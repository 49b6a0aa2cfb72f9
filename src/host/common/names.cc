#include "host/common/names.h"

#include <algorithm>

#include "base/bytes.h"

namespace fusebox::host {

namespace {

constexpr std::size_t kSnapshotIdBytesMax = 128;  // contract: [A-Za-z0-9][A-Za-z0-9._-]{0,127}
constexpr std::size_t kDigestDigits = 64;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::optional<std::string> vm_id_of(std::string_view name, base::Random& random) {
  if (name.size() > kVmIdBytesMax) return std::nullopt;
  if (name.empty()) return "vm-" + random_hex(random, 8);
  std::string id;
  for (const char c : name) {
    if (is_letter(c) || is_digit(c) || c == '-')
      id += lower(c);
    else if (!id.ends_with('-'))
      id += '-';
  }
  const std::size_t first = id.find_first_not_of('-');
  if (first == std::string::npos) return "vm";
  return id.substr(first, id.find_last_not_of('-') - first + 1);
}

bool is_snapshot_id(std::string_view text) noexcept {
  if (text.empty() || text.size() > kSnapshotIdBytesMax) return false;
  if (!is_letter(text[0]) && !is_digit(text[0])) return false;
  return std::ranges::all_of(text,
                             [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_digest(std::string_view text) noexcept {
  return text.size() == kDigestDigits &&
         std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

std::string random_hex(base::Random& random, std::size_t digits) {
  base::Bytes bytes((digits + 1) / 2);
  random.fill(bytes);
  return base::to_hex(bytes).substr(0, digits);
}

std::string rfc3339_seconds(base::Nanos wall) {
  std::string text = base::format_rfc3339(wall);
  if (const std::size_t dot = text.find('.'); dot != std::string::npos) text.replace(dot, std::string::npos, "Z");
  return text;
}

}  // namespace fusebox::host
