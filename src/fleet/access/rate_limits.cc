#include "fleet/access/rate_limits.h"

#include <algorithm>

#include "fleet/access/cidr.h"

namespace fusebox::fleet {
namespace {

using base::Nanos;

constexpr Nanos kSecond = std::chrono::seconds{1};
constexpr std::size_t kPrincipalsMax = 65536;  // full buckets are dropped first, so active keys keep theirs

int seconds_up(Nanos span) noexcept {
  return static_cast<int>((span + kSecond - Nanos{1}) / kSecond);
}

// A client that owns a /64 would else have as many names as it likes.
std::string key_of(const http::IpAddress& address) {
  http::IpAddress key = unmapped(address);
  if (key.family == http::IpAddress::Family::v6) std::fill(key.bytes.begin() + 8, key.bytes.end(), std::uint8_t{0});
  return key.text();
}

}  // namespace

int EventWindows::wait(const Entry& entry, Nanos now) const noexcept {
  return entry.shut_until > now ? seconds_up(entry.shut_until - now) : 0;
}

void EventWindows::make_room(Nanos now) {
  if (entries_.size() < keys_max_) return;
  // Not more often than that: under a flood each sweep would find nothing and look at everything.
  if (now - swept_at_ >= kSecond) {
    swept_at_ = now;
    std::erase_if(entries_,
                  [&](const auto& entry) { return std::max(entry.second.window_end, entry.second.shut_until) <= now; });
  }
  if (entries_.size() >= keys_max_) entries_.erase(entries_.begin());
}

int EventWindows::record(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const Nanos now = clock_.monotonic();
  auto found = entries_.find(std::string(key));
  if (found == entries_.end()) {
    make_room(now);
    found = entries_.emplace(std::string(key), Entry{now + rule_.window, 0, Nanos{0}}).first;
  }
  Entry& entry = found->second;
  if (const int seconds = wait(entry, now); seconds > 0) return seconds;
  if (now >= entry.window_end) {
    entry.window_end = now + rule_.window;
    entry.events = 0;
  }
  if (++entry.events <= rule_.count) return 0;
  // Without a penalty the key waits for the window to end.
  entry.shut_until = rule_.penalty > Nanos{0} ? now + rule_.penalty : entry.window_end;
  return wait(entry, now);
}

int EventWindows::shut_out(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(key));
  return found == entries_.end() ? 0 : wait(found->second, clock_.monotonic());
}

std::size_t EventWindows::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

int RequestRates::take(std::string_view principal) {
  if (per_second_ == 0) return 0;
  const std::lock_guard lock(mutex_);
  const Nanos now = clock_.monotonic();
  if (full_at_.size() >= kPrincipalsMax) {
    std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    if (full_at_.size() >= kPrincipalsMax) full_at_.clear();
  }
  Nanos& full_at = full_at_[std::string(principal)];
  const Nanos token =
      std::max(Nanos{1}, kSecond / static_cast<std::int64_t>(std::min<std::uint64_t>(per_second_, 1'000'000'000)));
  const Nanos after = std::max(full_at, now) + token;
  if (after > now + std::max(kSecond, token)) return seconds_up(after - now - kSecond);
  full_at = after;
  return 0;
}

int AccessLimits::failed_credentials(const http::IpAddress& from) {
  return is_loopback(from) ? 0 : failures_.record(key_of(from));
}

int AccessLimits::shut_out(const http::IpAddress& from) const {
  return is_loopback(from) ? 0 : failures_.shut_out(key_of(from));
}

int AccessLimits::login(const http::IpAddress& from) {
  return is_loopback(from) ? 0 : logins_.record(key_of(from));
}

}  // namespace fusebox::fleet
