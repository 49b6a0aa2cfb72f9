#include "base/base64url.h"

#include <algorithm>

namespace fusebox::base {

std::string to_base64url(ByteView bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

Result<Bytes> from_base64url(std::string_view text) {
  if (const std::size_t bad = text.find_first_of("+/="); bad != std::string_view::npos) {
    return fail(Errc::invalid,
                "character " + std::to_string(bad + 1) + " is no base64url digit; allowed are A-Z, a-z, 0-9, - and _");
  }
  std::string standard(text);
  std::ranges::replace(standard, '-', '+');
  std::ranges::replace(standard, '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return from_base64(standard);
}

}  // namespace fusebox::base
