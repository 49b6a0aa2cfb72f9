// The highest generation seen of each name: what makes a command from the past harmless, however late it comes.
//
// Names that are gone are remembered as tombstones for kTombstoneKept, at most kTombstonesMax of them (the oldest go
// first).
//
// Threads  one thread at a time.
// Errors   `stale`: the generation is lower than one seen before.
// Contract host-agent.md 8.2
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace fusebox::host {

inline constexpr std::chrono::hours kTombstoneKept{7 * 24};  // contract 8.2
inline constexpr std::size_t kTombstonesMax = 256u * 1024;   // some 40 MB of them: a day of 3 destroys a second

class Fence {
 public:
  // Checks, and remembers when it is higher. 0 = unchecked.
  base::Result<void> admit(const std::string& name, std::uint64_t generation, base::Nanos now);
  void live(const std::string& name, std::uint64_t generation);  // there is such an environment
  void gone(const std::string& name, base::Nanos now);           // from now on a tombstone
  std::uint64_t highest(std::string_view name) const noexcept;   // 0 = never heard of it
  void forget_old(base::Nanos now);
  std::size_t tombstones() const noexcept { return tombstones_.size(); }

  struct Tombstone {
    std::string name;
    base::Nanos at{0};  // wall
  };
  // Oldest first; may hold names that live again.
  const std::deque<Tombstone>& buried() const noexcept { return tombstones_; }

 private:
  struct Seen {
    std::uint64_t generation = 0;
    bool live = false;
    base::Nanos buried{0};
  };
  std::map<std::string, Seen, std::less<>> seen_;
  std::deque<Tombstone> tombstones_;
};

}  // namespace fusebox::host
