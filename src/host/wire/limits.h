// Bounds of the host wire. What the contract prescribes says so; the rest says why.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fusebox::host {

inline constexpr std::uint64_t kAgentBodyBytesMax = 1u << 20;     // contract
inline constexpr std::uint64_t kAgentUploadBytesMax = 64u << 20;  // contract
inline constexpr std::size_t kGuestCallsMax = 64;                 // per VM, contract
inline constexpr std::size_t kExclusiveWaitersMax = 8;            // a control plane has one operation per VM under way
inline constexpr std::size_t kGatesMax = 65'536;         // VMs with calls under way; four hosts' worth of indexes
inline constexpr std::size_t kOperationsMax = 4096;      // kept outcomes; a busy host makes some hundreds a day
inline constexpr std::chrono::hours kOperationKept{24};  // contract
inline constexpr std::size_t kSpentGrantsMax = 65'536;   // 5 min of transfers at 200 a second
inline constexpr std::uint64_t kArtifactBytesMax = 64ull << 30;  // contract
inline constexpr std::chrono::seconds kTransferLimit{1800};      // contract
inline constexpr std::size_t kTransferBlockBytes = 1u << 20;     // contract
inline constexpr std::size_t kStreamBlockBytes = 64u * 1024;     // contract, output of attach; used for every relay
inline constexpr std::chrono::milliseconds kLogPollEvery{200};   // a person who follows a log does not see the wait
inline constexpr std::chrono::seconds kKeepAliveEvery{15};       // contract, control-plane.md 5.5
inline constexpr std::size_t kArgumentsMax = 4096;               // of one command
inline constexpr std::size_t kArgumentBytesMax = 4u << 20;       // all of them, contract D24
inline constexpr std::size_t kExposeMax = 64;                    // as many as a manifest may list
inline constexpr std::size_t kStatsVmsMax = 256;                 // VMs with lines of their own in /metrics
inline constexpr std::size_t kListMax = 100'000;                 // VMs of one reply that we read
inline constexpr std::size_t kReplyBytesMax = 64u << 20;         // contract, control-plane.md 14.2

}  // namespace fusebox::host
