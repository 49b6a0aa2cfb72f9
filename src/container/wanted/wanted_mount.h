// /dev/wanted: the control plane as one holder of the driver sees it.
//
// Every holder has its own handles; records are the engine's. What a holder may not see does not exist for it, what it may
// not do is PERM, and no configuration it writes gives more than it holds.
//
// Owner    the run whose namespace it is in; borrows the core, which outlives every run.
// Threads  any.
// Contract containers.md 9, 6 (driver wanted)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "container/config/options.h"
#include "container/containers.h"
#include "vfs/mount.h"

namespace fusebox::container {

struct WantedHolder {
  WantedOptions options;
  ProcView proc = ProcView::none;  // all, self or none
  std::vector<std::string> pipes_read{"*"};
  std::vector<std::string> pipes_write{"*"};
};

// Why container `name` with this configuration would hold more than `holder`; "" when it would not.
std::string exceeds(const WantedHolder& holder, std::string_view name, const LaunchConfig& config, bool privileged);
// What is not said in it is narrowed to what the holder has.
void narrow(const WantedHolder& holder, LaunchConfig& config, bool privileged);

std::shared_ptr<vfs::Mount> make_wanted_mount(Containers::Core& core, WantedHolder holder, std::string path);

}  // namespace fusebox::container
