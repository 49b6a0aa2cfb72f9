// What can be said of a launch configuration without touching the machine: unknown drivers, bad options, bad addresses,
// forbidden places, duplicates. A launch stops at the first; `--check` prints all.
//
// Threads  pure functions.
// Contract containers.md 5.1, 5.2 (install order), 6
#pragma once

#include <span>
#include <string_view>

#include "container/config/lax_reader.h"

namespace fusebox::container {

// In install order: console, drivers, sockets, mounts. Paths start with `prefix` ("" or "supervisor.params").
ConfigErrors launch_errors(const LaunchConfig& config, std::string_view prefix = {});

// Names every `drivers` line shows, in the order of contract 8: "null log platform ...".
std::span<const std::string_view> core_drivers() noexcept;

}  // namespace fusebox::container
