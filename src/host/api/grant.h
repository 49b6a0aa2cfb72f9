// Leave to fetch one artifact from one host for a few minutes, signed with that host's token: what the control plane gives
// the host that pulls.
//
// Threads  pure functions.
// Errors   verify says yes or no and nothing else, so that nobody learns from it how far a guess was right.
// Contract host-agent.md 9.2
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace fusebox::host {

inline constexpr std::chrono::minutes kGrantLife{5};  // contract: bounds the start of a transfer
inline constexpr std::size_t kGrantBytesMax = 512;    // contract
inline constexpr std::string_view kGrantHeader = "x-fuse-artifact-grant";

// `key`: the serving host's token. "" for an empty key or what is no digest: such a grant opens nothing.
std::string mint_grant(std::string_view key, std::string_view digest, base::Nanos wall_now, base::Random& random);

bool verify_grant(std::string_view key, std::string_view digest, std::string_view grant, base::Nanos wall_now);

}  // namespace fusebox::host
