// What `fusebox serve` is set up with: flags, environment, a file, defaults, in that order of precedence.
//
// Pure: arguments, environment and files come through the caller.
//
// Threads  plain values, pure functions.
// Errors   `invalid`; the text names the flag or variable. start_error() gives the line for stderr; exit status 1.
// Contract control-plane.md section 20
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::fleet {

struct Config {
  using Span = std::chrono::nanoseconds;

  std::string listen, vm_prefix, data_dir;
  Span read_header_timeout{}, write_timeout{}, idle_timeout{}, shutdown_timeout{};
  std::int64_t max_header_bytes = 0;
  std::string tls_cert, tls_key, secure_cookies;  // "" = follow TLS, "true", "false"
  std::string database_url, replica_id;
  bool import_plaintext = false;

  std::string auth_token, token_encryption_key, token_encryption_keys_old;
  bool require_auth = false, metrics_auth = false;
  std::string allowed_cidrs, trusted_proxies, host_url_cidrs;
  std::int64_t rate_limit_rps = 0;

  std::string firecracker_url, firecracker_token, agent_download_url, default_backend;
  Span startup_script_timeout{}, max_startup_script_timeout{};
  Span artifact_pull_timeout{}, artifact_idle_ttl{};
  std::int64_t artifact_max_per_tenant = 0;

  Span reconcile_interval{}, task_stuck_timeout{}, default_idle_timeout{}, orphan_grace{};
  std::int64_t orphan_retries = 0;
  std::string unknown_vm, placement_policy, guest_tmpfs;
  Span host_suspect{}, host_unreachable{}, snapshot_retention{};
  std::int64_t snapshot_max_count = 0, snapshot_max_bytes = 0;
  std::int64_t event_retention_days = 0, sse_retention_hours = 0;
  std::int64_t exec_max_output_bytes = 0, max_inflight_creates = 0;
  std::string http_proxy, https_proxy, no_proxy;
};

struct ConfigSources {
  std::span<const std::string> args;  // without the program's name
  std::function<std::optional<std::string>(const std::string& name)> getenv;
  std::function<base::Result<std::string>(const std::string& path)> read_file;  // of -config
};

struct ConfigRequest {
  enum class Action : std::uint8_t { serve, print_version, print_config };
  Action action = Action::serve;
  Config config;
};
base::Result<ConfigRequest> read_config(const ConfigSources& sources);

// `--print-config`: one JSON object by flag name; secrets are `***`.
std::string print_config(const Config& config);
// A connection text without its password.
std::string mask_password(std::string_view database_url);
std::string start_error(const base::Error& error);  // `orchestrator: <text>`

// `1h2m3.5s`, `500ms`, `0`.
base::Result<std::chrono::nanoseconds> parse_flag_duration(std::string_view text);
// true, 1, yes, on; "", false, 0, no, off; any case.
std::optional<bool> parse_switch(std::string_view text);

}  // namespace fusebox::fleet
