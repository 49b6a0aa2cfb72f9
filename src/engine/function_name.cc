#include "engine/function_name.h"

#include <cstddef>
#include <optional>

#include "base/bytes.h"
#include "engine/call_limits.h"

namespace fusebox::engine {
namespace {

// Takes "<length><identifier>" off the front.
std::optional<std::string_view> take_identifier(std::string_view& rest) {
  std::size_t length = 0;
  std::size_t digits = 0;
  while (digits < rest.size() && digits < 4 && rest[digits] >= '0' && rest[digits] <= '9') {
    length = length * 10 + static_cast<std::size_t>(rest[digits++] - '0');
  }
  if (digits == 0 || length == 0 || length > rest.size() - digits) return std::nullopt;
  const std::string_view identifier = rest.substr(digits, length);
  rest.remove_prefix(digits + length);
  return identifier;
}

// Rust ends a legacy name with "h" and 16 hexadecimal digits that tell crates apart.
bool is_rust_hash(std::string_view identifier) {
  return identifier.size() == 17 && identifier[0] == 'h' &&
         identifier.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

std::string demangled(std::string_view name) {
  std::string_view rest = name;
  if (!rest.starts_with("_Z")) return std::string(name);
  rest.remove_prefix(2);
  const bool nested = rest.starts_with("N");
  if (nested) rest.remove_prefix(1);
  std::string out;
  do {
    const std::optional<std::string_view> identifier = take_identifier(rest);
    if (!identifier) return std::string(name);
    if (nested && is_rust_hash(*identifier) && rest == "E") return out;
    if (!out.empty()) out += "::";
    out += *identifier;
  } while (nested && !rest.starts_with("E"));
  return out;
}

}  // namespace

std::string readable_function_name(std::string_view name) {
  if (!base::is_utf8(name)) return {};
  return std::string(base::utf8_prefix(demangled(name), kFrameNameBytesMax));
}

}  // namespace fusebox::engine
