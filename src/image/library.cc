#include "image/library.h"

#include <algorithm>
#include <compare>

#include "base/text.h"
#include "image/store/names.h"

namespace fusebox::image {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// The run of digits, or of other bytes, that `text` starts with.
std::string_view first_run(std::string_view text) noexcept {
  const bool digits = is_digit(text.front());
  const auto end = std::ranges::find_if(text, [digits](char c) { return is_digit(c) != digits; });
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

// As numbers of any length: without leading zeros the longer one is the larger.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b) noexcept {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

// Unlike char, bytes order as unsigned numbers; string_view compares them so.
std::strong_ordering compare_runs(std::string_view a, std::string_view b) noexcept {
  if (is_digit(a.front()) && is_digit(b.front())) return compare_numbers(a, b);
  return a.compare(b) <=> 0;
}

}  // namespace

bool version_less(std::string_view a, std::string_view b) noexcept {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    const std::string_view run_a = first_run(a);
    const std::string_view run_b = first_run(b);
    if (const auto order = compare_runs(run_a, run_b); order != 0) return order < 0;
    a.remove_prefix(run_a.size());
    b.remove_prefix(run_b.size());
  }
  if (a.empty() != b.empty()) return a.empty();
  // The same numbers written with different zeros: an order all the same, so that "newest" is one version.
  if (whole_a.size() != whole_b.size()) return whole_a.size() < whole_b.size();
  return whole_a < whole_b;
}

base::Result<Reference> parse_reference(std::string_view text, std::uint32_t name_bytes_max) {
  const std::size_t colon = text.find(':');
  Reference reference{std::string(text.substr(0, colon)), {}};
  FB_CHECK(check_name("image name", reference.name, name_bytes_max));
  if (colon == std::string_view::npos) return reference;
  reference.version = text.substr(colon + 1);
  FB_CHECK(check_name("image version", reference.version, name_bytes_max));
  return reference;
}

}  // namespace fusebox::image
