#include "edge/config/values.h"

#include <string>

namespace fusebox::edge::config {
namespace {

using base::json::Kind;
using base::json::Node;

// A whole number too large for 64 bits keeps its digits.
bool is_whole(const Node& node) {
  return node.kind() == Kind::integer ||
         (node.kind() == Kind::number && node.string().find_first_not_of("-0123456789") == std::string::npos);
}

std::string range(std::uint64_t min, std::uint64_t max) {
  return std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace

std::optional<std::uint64_t> read_integer(const Source& source, const Node& node, std::string_view what,
                                          std::uint64_t min, std::uint64_t max) {
  if (const auto value = node.as_u64(); value && *value >= min && *value <= max) return value;
  source.error(node, is_whole(node)
                         ? std::string(what) + " is " + given(node) + "; allowed is " + range(min, max)
                         : std::string(what) + " must be an integer of " + range(min, max) + ", not " + given(node));
  return std::nullopt;
}

std::span<const Node> read_list(const Source& source, const Node& node, std::string_view what, std::size_t count_max) {
  if (!node.is_array()) {
    source.error(node, std::string(what) + " must be a list, not " + given(node));
    return {};
  }
  if (node.elements().size() <= count_max) return node.elements();
  source.error(node, std::string(what) + " has " + std::to_string(node.elements().size()) +
                         " elements; allowed are at most " + std::to_string(count_max));
  return {};
}

}  // namespace fusebox::edge::config
