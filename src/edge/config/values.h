// Numbers and lists of a configuration file, each with its located error. Internal to this folder.
//
// Threads  one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "edge/config/keys.h"
#include "edge/config/notes.h"

namespace fusebox::edge::config {

// The integer of `node` in [min, max]; reported otherwise.
std::optional<std::uint64_t> read_integer(const Source& source, const base::json::Node& node, std::string_view what,
                                          std::uint64_t min, std::uint64_t max);
// The elements of a list; reported when it is none or too long.
std::span<const base::json::Node> read_list(const Source& source, const base::json::Node& node, std::string_view what,
                                            std::size_t count_max);

enum class Presence : std::uint8_t { required, optional };

template <class T>
void read_number(const Source& source, base::json::ObjectReader& reader, const keys::Number<T>& key, Presence presence,
                 T& out) {
  const base::json::Node* node = presence == Presence::required ? reader.required(key.name) : reader.optional(key.name);
  if (node == nullptr) return;
  if (key.is_switch && node->kind() == base::json::Kind::boolean) {
    out.*key.field = node->boolean() ? 1 : 0;
    return;
  }
  if (const auto value = read_integer(source, *node, key.name, key.min, key.max))
    out.*key.field = static_cast<std::uint32_t>(*value);
}

}  // namespace fusebox::edge::config
