// Names of bits: capabilities from the HAL table, activations from the contract.
//
// Owner    everything is static.
// Threads  pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "edge/hal/table.h"

namespace fusebox::edge::config {

inline constexpr std::string_view kActivationNames[] = {"INTERVAL", "EVENT", "MANUAL"};  // in order of bit
inline constexpr std::uint32_t kActivationMask = 7;

const HalGroup* group_of_capability(std::string_view capability_name);
const HalGroup* group_named(std::string_view name);
// Every capability of this build, and every group a configuration may list.
std::vector<std::string_view> known_capability_names();
std::vector<std::string_view> optional_group_names();

// Lowest bit first; unknown bits are left out.
std::vector<std::string> capability_names(std::uint32_t mask);
std::vector<std::string> activation_names(std::uint32_t mask);

// "0x1C": at least `digits` of them.
std::string hex(std::uint32_t value, int digits = 2);

}  // namespace fusebox::edge::config
