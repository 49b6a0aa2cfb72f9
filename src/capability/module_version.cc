#include "capability/module_version.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace fusebox::capability {
namespace {

constexpr std::size_t kVersionBytesMax = 128;  // no version in use comes near it

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_identifier(std::string_view text) {
  const auto allowed = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), allowed)) return false;
  return !is_number(text) || text.size() == 1 || text[0] != '0';
}

std::string_view next_part(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('.'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

bool read_number(std::string_view text, std::uint64_t& out) {
  if (!is_number(text) || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), out);
  return errc == std::errc{};
}

// Numbers sort below words and by value; words by their bytes.
std::strong_ordering compare_identifiers(std::string_view a, std::string_view b) {
  const bool a_number = is_number(a);
  const bool b_number = is_number(b);
  if (a_number != b_number) return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
  if (a_number && a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

}  // namespace

base::Result<ModuleVersion> ModuleVersion::parse(std::string_view text) {
  const auto refused =
      base::fail(base::Errc::invalid, "version " + base::in_quotes(text) +
                                          " is not of the form MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRE.RELEASE");
  if (text.size() > kVersionBytesMax) return refused;
  ModuleVersion version;
  const std::size_t dash = text.find('-');
  std::string_view core = text.substr(0, dash);
  if (std::count(core.begin(), core.end(), '.') != 2) return refused;
  for (std::uint64_t& number : version.numbers_) {
    if (!read_number(next_part(core), number)) return refused;
  }
  if (dash == std::string_view::npos) return version;
  std::string_view pre = text.substr(dash + 1);
  if (pre.empty() || pre.back() == '.') return refused;
  while (!pre.empty()) {
    const std::string_view part = next_part(pre);
    if (!is_identifier(part)) return refused;
    version.pre_.emplace_back(part);
  }
  return version;
}

std::string ModuleVersion::text() const {
  std::string out;
  for (const std::uint64_t number : numbers_) {
    if (!out.empty()) out += '.';
    out += std::to_string(number);
  }
  for (std::size_t i = 0; i < pre_.size(); ++i) {
    out += i == 0 ? '-' : '.';
    out += pre_[i];
  }
  return out;
}

std::strong_ordering ModuleVersion::operator<=>(const ModuleVersion& other) const {
  for (std::size_t i = 0; i < std::size(numbers_); ++i) {
    if (numbers_[i] != other.numbers_[i]) return numbers_[i] <=> other.numbers_[i];
  }
  if (pre_.empty() != other.pre_.empty())
    return pre_.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
  for (std::size_t i = 0; i < std::min(pre_.size(), other.pre_.size()); ++i) {
    const auto order = compare_identifiers(pre_[i], other.pre_[i]);
    if (order != 0) return order;
  }
  return pre_.size() <=> other.pre_.size();
}

}  // namespace fusebox::capability
