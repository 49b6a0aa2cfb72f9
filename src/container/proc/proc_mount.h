// /proc of one container: what runs, as far as it may see it.
//
// Owner    the run whose namespace it is in; borrows the core, which outlives every run.
// Threads  any.
// Contract containers.md 11
#pragma once

#include <memory>
#include <string>

#include "container/containers.h"
#include "vfs/mount.h"

namespace fusebox::container {

std::shared_ptr<vfs::Mount> make_proc_mount(Containers::Core& core, std::string own_name, ProcView view);

}  // namespace fusebox::container
