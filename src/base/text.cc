#include "base/text.h"

#include "base/bytes.h"
#include "base/json_text.h"

namespace fusebox::base {
namespace {

constexpr std::size_t kQuotedBytesMax = 64;  // longer foreign text drowns the sentence it stands in

}  // namespace

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > kQuotedBytesMax;
  // A character that straddles the cut is whole before the replacement of invalid bytes and dropped after it.
  std::string clean = to_utf8(text.substr(0, kQuotedBytesMax + 3));
  if (cut) clean = std::string(utf8_prefix(clean, kQuotedBytesMax)).append("...");
  std::string out;
  json::append_quoted(out, clean);
  return out;
}

}  // namespace fusebox::base
