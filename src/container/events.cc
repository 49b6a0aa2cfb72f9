#include "container/events.h"

#include <algorithm>

#include "vfs/blocking_wait.h"

namespace fusebox::container {
namespace {

constexpr base::Nanos kWaitMax = std::chrono::hours(24);  // no sum with the clock overflows

std::string field(std::string_view text) {
  return text.empty() ? "-" : std::string(text);
}

}  // namespace

std::string Event::line() const {
  return std::to_string(seq) + " " + std::to_string(wall.count()) + " " + field(name) + " " + field(from) + " " +
         field(to) + " " + field(reason) + "\n";
}

void EventLog::add(std::string_view name, std::string_view from, std::string_view to, std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    kept_.push_back(
        {next_seq_++, clock_.wall(), std::string(name), std::string(from), std::string(to), std::string(reason)});
    if (kept_.size() > kBacklogLines) kept_.pop_front();
  }
  changed_.changed();
}

std::uint64_t EventLog::next_seq() const noexcept {
  const std::lock_guard lock(mutex_);
  return next_seq_;
}

std::optional<Event> EventLog::take(std::uint64_t& seq) const {
  const std::lock_guard lock(mutex_);
  if (seq >= next_seq_) return std::nullopt;
  const std::uint64_t oldest = kept_.front().seq;
  if (seq < oldest) {
    seq = oldest;
    return Event{oldest - 1, clock_.wall(), "-", "-", "overrun", "-"};
  }
  return kept_[static_cast<std::size_t>(seq++ - oldest)];
}

std::optional<Event> EventReader::wait_next(base::Nanos timeout) {
  std::optional<Event> event;
  vfs::wait_for_change(changed(), std::min(timeout, kWaitMax), [&] {
    event = next();
    return event.has_value();
  });
  return event;
}

}  // namespace fusebox::container
