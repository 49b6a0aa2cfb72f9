// The API's JSON objects, field by field: what the OpenAPI document says and what tests hold every answer against.
//
// Types are words: string, int32, int64, number, bool, time, any, "a|b|c" (one of these texts), #Name (another object),
// [T] (a list of T), {T} (a map from texts to T).
//
// Threads  constant data.
// Contract control-plane.md 4-18, 26
#pragma once

#include <span>
#include <string_view>

namespace fusebox::fleet {

struct SchemaField {
  std::string_view name;
  std::string_view type;
  bool required = false;
  bool fusebox = false;  // [+]
  std::string_view text = {};
};

struct Schema {
  std::string_view name;
  std::span<const SchemaField> fields;
  bool open = false;  // further fields pass through
};

std::span<const Schema> schema_table() noexcept;
const Schema* find_schema(std::string_view name) noexcept;

}  // namespace fusebox::fleet
