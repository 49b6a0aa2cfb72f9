// Bounds of this folder: one line of reason per number. The ranges of policy keys are in keys_*.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::policy {

inline constexpr std::size_t kPolicyBytesMax = 1u
                                               << 20;    // a hand-written policy is under 4 KiB; 1000 rules are 100 KiB
inline constexpr std::size_t kHttpEntriesMax = 1024;     // matching is linear: 1024 entries stay below 20 us
inline constexpr std::size_t kMethodsMax = 16;           // HTTP has nine; the rest is WebDAV
inline constexpr std::size_t kMethodBytesMax = 32;       // the longest registered method has 17
inline constexpr std::size_t kHeaderNamesMax = 100;      // contract capability.md 10: at most 100 header lines
inline constexpr std::size_t kHeaderNameBytesMax = 256;  // names in use are below 64
inline constexpr std::size_t kRootsMax = 64;             // each is one open directory
inline constexpr std::size_t kPathBytesMax = 4096;       // contract capability.md 10
inline constexpr std::size_t kComponentBytesMax = 255;   // contract capability.md 10; what file systems hold
inline constexpr std::size_t kEnvVarsMax = 1024;         // an environment is a handful of settings, not a data channel
inline constexpr std::size_t kEnvNameBytesMax = 256;     // names in use are below 64
inline constexpr std::size_t kEnvValueBytesMax = 131'072;  // Linux gives a process at most 128 KiB per string
inline constexpr std::size_t kRegisteredMax = 1024;        // one agent's tools, with room
inline constexpr std::size_t kCapabilityIdBytesMax = 128;  // contract capability.md 1
inline constexpr std::size_t kHashesMax = 4096;            // allowed module hashes; looked up by linear search at load
inline constexpr std::size_t kTrustedKeysMax = 64;         // signers a person can keep track of
inline constexpr std::size_t kKeyIdBytesMax = 128;         // ids are shown in messages
inline constexpr std::size_t kRedactedNamesMax = 256;      // compared with every audited name
inline constexpr std::size_t kHalGroupsMax = 64;           // one bit each in the edge form, 32 there
inline constexpr std::size_t kNameBytesMax = 64;           // HAL group names are C identifiers

}  // namespace fusebox::policy
