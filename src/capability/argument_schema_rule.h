// One schema object of an argument schema, ready to check. Internal to argument_schema.
//
// Owner    each rule owns those below it.
// Threads  immutable once read.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "capability/argument_schema.h"

namespace fusebox::capability {

// A number of JSON, exact for every 64-bit integer.
using ExactNumber = long double;
static_assert(std::numeric_limits<ExactNumber>::digits >= 64);

struct ArgumentSchema::Rule {
  std::uint8_t kinds = 0;                                                 // bit for each SchemaKind; 0 = any
  std::vector<std::pair<std::string, std::unique_ptr<Rule>>> properties;  // sorted by name
  std::vector<std::string> required;
  bool additional_allowed = true;
  std::unique_ptr<Rule> additional;
  std::unique_ptr<Rule> items;
  std::optional<std::vector<std::string>> values;  // enum or const, each in comparable() form
  std::optional<ExactNumber> minimum;
  std::optional<ExactNumber> maximum;
  std::optional<std::uint64_t> length_min;
  std::optional<std::uint64_t> length_max;
  std::optional<std::uint64_t> items_min;
  std::optional<std::uint64_t> items_max;
};

// Names and bits of the values of `type`.
inline constexpr std::string_view kSchemaTypes[] = {"null",   "boolean", "integer", "number",
                                                    "string", "array",   "object"};
std::uint8_t schema_type_bit(std::string_view name) noexcept;  // 0 for an unknown name
bool has_schema_type(const base::json::Node& value, std::uint8_t bit) noexcept;

ExactNumber exact_number(const base::json::Node& number) noexcept;
// Equal for values that are equal as JSON Schema sees it: key order does not matter, 1 and 1.0 are one number.
std::string comparable(const base::json::Node& value);

}  // namespace fusebox::capability
