// How often a stream that ended too early is begun again.
//
// Threads  one thread.
// Limits   kReconnectsMax in a row without anything heard between them
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "cli/fleet/api_client.h"
#include "cli/fleet/exit_status.h"

namespace fusebox::cli::fleet {

inline constexpr int kReconnectsMax = 30;  // half a minute
inline constexpr std::chrono::seconds kReconnectDelay{1};

// Nobody answered, which may change.
inline bool may_come_back(const base::Error& error) {
  return api_failure(error) == nullptr && error.code == base::Errc::unavailable;
}

class Reconnects {
 public:
  void heard() noexcept { broken_ = 0; }
  // Waits for the next attempt; false: enough of them, after a stream that `ended` well. Errors: what ended it, when that
  // stays or came too often; `stopped`, when `until` (monotonic) has come.
  base::Result<bool> pause(ApiClient& api, const base::Result<ApiReply>& ended, std::optional<base::Nanos> until) {
    const bool enough = ++broken_ > kReconnectsMax;
    if (!ended && (enough || !may_come_back(ended.error()))) return base::fail(ended.error());
    if (enough) return false;
    base::Nanos delay = kReconnectDelay;
    if (until) delay = std::min(delay, *until - api.clock().monotonic());
    if (delay.count() <= 0) return base::fail(base::Errc::stopped, "the time is up");
    api.pause(delay);
    return true;
  }

 private:
  int broken_ = 0;
};

}  // namespace fusebox::cli::fleet
