// What happens to containers and images, as lines that any number of readers follow from the time they begin.
//
// Owner    an EventReader keeps its log alive.
// Threads  EventLog: any. EventReader: one at a time.
// Limits   kBacklogLines: a reader that falls further behind gets one `overrun` line and goes on with the oldest kept.
// Contract containers.md 9.6
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "vfs/wait.h"

namespace fusebox::container {

struct Event {
  std::uint64_t seq = 0;
  base::Nanos wall{0};
  std::string name;  // "reg" for changes of the image store; "-" for an overrun
  std::string from;  // "-" for an empty field
  std::string to;
  std::string reason;
  std::string line() const;  // "<seq> <unix_ns> <name> <old> <new> <reason>\n"
};

class EventLog {
 public:
  static constexpr std::size_t kBacklogLines = 256;  // contract 9.6
  explicit EventLog(const base::Clock& clock) noexcept : clock_(clock) {}

  void add(std::string_view name, std::string_view from, std::string_view to, std::string_view reason);
  std::uint64_t next_seq() const noexcept;
  // The event numbered `seq`, or an overrun for one no longer kept; nothing when it has not happened. Moves `seq` past it.
  std::optional<Event> take(std::uint64_t& seq) const;
  vfs::WakeList& changed() noexcept { return changed_; }

 private:
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<Event> kept_;      // guarded by mutex_
  std::uint64_t next_seq_ = 1;  // guarded by mutex_
  vfs::WakeList changed_;
};

class EventReader {
 public:
  explicit EventReader(std::shared_ptr<EventLog> log) : log_(std::move(log)), seq_(log_->next_seq()) {}
  std::optional<Event> next() { return log_->take(seq_); }  // nothing yet: wait for log().changed()
  std::optional<Event> wait_next(base::Nanos timeout);      // for threads that may block
  EventLog& log() const noexcept { return *log_; }
  std::shared_ptr<vfs::WakeList> changed() const noexcept { return {log_, &log_->changed()}; }

 private:
  std::shared_ptr<EventLog> log_;
  std::uint64_t seq_;
};

}  // namespace fusebox::container
