// The values of a policy that this build knows.
//
// Threads  pure functions.
// Contract edge.md 6.2
#pragma once

#include <cstdint>

#include "fuse_types.h"

namespace fusebox::edge {

struct PolicyBits {
  std::uint32_t capabilities = 0;
  std::uint32_t activation = 0;
  bool any = false;  // also for pages over 65536
};

// Takes out of `policy` what this build does not know and returns it. A mask that held only unknown activation bits keeps one
// of them: it is never run, where 0 would mean INTERVAL.
PolicyBits drop_unknown(fuse_policy_t& policy);

}  // namespace fusebox::edge
