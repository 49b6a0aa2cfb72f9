// events of the control plane: lines from the time it was opened (contract containers.md 9.6).
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "container/events.h"
#include "vfs/file.h"

namespace fusebox::container {

// Lines of names that `shows` refuses are left out; those of the registry and overruns are everybody's.
std::unique_ptr<vfs::File> make_event_file(const vfs::Stat& node, EventReader reader, vfs::FdFlags flags,
                                           std::function<bool(std::string_view name)> shows);

}  // namespace fusebox::container
