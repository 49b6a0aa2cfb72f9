// The small devices of /dev: null, sha256, ed25519, inflate. Each function makes a Device for make_device_tree() or
// make_device_mount().
//
// Owner    the Device (copied or not) shares its count of open streams: one Device per container.
// Threads  a Device: any. A stream: its container's.
// Errors   BUSY beyond the streams a device allows at once (limits.h of this folder).
// Contract containers.md 8.1, 8.3
#pragma once

#include "vfs/device/device_tree.h"

namespace fusebox::vfs {

Device null_device(std::string name = "null");
Device sha256_device(std::string name = "sha256");
Device ed25519_device(std::string name = "ed25519");
Device inflate_device(std::string name = "inflate");

}  // namespace fusebox::vfs
