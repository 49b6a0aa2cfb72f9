// The volumes an engine keeps, as its operator names and sees them: what exists, how large, and removal. Where they lie is
// vfs::VolumeStore's.
//
// Threads  any. Errors: those of VolumeStore; in use is also what a live container mounts that has yet to start.
// Contract containers.md 2.2, 12.3
#pragma once

#include <cstdint>
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

base::Result<std::vector<Volume>> list_volumes(Containers& containers);
base::Result<void> create_volume(Containers& containers, const std::string& name);  // a shared one
base::Result<void> remove_volume(Containers& containers, const std::string& name);

}  // namespace fusebox::container
