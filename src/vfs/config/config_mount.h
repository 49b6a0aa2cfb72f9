// A text of the launch configuration as a regular file at the mount point itself; read-only, one cursor per open.
//
// Also the device /dev/config: a DeviceTree takes the mount as a sub-mount.
//
// Owner    the mount and each of its Files share the text.
// Threads  any.
// Contract containers.md 12.1
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vfs/mount.h"

namespace fusebox::vfs {

// `absolute_path` gives the inode.
std::shared_ptr<Mount> make_config_mount(std::string content, std::string_view absolute_path);

}  // namespace fusebox::vfs
