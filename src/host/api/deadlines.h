// How long calls to an agent may take: what a caller sets as CallContext::limit.
//
// A remote provider never waits longer than these per try, and never longer than the context allows.
//
// Threads  constants.
// Contract control-plane.md 14.2, host-agent.md 8.1
#pragma once

#include <chrono>

namespace fusebox::host {

inline constexpr std::chrono::seconds kReadLimit{10};  // capacity, list, get, snapshots
inline constexpr std::chrono::seconds kCreateLimit{180};
inline constexpr std::chrono::seconds kDestroyLimit{60};
inline constexpr std::chrono::seconds kUploadLimit{90};
inline constexpr std::chrono::seconds kStartAgentLimit{240};
inline constexpr std::chrono::seconds kExecSlack{15};  // above the command's own timeout
inline constexpr std::chrono::seconds kSnapshotLimit{630};
inline constexpr std::chrono::seconds kRestoreLimit{180};  // and fork
inline constexpr std::chrono::seconds kPullLimit{1830};
inline constexpr std::chrono::seconds kUpgradeLimit{15};  // attach, exec streams: until the 101
inline constexpr std::chrono::minutes kExecTimeoutMax{10};

}  // namespace fusebox::host
