// What the API is set up with; values of contract control-plane.md section 20 that it heeds.
//
// Threads  plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace fusebox::fleet {

struct ApiOptions {
  std::string version = "dev";  // as /v1/version tells it, and the Server header
  std::string product_version{};
  std::vector<std::string> features{};  // of /v1/version
  std::string master_token{};           // ORCH_AUTH_TOKEN
  bool open = false;                    // 2.1: every caller acts as the master
  std::string allowed_cidrs{}, trusted_proxies{};
  bool secure_cookies = false;
  bool metrics_auth = false;
  std::int64_t rate_limit_rps = 0;  // per principal, 0 = off
  std::uint64_t exec_output_bytes_max = 8u << 20;
  std::int64_t script_timeout_max_seconds = 55;
  base::Nanos event_stall{std::chrono::seconds{30}};  // contract 7: of a listener that takes nothing
  // Brings gauges up to date before they are shown; may be empty.
  std::function<void()> refresh_metrics{};
};

}  // namespace fusebox::fleet
