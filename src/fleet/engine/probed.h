// What a host told of itself and nobody declared, as its row keeps it: every replica places by it, and one polls.
//
// Internal to src/fleet/engine.
// Threads  plain values.
// Contract control-plane.md 11.3, 12.1
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "host/api/provider.h"

namespace fusebox::fleet {

struct Probed {
  using Sizes = std::map<std::string, std::int64_t, std::less<>>;

  std::set<std::string, std::less<>> fields;  // of HostRow: those that follow the probe
  std::optional<Sizes> image_gb;              // by name; none: it does not tell its images
  std::optional<std::int64_t> base_image_gb, huge_pages_free_mb;

  // What `capacity` leaves out stays as it is: a heartbeat need not tell everything.
  void take(const host::Capacity& capacity);
};

// What cannot be read is taken for not told.
Probed read_probed(std::string_view json);
std::string write_probed(const Probed& probed);

}  // namespace fusebox::fleet
