// The messages of ctl and config nodes: from a text to a verb of the core, for one holder.
//
// Threads  any.
// Contract containers.md 9.2, 9.3, 9.4
#pragma once

#include <string>
#include <string_view>

#include "container/wanted/wanted_mount.h"
#include "vfs/errno.h"

namespace fusebox::container {

inline constexpr std::size_t kVerbBytesMax = 255;  // contract 9.2

vfs::Io<void> root_verb(Containers::Core& core, const WantedHolder& holder, std::string_view message);
vfs::Io<void> wapp_verb(Containers::Core& core, const WantedHolder& holder, const std::string& name,
                        std::string_view message);
vfs::Io<void> write_config(Containers::Core& core, const WantedHolder& holder, const std::string& name,
                           std::string_view message);

}  // namespace fusebox::container
