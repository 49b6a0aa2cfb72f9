// The streams of one loop that outlive the check of their credentials: they are checked again while they last.
//
// A stream whose key was revoked or has expired, or whose browser session ended, is told to end within kRecheckSeconds,
// at once when this replica learns of the revocation.
//
// Owner    outlives its entries. The store outlives it.
// Threads  the loop's.
// Contract control-plane.md 2.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/task.h"
#include "fleet/api/frame/principal.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::chrono::seconds kRecheckSeconds{3};  // below the 5 s a key may be remembered

class LiveStreams {
 public:
  LiveStreams(Store& store, base::Executor& executor) noexcept : store_(store), executor_(executor) {}
  ~LiveStreams();
  LiveStreams(const LiveStreams&) = delete;
  LiveStreams& operator=(const LiveStreams&) = delete;

  // How far into a polite stop a stream goes on: what has no end of its own until it begins, work that has one as long as
  // requests may.
  enum class Until : std::uint8_t { close, limit };

  // While it lives its stream is checked. `end` is called at most once, on the loop's thread; it must not destroy the entry.
  class Entry {
   public:
    Entry(LiveStreams& of, PrincipalPtr principal, std::function<void()> end, Until until);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    friend class LiveStreams;
    LiveStreams& of_;
    PrincipalPtr principal_;
    std::function<void()> end_;
    Until until_;
    std::size_t at_ = 0;
  };

  // Those that last until then, or less long; also when they begin later.
  void end_all(Until reached);
  void check_soon();
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  base::Task<void> check();
  void arm();
  void end(Entry& entry);

  Store& store_;
  base::Executor& executor_;
  std::vector<Entry*> entries_;
  base::Executor::TimerId timer_ = 0;
  std::optional<Until> reached_;
  bool armed_ = false, checking_ = false, again_ = false;
};

}  // namespace fusebox::fleet
