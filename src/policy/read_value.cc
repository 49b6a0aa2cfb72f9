#include <optional>

#include "base/units.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
std::string_view unit_text(Unit unit) noexcept {
  switch (unit) {
    case Unit::count:
      return "";
    case Unit::bytes:
      return " bytes";
    case Unit::milliseconds:
      return " ms";
    case Unit::microseconds:
      return " us";
    case Unit::nanoseconds:
      return " ns";
  }
  return "";
}

namespace {

using base::json::Kind;

std::uint64_t nanoseconds_of(Unit unit) noexcept {
  switch (unit) {
    case Unit::milliseconds:
      return 1'000'000;
    case Unit::microseconds:
      return 1'000;
    default:
      return 1;
  }
}

// " (4 GiB)" where that says more than the plain number.
std::string readable(std::uint64_t value, Unit unit) {
  if (unit != Unit::bytes || value < 1024) return {};
  const std::string size = base::format_size(value);
  return size.ends_with("bytes") ? std::string() : concat({" (", size, ")"});
}

std::string range_text(std::string_view key, std::string_view given, std::uint64_t min, std::uint64_t max, Unit unit) {
  return concat({key, " is ", given, "; allowed is ", std::to_string(min), " to ", std::to_string(max), unit_text(unit),
                 readable(max, unit)});
}

// A whole number too large for an integer keeps its digits.
bool is_beyond_64_bits(const Node& node) {
  return node.kind() == Kind::number && node.string().find_first_not_of("-0123456789") == std::string::npos;
}

std::string_view example(Unit unit) noexcept {
  switch (unit) {
    case Unit::count:
      return "";
    case Unit::bytes:
      return " or a text like \"64KiB\"";
    default:
      return " or a text like \"5s\"";
  }
}

std::optional<std::uint64_t> from_text(ObjectReader& reader, const Node& node, std::string_view key, Unit unit) {
  if (unit == Unit::bytes) {
    const auto size = base::parse_size(node.string());
    if (size) return *size;
    reader.problem(node, concat({key, ": ", size.error().message}));
    return std::nullopt;
  }
  const auto duration = base::parse_duration(node.string());
  if (!duration || duration->count() < 0) {
    reader.problem(node, concat({key, ": ", duration ? "a duration cannot be negative" : duration.error().message}));
    return std::nullopt;
  }
  const auto nanoseconds = static_cast<std::uint64_t>(duration->count());
  if (nanoseconds % nanoseconds_of(unit) == 0) return nanoseconds / nanoseconds_of(unit);
  reader.problem(node, concat({key, " is ", node.string(), ", which is no whole number of", unit_text(unit)}));
  return std::nullopt;
}

}  // namespace

void Source::problem(const Node& at, std::string message) const {
  problems.add({document.file, at.location(), at.pointer(), std::move(message)});
}

std::uint64_t read_number(ObjectReader& reader, std::string_view key, std::uint64_t fallback, std::uint64_t min,
                          std::uint64_t max, Unit unit) {
  const Node* node = reader.optional(key);
  if (node == nullptr) return fallback;
  std::optional<std::uint64_t> value;
  std::string given;
  if (node->kind() == Kind::integer) {
    value = node->as_u64();
    given = concat({node->negative() ? "-" : "", std::to_string(node->magnitude())});
  } else if (is_beyond_64_bits(*node)) {
    given = node->string();
  } else if (node->is_string() && unit != Unit::count) {
    value = from_text(reader, *node, key, unit);
    if (!value) return fallback;
    given = node->string();
  } else {
    reader.problem(*node, concat({key, " must be an integer", example(unit), ", not ", to_string(node->kind())}));
    return fallback;
  }
  if (value && *value >= min && *value <= max) return *value;
  reader.problem(*node, range_text(key, given, min, max, unit));
  return fallback;
}

std::span<const Node> read_list(ObjectReader& reader, std::string_view key, std::size_t count_max) {
  const Node* node = reader.optional(key);
  if (node == nullptr) return {};
  if (!node->is_array()) {
    reader.problem(*node, concat({key, " must be a list, not ", to_string(node->kind())}));
    return {};
  }
  if (node->elements().size() <= count_max) return node->elements();
  reader.problem(*node, concat({key, " has ", std::to_string(node->elements().size()), " elements; the limit is ",
                                std::to_string(count_max)}));
  return {};
}

const std::string* read_text(const Source& source, const Node& node, std::string_view what, std::size_t bytes_max) {
  if (!node.is_string()) {
    source.problem(node, concat({what, " must be a string, not ", to_string(node.kind())}));
    return nullptr;
  }
  if (node.string().empty()) {
    source.problem(node, concat({what, " is empty"}));
    return nullptr;
  }
  if (node.string().size() > bytes_max) {
    source.problem(node, concat({what, " has ", std::to_string(node.string().size()), " bytes; the limit is ",
                                 std::to_string(bytes_max)}));
    return nullptr;
  }
  if (node.string().find('\0') != std::string::npos) {
    source.problem(node, concat({what, " contains a NUL"}));
    return nullptr;
  }
  return &node.string();
}

}  // namespace fusebox::policy::readers
