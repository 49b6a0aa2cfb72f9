#include "fleet/config/apply.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>

#include "base/bytes.h"

namespace fusebox::fleet {
namespace {

std::string replica_name(base::Random& random) {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) name[0] = '\0';
  std::array<std::byte, 4> mark{};
  random.fill(mark);
  return std::string(name.data()) + "-" + base::to_hex(mark);
}

base::Result<std::vector<VaultKey>> keys_of(const Config& config, base::Random& random) {
  std::vector<VaultKey> keys;
  if (!config.token_encryption_key.empty()) {
    FB_TRY(VaultKey key, base::within("TOKEN_ENCRYPTION_KEY", VaultKey::from_hex(config.token_encryption_key)));
    keys.push_back(std::move(key));
  } else {
    FB_TRY(VaultKey key, VaultKey::load_or_create(config.data_dir, random));
    keys.push_back(std::move(key));
  }
  if (!config.token_encryption_keys_old.empty()) {
    FB_TRY(std::vector<VaultKey> old,
           base::within("TOKEN_ENCRYPTION_KEYS_OLD", parse_old_keys(config.token_encryption_keys_old)));
    for (VaultKey& key : old) keys.push_back(std::move(key));
  }
  return keys;
}

EngineOptions engine_options(const Config& config, const std::string& replica, const std::string& version,
                             const VaultKey& key) {
  EngineOptions options;
  options.vm_prefix = config.vm_prefix;
  options.replica_id = replica;
  options.version = version;
  // Replicas of one fleet share a key and nobody else has it: what it marks is the fleet.
  options.fleet_id = base::to_hex(key.check_value()).substr(0, 16);
  options.default_backend = config.default_backend;
  options.placement_policy = config.placement_policy;
  options.guest_tmpfs = config.guest_tmpfs;
  options.agent_download_url = config.agent_download_url;
  options.startup_script_timeout = config.startup_script_timeout;
  options.startup_script_timeout_max = config.max_startup_script_timeout;
  options.pull_timeout = config.artifact_pull_timeout;
  options.artifact_idle_ttl = config.artifact_idle_ttl;
  options.artifact_max_per_tenant = config.artifact_max_per_tenant;
  options.reconcile_interval = config.reconcile_interval;
  options.task_stuck_timeout = config.task_stuck_timeout;
  options.default_idle_timeout = config.default_idle_timeout;
  options.orphan_grace = config.orphan_grace;
  options.orphan_retries = static_cast<std::int32_t>(config.orphan_retries);
  options.keep_unknown_vms = config.unknown_vm == "keep";
  options.host_suspect = config.host_suspect;
  options.host_unreachable = config.host_unreachable;
  options.snapshot_retention_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(config.snapshot_retention).count();
  options.snapshot_max_count = config.snapshot_max_count;
  options.snapshot_max_bytes = config.snapshot_max_bytes;
  options.event_retention_days = static_cast<std::int32_t>(config.event_retention_days);
  options.sse_retention_hours = static_cast<std::int32_t>(config.sse_retention_hours);
  options.max_inflight_creates = static_cast<std::int32_t>(config.max_inflight_creates);
  options.host_url_cidrs = config.host_url_cidrs;
  return options;
}

ApiOptions api_options(const Config& config, const std::string& version) {
  ApiOptions options;
  options.version = version;
  options.product_version = version;
  options.features = {"idempotency",   "respond-async", "exec-stream", "files",   "logs",
                      "events-resume", "operations",    "scopes",      "tenancy", "migrate"};
  options.master_token = config.auth_token;
  options.open = is_open(config);
  options.allowed_cidrs = config.allowed_cidrs;
  options.trusted_proxies = config.trusted_proxies;
  options.secure_cookies = config.secure_cookies.empty() ? !config.tls_cert.empty() : config.secure_cookies == "true";
  options.metrics_auth = config.metrics_auth;
  options.rate_limit_rps = config.rate_limit_rps;
  options.exec_output_bytes_max = static_cast<std::uint64_t>(config.exec_max_output_bytes);
  options.script_timeout_max_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(config.max_startup_script_timeout).count();
  return options;
}

}  // namespace

bool is_open(const Config& config) noexcept {
  return config.auth_token.empty() && !names_postgres(config.database_url);
}

base::Result<ControlPlaneOptions> control_plane_options(const Config& config, base::Random& random,
                                                        const std::string& version) {
  std::error_code error;
  std::filesystem::create_directories(config.data_dir, error);
  if (error)
    return base::fail(base::Errc::io, "data folder " + config.data_dir + " cannot be made: " + error.message());
  ControlPlaneOptions options;
  FB_TRY(options.keys, keys_of(config, random));
  const std::string replica = config.replica_id.empty() ? replica_name(random) : config.replica_id;
  options.http.listen = config.listen;
  options.http.header_limit = config.read_header_timeout;
  options.http.idle_limit = config.idle_timeout;
  options.http.write_limit = config.write_timeout;
  options.http.header_bytes_max = static_cast<std::size_t>(config.max_header_bytes);
  if (!config.tls_cert.empty())
    options.http.tls = http::ServerTls{.cert_file = config.tls_cert, .key_file = config.tls_key, .client_ca_file = {}};
  options.store.database_url = config.database_url;
  options.store.data_dir = config.data_dir;
  options.store.replica_id = replica;
  options.store.import_plaintext = config.import_plaintext;
  options.engine = engine_options(config, replica, version, options.keys.front());
  options.api = api_options(config, version);
  options.shutdown_limit = config.shutdown_timeout;
  return options;
}

}  // namespace fusebox::fleet
