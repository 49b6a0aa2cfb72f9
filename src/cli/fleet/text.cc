#include "cli/fleet/text.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/bytes.h"
#include "base/text.h"
#include "base/units.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

std::string of_option(std::string_view option, std::string_view message) {
  return std::string(option) + ": " + std::string(message);
}

base::Result<std::int64_t> duration_in(std::string_view option, std::string_view text, std::int64_t unit_ns,
                                       const char* unit) {
  const std::string with_unit = all_digits(text) ? std::string(text) + "s" : std::string(text);
  FB_TRY(const auto duration, base::within(option, base::parse_duration(with_unit)));
  if (duration.count() % unit_ns != 0)
    return base::fail(Errc::invalid, of_option(option, base::in_quotes(text) + " is no whole number of " + unit));
  return duration.count() / unit_ns;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out = base::to_utf8(text);
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '?';
  // U+0080 to U+009F are C2 80 to C2 9F: some terminals obey them.
  for (std::size_t i = 0; i + 1 < out.size(); ++i)
    if (out[i] == '\xC2' && static_cast<unsigned char>(out[i + 1]) < 0xA0) out.replace(i, 2, "?");
  return out;
}

base::Result<Pair> key_value(std::string_view option, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == text.npos || equals == 0)
    return base::fail(Errc::invalid, of_option(option, base::in_quotes(text) + " is not of the form KEY=VALUE"));
  return Pair{text.substr(0, equals), text.substr(equals + 1)};
}

base::Result<std::int64_t> size_in(std::string_view option, std::string_view text, std::uint64_t unit_bytes) {
  if (all_digits(text)) return whole_number(option, text, 0, std::numeric_limits<std::int32_t>::max());
  FB_TRY(const std::uint64_t bytes, base::within(option, base::parse_size(text)));
  if (bytes % unit_bytes != 0)
    return base::fail(Errc::invalid,
                      of_option(option, base::in_quotes(text) + " is no multiple of " + base::format_size(unit_bytes)));
  return static_cast<std::int64_t>(bytes / unit_bytes);
}

base::Result<std::int64_t> seconds_in(std::string_view option, std::string_view text) {
  return duration_in(option, text, 1'000'000'000, "seconds");
}
base::Result<std::int64_t> milliseconds_in(std::string_view option, std::string_view text) {
  return duration_in(option, text, 1'000'000, "milliseconds");
}

base::Result<std::int64_t> whole_number(std::string_view option, std::string_view text, std::int64_t min,
                                        std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return base::fail(Errc::invalid, of_option(option, base::in_quotes(text) + " is not a whole number from " +
                                                           std::to_string(min) + " to " + std::to_string(max)));
  }
  return value;
}

std::string age_text(base::Nanos span) {
  const std::int64_t seconds =
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(span).count());
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::string text_member(const json::Node& node, std::string_view key) {
  const json::Node* member = node.find(key);
  return member != nullptr && member->is_string() ? member->string() : std::string();
}

const json::Node* node_at(const json::Node& node, std::string_view path) {
  const std::size_t dot = path.find('.');
  const json::Node* member = node.find(path.substr(0, dot));
  if (member == nullptr || dot == path.npos) return member;
  return node_at(*member, path.substr(dot + 1));
}

std::string scalar_text(const json::Node& node) {
  return node.is_string() ? node.string() : json::canonical(node);
}

std::string text_at(const json::Node& node, std::string_view path) {
  const json::Node* member = node_at(node, path);
  return member == nullptr ? std::string() : scalar_text(*member);
}

}  // namespace fusebox::cli::fleet
