#include "fleet/config/options.h"

#include <charconv>

#include "base/text.h"
#include "base/units.h"

namespace fusebox::fleet {
namespace {

using base::Errc;
using base::Result;
using Kind = Option::Kind;

const Option kOptions[] = {
    {"listen", "ORCH_LISTEN", ":8080", &Config::listen},
    {"vm-prefix", "ORCH_VM_PREFIX", "fuse-", &Config::vm_prefix},
    {"data-dir", "ORCH_DATA_DIR", "fusebox-data", &Config::data_dir},
    {"read-header-timeout", "", "5s", &Config::read_header_timeout},
    {"write-timeout", "", "60s", &Config::write_timeout},
    {"idle-timeout", "", "120s", &Config::idle_timeout},
    {"max-header-bytes", "", "65536", &Config::max_header_bytes},
    {"startup-script-timeout", "", "30s", &Config::startup_script_timeout},
    {"max-startup-script-timeout", "", "55s", &Config::max_startup_script_timeout},
    {"artifact-pull-timeout", "ORCH_ARTIFACT_PULL_TIMEOUT_SECONDS", "0", &Config::artifact_pull_timeout},
    {"artifact-idle-ttl", "ORCH_ARTIFACT_IDLE_TTL_SECONDS", "0", &Config::artifact_idle_ttl},
    {"artifact-max-per-tenant", "ORCH_ARTIFACT_MAX_PER_TENANT", "0", &Config::artifact_max_per_tenant},
    {"shutdown-timeout", "ORCH_SHUTDOWN_TIMEOUT_SECONDS", "30s", &Config::shutdown_timeout},
    {"firecracker-url", "FIRECRACKER_BASE_URL", "", &Config::firecracker_url},
    {"firecracker-token", "FIRECRACKER_TOKEN", "", &Config::firecracker_token, Kind::secret},
    {"database-url", "DATABASE_URL", "", &Config::database_url},
    {"tls-cert", "ORCH_TLS_CERT", "", &Config::tls_cert},
    {"tls-key", "ORCH_TLS_KEY", "", &Config::tls_key},
    {"auth-token", "ORCH_AUTH_TOKEN", "", &Config::auth_token, Kind::secret},
    {"allowed-cidrs", "ORCH_ALLOWED_CIDRS", "", &Config::allowed_cidrs},
    {"secure-cookies", "ORCH_SECURE_COOKIES", "", &Config::secure_cookies},
    {"token-encryption-key", "TOKEN_ENCRYPTION_KEY", "", &Config::token_encryption_key, Kind::secret_without_flag},
    {"token-encryption-keys-old", "TOKEN_ENCRYPTION_KEYS_OLD", "", &Config::token_encryption_keys_old,
     Kind::secret_without_flag},
    {"require-auth", "ORCH_REQUIRE_AUTH", "", &Config::require_auth},
    {"agent-download-url", "AGENT_DOWNLOAD_URL", "", &Config::agent_download_url, Kind::plain, "SURFD_DOWNLOAD_URL"},
    {"default-backend", "ORCH_DEFAULT_BACKEND", "", &Config::default_backend},
    {"reconcile-interval", "ORCH_RECONCILE_INTERVAL_SECONDS", "30s", &Config::reconcile_interval},
    {"task-stuck-timeout", "ORCH_TASK_STUCK_TIMEOUT_SECONDS", "7200s", &Config::task_stuck_timeout},
    {"default-idle-timeout", "ORCH_DEFAULT_IDLE_TIMEOUT_SECONDS", "0", &Config::default_idle_timeout},
    {"orphan-grace", "ORCH_ORPHAN_GRACE_SECONDS", "30s", &Config::orphan_grace},
    {"orphan-retries", "ORCH_ORPHAN_RETRIES", "5", &Config::orphan_retries},
    {"unknown-vm", "ORCH_UNKNOWN_VM", "destroy", &Config::unknown_vm},
    {"host-suspect", "ORCH_HOST_SUSPECT_SECONDS", "30s", &Config::host_suspect},
    {"host-unreachable", "ORCH_HOST_UNREACHABLE_SECONDS", "90s", &Config::host_unreachable},
    {"placement-policy", "ORCH_PLACEMENT_POLICY", "spread", &Config::placement_policy},
    {"snapshot-retention", "ORCH_SNAPSHOT_RETENTION_SECONDS", "0", &Config::snapshot_retention},
    {"snapshot-max-count", "ORCH_SNAPSHOT_MAX_COUNT", "0", &Config::snapshot_max_count},
    {"snapshot-max-bytes", "ORCH_SNAPSHOT_MAX_BYTES", "0", &Config::snapshot_max_bytes},
    {"event-retention-days", "ORCH_EVENT_RETENTION_DAYS", "30", &Config::event_retention_days},
    {"sse-retention-hours", "ORCH_SSE_RETENTION_HOURS", "24", &Config::sse_retention_hours},
    {"guest-tmpfs", "ORCH_GUEST_TMPFS", "auto", &Config::guest_tmpfs},
    {"exec-max-output-bytes", "ORCH_EXEC_MAX_OUTPUT_BYTES", "8388608", &Config::exec_max_output_bytes},
    {"max-inflight-creates", "ORCH_MAX_INFLIGHT_CREATES", "64", &Config::max_inflight_creates},
    {"rate-limit-rps", "ORCH_RATE_LIMIT_RPS", "0", &Config::rate_limit_rps},
    {"trusted-proxies", "ORCH_TRUSTED_PROXIES", "", &Config::trusted_proxies},
    {"metrics-auth", "ORCH_METRICS_AUTH", "false", &Config::metrics_auth},
    {"replica-id", "ORCH_REPLICA_ID", "", &Config::replica_id},
    {"import-plaintext", "ORCH_IMPORT_PLAINTEXT", "false", &Config::import_plaintext},
    {"host-url-cidrs", "ORCH_HOST_URL_CIDRS", "", &Config::host_url_cidrs},
    {"http-proxy", "HTTP_PROXY", "", &Config::http_proxy, Kind::secret},
    {"https-proxy", "HTTPS_PROXY", "", &Config::https_proxy, Kind::secret},
    {"no-proxy", "NO_PROXY", "", &Config::no_proxy},
};

constexpr std::int64_t kSecondsMax = std::int64_t{100} * 365 * 86400;  // beyond, nanoseconds overflow

Result<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) {
    return base::fail(Errc::invalid, base::in_quotes(text) + " is no whole number");
  }
  if (value < 0) return base::fail(Errc::invalid, base::in_quotes(text) + " must not be negative");
  return value;
}

}  // namespace

std::span<const Option> options() noexcept {
  return kOptions;
}

Result<std::chrono::nanoseconds> parse_flag_duration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds{0};
  FB_TRY(const std::chrono::nanoseconds span, base::parse_duration(text));
  if (span > std::chrono::seconds{kSecondsMax}) return base::fail(Errc::invalid, "more than 100 years");
  return span;
}

Result<void> assign(Config& config, const Option& option, std::string_view text, bool seconds,
                    const std::string& where) {
  if (const auto* member = std::get_if<std::string Config::*>(&option.member)) {
    config.** member = std::string(text);
  } else if (const auto* number = std::get_if<std::int64_t Config::*>(&option.member)) {
    FB_TRY(config.**number, base::within(where, whole_number(text)));
  } else if (const auto* flag = std::get_if<bool Config::*>(&option.member)) {
    const std::optional<bool> value = parse_switch(text);
    if (!value) return base::fail(Errc::invalid, where + ": " + base::in_quotes(text) + " is neither true nor false");
    config.** flag = *value;
  } else if (const auto* span = std::get_if<Config::Span Config::*>(&option.member)) {
    if (!seconds) {
      FB_TRY(config.**span, base::within(where, parse_flag_duration(text)));
      return {};
    }
    FB_TRY(const std::int64_t count, base::within(where, whole_number(text)));
    if (count > kSecondsMax) return base::fail(Errc::invalid, where + ": more than 100 years");
    config.** span = std::chrono::seconds{count};
  }
  return {};
}

}  // namespace fusebox::fleet
