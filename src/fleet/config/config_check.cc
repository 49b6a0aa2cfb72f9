#include <algorithm>
#include <initializer_list>
#include <limits>

#include "base/text.h"
#include "fleet/access/cidr.h"
#include "fleet/api/rules/names.h"
#include "fleet/config/options.h"
#include "fleet/secrets/vault.h"

namespace fusebox::fleet {
namespace {

using base::Errc;
using base::Result;

Result<void> one_of(std::string_view name, const std::string& value, std::initializer_list<std::string_view> words) {
  if (std::ranges::find(words, value) != words.end()) return {};
  std::string list;
  for (const std::string_view word : words) {
    if (!word.empty()) list.append(list.empty() ? "" : ", ").append(word);
  }
  return base::fail(Errc::invalid,
                    std::string(name) + ": " + base::in_quotes(value) + " is not allowed; allowed are " + list);
}

Result<void> check_addresses(const Config& config) {
  const std::pair<std::string_view, const std::string*> lists[] = {{"ORCH_ALLOWED_CIDRS", &config.allowed_cidrs},
                                                                   {"ORCH_TRUSTED_PROXIES", &config.trusted_proxies},
                                                                   {"ORCH_HOST_URL_CIDRS", &config.host_url_cidrs}};
  for (const auto& [name, text] : lists) {
    if (const auto list = CidrList::parse(*text); !list) {
      return base::fail(Errc::invalid, std::string(name) + ": " + list.error().message);
    }
  }
  return {};
}

Result<void> check_secrets_given(const Config& config) {
  if (!config.token_encryption_key.empty()) {
    FB_CHECK(base::within("TOKEN_ENCRYPTION_KEY", VaultKey::from_hex(config.token_encryption_key)));
  }
  FB_CHECK(base::within("TOKEN_ENCRYPTION_KEYS_OLD", parse_old_keys(config.token_encryption_keys_old)));
  if (!config.require_auth) return {};
  std::string unset;
  const auto need = [&](std::string_view name, const std::string& value) {
    if (value.empty()) unset.append(unset.empty() ? "" : ", ").append(name);
  };
  need("ORCH_AUTH_TOKEN", config.auth_token);
  need("TOKEN_ENCRYPTION_KEY", config.token_encryption_key);
  need("DATABASE_URL", config.database_url);
  if (unset.empty()) return {};
  return base::fail(Errc::invalid, "ORCH_REQUIRE_AUTH=true but required vars unset: " + unset);
}

// Beyond the first two nanoseconds overflow, beyond the others the engine's counters.
Result<void> check_numbers(const Config& config) {
  struct Bound {
    std::string_view name;
    std::int64_t value, most;
  };
  constexpr std::int64_t kCountMax = std::numeric_limits<std::int32_t>::max();
  const Bound bounds[] = {{"ORCH_EVENT_RETENTION_DAYS", config.event_retention_days, 36'500},
                          {"ORCH_SSE_RETENTION_HOURS", config.sse_retention_hours, 876'000},
                          {"ORCH_ORPHAN_RETRIES", config.orphan_retries, kCountMax},
                          {"ORCH_MAX_INFLIGHT_CREATES", config.max_inflight_creates, kCountMax}};
  for (const Bound& bound : bounds) {
    if (bound.value <= bound.most) continue;
    return base::fail(Errc::invalid, std::string(bound.name) + ": " + std::to_string(bound.value) +
                                         " is too much; at most " + std::to_string(bound.most) + " is allowed");
  }
  return {};
}

Result<void> check_cookies(Config& config) {
  const std::string word = lower_case(config.secure_cookies);
  if (word.empty()) return {};
  const bool yes = word == "true" || word == "1" || word == "yes";
  if (!yes && word != "false" && word != "0" && word != "no") {
    return base::fail(Errc::invalid, "ORCH_SECURE_COOKIES: " + base::in_quotes(config.secure_cookies) +
                                         " is not allowed; allowed are true, 1, yes, false, 0, no");
  }
  config.secure_cookies = yes ? "true" : "false";
  return {};
}

}  // namespace

Result<void> check_config(Config& config) {
  if (!is_vm_prefix(config.vm_prefix)) {
    return base::fail(Errc::invalid, "ORCH_VM_PREFIX: " + base::in_quotes(config.vm_prefix) +
                                         " must be 1 to 24 of a-z, 0-9 and -, and begin with a letter or digit");
  }
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    return base::fail(Errc::invalid, "ORCH_TLS_CERT and ORCH_TLS_KEY must be set together");
  }
  config.max_startup_script_timeout = std::max(config.max_startup_script_timeout, config.startup_script_timeout);
  if (config.max_startup_script_timeout >= config.write_timeout) {
    return base::fail(Errc::invalid, "-max-startup-script-timeout must be below -write-timeout");
  }
  if (config.reconcile_interval <= Config::Span{0}) {
    return base::fail(Errc::invalid, "ORCH_RECONCILE_INTERVAL_SECONDS must be above 0");
  }
  if (config.host_suspect > config.host_unreachable) {
    return base::fail(Errc::invalid, "ORCH_HOST_SUSPECT_SECONDS must not be above ORCH_HOST_UNREACHABLE_SECONDS");
  }
  FB_CHECK(one_of("ORCH_UNKNOWN_VM", config.unknown_vm, {"destroy", "keep"}));
  FB_CHECK(one_of("ORCH_PLACEMENT_POLICY", config.placement_policy, {"spread", "binpack"}));
  FB_CHECK(one_of("ORCH_GUEST_TMPFS", config.guest_tmpfs, {"auto", "require", "off"}));
  FB_CHECK(one_of("ORCH_DEFAULT_BACKEND", config.default_backend, {"", "wasm", "firecracker", "qemu", "stub"}));
  FB_CHECK(check_numbers(config));
  FB_CHECK(check_cookies(config));
  FB_CHECK(check_addresses(config));
  return check_secrets_given(config);
}

}  // namespace fusebox::fleet
