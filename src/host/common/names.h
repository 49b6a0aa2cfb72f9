// Names of environments and snapshots as the wire has them.
//
// Threads  pure functions.
// Contract host-agent.md 2, 6.1
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace fusebox::host {

inline constexpr std::size_t kVmIdBytesMax = 128;  // as task ids; a control plane sends at most 63

// Lower case, runs of anything but letters, digits and hyphens as one hyphen, none at either end; "vm" for nothing left.
// No name at all: "vm-" and 8 random digits. Nothing for what is longer than kVmIdBytesMax.
std::optional<std::string> vm_id_of(std::string_view name, base::Random& random);

bool is_snapshot_id(std::string_view text) noexcept;
bool is_digest(std::string_view text) noexcept;  // 64 lower-case hexadecimal digits

// `digits` of them, lower case.
std::string random_hex(base::Random& random, std::size_t digits);

// "2026-11-21T15:33:00Z": the times of records.
std::string rfc3339_seconds(base::Nanos wall);

}  // namespace fusebox::host
