// Settings as what each part is set up with.
//
// Threads  pure functions, but for key files and the machine's name.
// Errors   `invalid` naming the setting.
// Contract control-plane.md 2.1, 16.1, 17.1, 20
#pragma once

#include <string>

#include "fleet/config/config.h"
#include "fleet/control_plane.h"

namespace fusebox::fleet {

// All of ControlPlaneOptions but seams, providers and hooks. Reads or makes token.key in the data folder.
base::Result<ControlPlaneOptions> control_plane_options(const Config& config, base::Random& random,
                                                        const std::string& version);
// Whether every caller acts as the master (2.1).
bool is_open(const Config& config) noexcept;

}  // namespace fusebox::fleet
