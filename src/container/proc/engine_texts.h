// /proc/wanted, /proc/memory and /proc/clock_quality.
//
// Threads  any.
// Contract containers.md 11
#pragma once

#include <string>

#include "container/containers.h"

namespace fusebox::container {

std::string wanted_text(const ContainersOptions& options);
std::string memory_text(const ContainersOptions& options);
char clock_quality(const ContainersOptions& options) noexcept;

}  // namespace fusebox::container
