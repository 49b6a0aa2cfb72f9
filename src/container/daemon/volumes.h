// The volumes an engine keeps: what exists, how large, and removal by its operator.
//
// Threads  any. Errors: `not_found`, `unavailable` "BUSY" while a live container has it mounted, `invalid` for a name.
// Contract containers.md 2.2, 12.3
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "container/containers.h"

namespace fusebox::container {

struct Volume {
  std::string name;  // "site" for shared ones, "<instance>/site" for private ones
  bool shared = true;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::vector<std::string> used_by;  // live containers
};

std::vector<Volume> list_volumes(const Containers& containers);
base::Result<void> create_volume(const Containers& containers, const std::string& name);
base::Result<void> remove_volume(const Containers& containers, const std::string& name);

}  // namespace fusebox::container
