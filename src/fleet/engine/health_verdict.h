// What a guest says of its own health, checked: its file is written by whoever has the guest.
//
// Internal to src/fleet/engine.
// Threads  pure functions.
// Contract control-plane.md 5.1 (health), 9.2 (/fuse/health.json)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/engine/boot_material.h"

namespace fusebox::fleet {

inline constexpr std::size_t kHealthBytesMax = 16 * 1024;   // of the file: four fields, one of them a text
inline constexpr std::size_t kHealthMessageBytesMax = 512;  // it is in every view, event and audit record

// {failures?, message?, since, state}: keys sorted, nothing else in it, without secrets. Nothing: the file says no verdict.
std::optional<std::string> read_health_verdict(std::string_view file, const BootMaterial& material);
bool is_failing(std::string_view verdict) noexcept;

}  // namespace fusebox::fleet
