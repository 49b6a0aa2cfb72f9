#include "capability/argument_schema_rule.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

namespace fusebox::capability {
namespace {

using base::json::Kind;
using base::json::Node;

constexpr std::size_t kIntegerType = 2;
constexpr std::size_t kNumberType = 3;

std::size_t type_of(const Node& value) noexcept {
  switch (value.kind()) {
    case Kind::null:
      return 0;
    case Kind::boolean:
      return 1;
    case Kind::integer:
      return kIntegerType;
    case Kind::number:
      return kNumberType;
    case Kind::string:
      return 4;
    case Kind::array:
      return 5;
    case Kind::object:
      return 6;
  }
  return 0;
}

// Recursion is bounded by the depth of the document (json.h).
void write_comparable(const Node& value, base::json::Writer& out) {
  switch (value.kind()) {
    case Kind::null:
      out.null();
      return;
    case Kind::boolean:
      out.boolean(value.boolean());
      return;
    case Kind::integer:
    case Kind::number: {
      char text[64];
      std::snprintf(text, sizeof text, "%.21Lg", exact_number(value) + ExactNumber{0});  // + 0 makes -0 one with 0
      out.raw(text);
      return;
    }
    case Kind::string:
      out.string(value.string());
      return;
    case Kind::array:
      out.begin_array();
      for (const Node& element : value.elements()) write_comparable(element, out);
      out.end_array();
      return;
    case Kind::object: {
      std::vector<std::size_t> order(value.keys().size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::sort(order.begin(), order.end(),
                [&](std::size_t a, std::size_t b) { return value.keys()[a] < value.keys()[b]; });
      out.begin_object();
      for (const std::size_t i : order) {
        out.key(value.keys()[i]);
        write_comparable(value.elements()[i], out);
      }
      out.end_object();
      return;
    }
  }
}

}  // namespace

std::uint8_t schema_type_bit(std::string_view name) noexcept {
  const auto* const found = std::find(std::begin(kSchemaTypes), std::end(kSchemaTypes), name);
  if (found == std::end(kSchemaTypes)) return 0;
  return static_cast<std::uint8_t>(1u << (found - std::begin(kSchemaTypes)));
}

bool has_schema_type(const Node& value, std::uint8_t bit) noexcept {
  const auto has = [bit](std::size_t type) { return (bit >> type & 1) != 0; };
  const std::size_t type = type_of(value);
  if (has(type)) return true;
  if (type == kIntegerType) return has(kNumberType);
  return type == kNumberType && has(kIntegerType) && std::floor(value.number()) == value.number();
}

ExactNumber exact_number(const Node& number) noexcept {
  if (number.kind() != Kind::integer) return number.number();
  const auto magnitude = static_cast<ExactNumber>(number.magnitude());
  return number.negative() ? -magnitude : magnitude;
}

std::string comparable(const Node& value) {
  base::json::Writer out;
  write_comparable(value, out);
  return out.take();
}

}  // namespace fusebox::capability
