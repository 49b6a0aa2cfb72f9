// The supervisor that is always there: the image of wsh, embedded in the binary (guest/containers/wsh).
//
// Threads  any.
// Contract containers.md 17.2, 17.4
#pragma once

#include "base/bytes.h"

namespace fusebox::container {

// A plain .wapp. Empty only in builds inside another project without a compiler for guests.
base::ByteView builtin_supervisor_image() noexcept;

}  // namespace fusebox::container
