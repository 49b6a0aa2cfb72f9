// fuse_policy_from_json's reader: one policy object, with the names of a deployment's events.
//
// Threads  any.
#pragma once

#include <string>
#include <string_view>

#include "fuse_types.h"

namespace fusebox::edge::capi {

// "" and both values, or every problem, one a line, as "policy:1:5: ...", and nothing written.
std::string policy_from_json(std::string_view text, std::string_view events, fuse_policy_t& policy,
                             fuse_policy_ext_t& extension);

}  // namespace fusebox::edge::capi
