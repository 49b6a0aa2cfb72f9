// Signed modules: fuse_module_load_ext's `sig` against the keys a runtime trusts (contract capability.md section 11).
//
// Threads  any.
#pragma once

#include <span>
#include <string>

#include "edge/capi/hosted_runtime.h"

namespace fusebox::edge::capi {

inline constexpr std::size_t kTrustedKeysMax = 8;

// 1 when the id is not the key's own, and for the ninth key.
fuse_stat_t trust_key(fuse_runtime& rt, const char* key_id, const std::uint8_t* public_key);

// "" when `signature` is an envelope over these bytes by a trusted key; else what is wrong.
std::string signature_problem(fuse_runtime& rt, std::span<const std::uint8_t> module,
                              std::span<const std::uint8_t> signature);

}  // namespace fusebox::edge::capi
