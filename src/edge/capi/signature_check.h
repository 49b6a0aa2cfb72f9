// Signed modules: fuse_module_load_ext's `sig` against the keys a runtime trusts (contract capability.md section 11).
//
// Threads  any.
#pragma once

#include <span>

#include "edge/capi/hosted_runtime.h"

namespace fusebox::edge::capi {

inline constexpr std::size_t kTrustedKeysMax = 8;

// 1 for an empty id, and for the ninth key.
fuse_stat_t trust_key(fuse_runtime& rt, const char* key_id, const std::uint8_t* public_key);

// False, with fuse_last_error saying why, unless `signature` is an envelope over these bytes by a trusted key.
bool signature_holds(fuse_runtime& rt, std::span<const std::uint8_t> module, std::span<const std::uint8_t> signature);

}  // namespace fusebox::edge::capi
