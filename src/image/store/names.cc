#include "image/store/names.h"

#include <algorithm>

#include "base/text.h"

namespace fusebox::image {
namespace {

bool starts_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool continues_name(char c) noexcept {
  return starts_name(c) || c == '.' || c == '-';
}

std::string fitted(std::string_view text, std::uint32_t bytes_max) {
  while (!text.empty() && !starts_name(text.front())) text.remove_prefix(1);
  std::string out;
  for (const char c : text.substr(0, bytes_max))
    if (continues_name(c)) out += c;
  return out;
}

}  // namespace

bool is_name(std::string_view text, std::uint32_t bytes_max) noexcept {
  return !text.empty() && text.size() <= bytes_max && starts_name(text.front()) &&
         std::ranges::all_of(text, continues_name);
}

base::Result<void> check_name(std::string_view what, std::string_view text, std::uint32_t bytes_max) {
  if (is_name(text, bytes_max)) return {};
  return base::fail(base::Errc::invalid,
                    std::string(what) + " " + base::in_quotes(text) + " is not 1 to " + std::to_string(bytes_max) +
                        " bytes of letters, digits, '_', '.' and '-' with no '.' or '-' at the start",
                    "BAD_NAME");
}

Reference suggested_reference(std::string_view foreign, std::uint32_t bytes_max) {
  foreign = foreign.substr(0, foreign.find('@'));  // a digest says nothing to people
  const std::string_view last = foreign.substr(foreign.rfind('/') + 1);
  const std::size_t colon = last.find(':');
  Reference out{fitted(last.substr(0, colon), bytes_max), {}};
  if (colon != std::string_view::npos) out.version = fitted(last.substr(colon + 1), bytes_max);
  return out;
}

base::Result<Entry> choose(std::span<const Entry> entries, const Reference& reference) {
  const Entry* best = nullptr;
  for (const Entry& entry : entries) {
    if (entry.name != reference.name) continue;
    if (!reference.version.empty() && entry.version != reference.version) continue;
    if (best == nullptr || version_less(best->version, entry.version)) best = &entry;
  }
  if (best != nullptr) return *best;
  const std::string name = reference.name + (reference.version.empty() ? "" : ":" + reference.version);
  return base::fail(base::Errc::not_found, "no image " + base::in_quotes(name) + " is stored");
}

}  // namespace fusebox::image
