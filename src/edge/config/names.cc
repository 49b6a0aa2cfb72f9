#include "edge/config/names.h"

#include <array>
#include <cstdio>
#include <span>

namespace fusebox::edge::config {
namespace {

std::span<const HalGroup* const> groups() {
  const HalTable table = hal_table();
  return {table.groups, table.count};
}

}  // namespace

const HalGroup* group_of_capability(std::string_view capability_name) {
  for (const HalGroup* group : groups())
    if (group->capability_name == capability_name) return group;
  return nullptr;
}

const HalGroup* group_named(std::string_view name) {
  for (const HalGroup* group : groups())
    if (group->name == name) return group;
  return nullptr;
}

std::vector<std::string_view> known_capability_names() {
  std::vector<std::string_view> names;
  for (const HalGroup* group : groups()) names.emplace_back(group->capability_name);
  return names;
}

std::vector<std::string_view> optional_group_names() {
  std::vector<std::string_view> names;
  for (const HalGroup* group : groups())
    if (!group->always) names.emplace_back(group->name);
  return names;
}

std::vector<std::string> capability_names(std::uint32_t mask) {
  std::vector<std::string> names;
  for (const HalGroup* group : groups())
    if ((group->capability & mask) != 0) names.emplace_back(group->capability_name);
  return names;
}

std::vector<std::string> activation_names(std::uint32_t mask) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < std::size(kActivationNames); ++bit)
    if (((mask >> bit) & 1) != 0) names.emplace_back(kActivationNames[bit]);
  return names;
}

std::string hex(std::uint32_t value, int digits) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%0*X", digits, static_cast<unsigned>(value));
  return text.data();
}

}  // namespace fusebox::edge::config
