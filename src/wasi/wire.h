// The structures of preview1 and of the snapshot before it, written to and read from a guest's memory.
//
// The caller has checked that they lie inside.
// Contract containers.md 7.3, 7.4, 15.3, 15.5, 15.6
#pragma once

#include <algorithm>

#include "vfs/file.h"
#include "wasi/memory.h"

namespace fusebox::wasi {

// Which of the two interfaces a module imports.
enum class Snapshot : std::uint8_t { preview1, unstable };

inline constexpr std::uint32_t kFdstatBytes = 24;
inline constexpr std::uint32_t kPrestatBytes = 8;
inline constexpr std::uint32_t kDirentBytes = 24;
inline constexpr std::uint32_t kEventBytes = 32;

template <Snapshot S>
inline constexpr std::uint32_t kFilestatBytes = S == Snapshot::preview1 ? 64 : 56;
template <Snapshot S>
inline constexpr std::uint32_t kSubscriptionBytes = S == Snapshot::preview1 ? 48 : 56;

template <Snapshot S>
void store_filestat(const Memory& memory, std::uint32_t at, const vfs::Stat& stat) noexcept {
  memory.zero(at, kFilestatBytes<S>);
  memory.store(at, stat.device);
  memory.store(at + 8, stat.inode);
  memory.store(at + 16, static_cast<std::uint8_t>(stat.type));
  if constexpr (S == Snapshot::preview1) {
    memory.store(at + 24, stat.links);
  } else {
    memory.store(at + 20, static_cast<std::uint32_t>(std::min<std::uint64_t>(stat.links, UINT32_MAX)));
  }
  const std::uint32_t rest = at + (S == Snapshot::preview1 ? 32 : 24);
  memory.store(rest, stat.size);
  memory.store(rest + 8, stat.accessed_ns);
  memory.store(rest + 16, stat.modified_ns);
  memory.store(rest + 24, stat.changed_ns);
}

struct Event {
  std::uint64_t userdata = 0;
  vfs::Errno error = vfs::Errno::success;
  std::uint8_t type = 0;
  std::uint64_t bytes = 0;
  bool hangup = false;
};

inline void store_event(const Memory& memory, std::uint32_t at, const Event& event) noexcept {
  memory.zero(at, kEventBytes);
  memory.store(at, event.userdata);
  memory.store(at + 8, static_cast<std::uint16_t>(event.error));
  memory.store(at + 10, event.type);
  memory.store(at + 16, event.bytes);
  memory.store(at + 24, static_cast<std::uint16_t>(event.hangup ? 1 : 0));
}

}  // namespace fusebox::wasi
