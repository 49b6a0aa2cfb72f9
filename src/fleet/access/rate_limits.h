// How often an address may fail, an address may log in, a principal may ask.
//
// Memory is bounded: when a table is full, what is past its time goes, and else any other entry: a flood of addresses may
// make the control plane forget some, never grow.
//
// Threads  any thread.
// Contract control-plane.md 2.7
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "http/address.h"

namespace fusebox::fleet {

// At most `count` events per window and key; the event after that shuts the key out for `penalty`.
class EventWindows {
 public:
  struct Rule {
    std::uint32_t count;
    base::Nanos window;
    base::Nanos penalty;
  };
  EventWindows(const base::Clock& clock, Rule rule, std::size_t keys_max = kKeysMax) noexcept
      : clock_(clock), rule_(rule), keys_max_(keys_max) {}

  // Records an event. Seconds to wait when the key is shut out, 0 when it is not.
  int record(std::string_view key);
  // The same without recording one.
  int shut_out(std::string_view key) const;
  std::size_t size() const;

  static constexpr std::size_t kKeysMax = 16384;  // about 2 MiB; an attack from more addresses needs another defence

 private:
  struct Entry {
    base::Nanos window_end;
    std::uint32_t events;
    base::Nanos shut_until;
  };
  void make_room(base::Nanos now);
  int wait(const Entry& entry, base::Nanos now) const noexcept;

  const base::Clock& clock_;
  const Rule rule_;
  const std::size_t keys_max_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;  // guarded by mutex_
  base::Nanos swept_at_{0};                         // guarded by mutex_
};

// ORCH_RATE_LIMIT_RPS: a token bucket per principal that holds one second's worth. 0 = off.
class RequestRates {
 public:
  RequestRates(const base::Clock& clock, std::uint64_t per_second) noexcept : clock_(clock), per_second_(per_second) {}
  // Seconds to wait, 0 = go on.
  int take(std::string_view principal);

 private:
  const base::Clock& clock_;
  const std::uint64_t per_second_;
  std::mutex mutex_;
  std::unordered_map<std::string, base::Nanos> full_at_;  // guarded by mutex_: when the bucket will be full again
};

// The limits of 2.7 together. Loopback is exempt.
class AccessLimits {
 public:
  explicit AccessLimits(const base::Clock& clock, std::uint64_t requests_per_second)
      : failures_(clock, {60, std::chrono::minutes{1}, std::chrono::seconds{60}}),
        logins_(clock, {10, std::chrono::minutes{1}, std::chrono::seconds{0}}),
        rates_(clock, requests_per_second) {}
  // Each: seconds to wait (Retry-After of a 429), 0 = go on.
  int failed_credentials(const http::IpAddress& from);  // records one
  int shut_out(const http::IpAddress& from) const;
  int login(const http::IpAddress& from);  // records one
  int request(std::string_view principal) { return rates_.take(principal); }

 private:
  EventWindows failures_;
  EventWindows logins_;
  RequestRates rates_;
};

}  // namespace fusebox::fleet
