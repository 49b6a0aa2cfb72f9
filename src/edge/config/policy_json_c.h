// What stands behind fuse_policy_from_json().
//
// Threads  pure function.
// Errors   FUSE_ERR_INVALID_ARG, with every problem of the text in `err`, one a line, cut to its size and ended with NUL;
//          then nothing else is written.
// Contract edge.md 6.3-6.5, 8.5
#pragma once

#include <cstddef>

#include "fuse_types.h"

namespace fusebox::edge::config {

// `text` is a policy object of app_config.json; without either activation key it has INTERVAL. `events` is its
// application.events object as JSON text, or null. `out_ext` and `err` may be null: an extension is read all the same.
fuse_stat_t policy_from_json(const char* text, std::size_t size, const char* events, fuse_policy_t* out_policy,
                             fuse_policy_ext_t* out_ext, char* err, std::size_t err_size) noexcept;

}  // namespace fusebox::edge::config
