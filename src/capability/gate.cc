#include "capability/gate.h"

#include <algorithm>

#include "base/units.h"

namespace fusebox::capability {
namespace {

constexpr std::size_t kIdBytesMax = 128;            // contract section 1
constexpr std::size_t kVariableNameBytesMax = 255;  // longer names are no names; keeps audit records small

struct Name {
  std::string_view id;
  HostCapability capability;
};
constexpr std::array kNames{
    Name{"log", HostCapability::log},
    Name{"http.request", HostCapability::http_request},
    Name{"fs.read", HostCapability::fs_read},
    Name{"fs.write", HostCapability::fs_write},
    Name{"env", HostCapability::env},
    Name{"network.request", HostCapability::http_request},
    Name{"filesystem.read", HostCapability::fs_read},
    Name{"filesystem.write", HostCapability::fs_write},
};

Ruling over_limit(std::string reason) {
  return deny(Decision::denied_policy_violation, HostCode::limit, std::move(reason));
}

}  // namespace

std::string_view to_string(HostCapability capability) noexcept {
  const auto* at = std::ranges::find(kNames, capability, &Name::capability);
  return at == kNames.end() ? std::string_view{} : at->id;
}

std::optional<HostCapability> host_capability(std::string_view id) noexcept {
  const auto* at = std::ranges::find(kNames, id, &Name::id);
  if (at == kNames.end()) return std::nullopt;
  return at->capability;
}

bool is_capability_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > kIdBytesMax || id.back() == '.') return false;
  bool segment_start = true;
  for (const char c : id) {
    const bool letter = c >= 'a' && c <= 'z';
    const bool rest = letter || (c >= '0' && c <= '9') || c == '_';
    if (segment_start ? !letter : !(rest || c == '.')) return false;
    segment_start = c == '.';
  }
  return true;
}

Grants enabled_by(const policy::Policy& policy) noexcept {
  Grants grants = Grants::none();
  if (policy.log.enabled) grants = grants.with(HostCapability::log);
  if (policy.http.enabled) grants = grants.with(HostCapability::http_request);
  if (policy.fs_read.enabled) grants = grants.with(HostCapability::fs_read);
  if (policy.fs_write.enabled) grants = grants.with(HostCapability::fs_write);
  if (policy.env.enabled) grants = grants.with(HostCapability::env);
  return grants;
}

Grants named_by(std::span<const std::string> ids) noexcept {
  Grants grants = Grants::none();
  for (const std::string& id : ids) {
    if (const auto capability = host_capability(id)) grants = grants.with(*capability);
  }
  return grants;
}

namespace gate {

Ruling host_function(HostCapability capability, Grants grants) {
  if (grants.has(capability)) return {};
  return deny(Decision::denied_capability_disabled, HostCode::capability_disabled,
              std::string(to_string(capability)) + " is not enabled for this module");
}

Ruling host_calls(const policy::Limits& limits, const Counters& counters) {
  if (counters.host_calls <= limits.host_calls) return {};
  return over_limit("limits.host_calls allows " + base::format_count(limits.host_calls) +
                    " host calls in one execution");
}

Ruling log_message(const policy::LogRules& rules, const Counters& counters, std::uint64_t bytes) {
  if (counters.log_messages >= rules.max_messages) {
    return over_limit("log.max_messages allows " + base::format_count(rules.max_messages) +
                      " messages in one execution");
  }
  if (bytes > rules.max_total_bytes || counters.log_bytes > rules.max_total_bytes - bytes) {
    return over_limit("log.max_total_bytes allows " + base::format_count(rules.max_total_bytes) +
                      " bytes of messages in one execution");
  }
  return {};
}

Ruling environment_name(std::string_view name) {
  if (!name.empty() && name.size() <= kVariableNameBytesMax && name.find('\0') == name.npos &&
      name.find('=') == name.npos) {
    return {};
  }
  return deny(Decision::denied_argument_invalid, HostCode::argument_invalid,
              "a variable's name has 1 to 255 bytes and neither NUL nor '='");
}

Ruling invocation(std::string_view id, bool registered, const policy::Policy& policy) {
  if (!registered) {
    return deny(Decision::denied_capability_not_found, HostCode::capability_not_found,
                "no capability \"" + std::string(id.substr(0, kIdBytesMax)) + "\" is registered");
  }
  const auto at = policy.registered.find(std::string(id));
  if (at == policy.registered.end() || !at->second.enabled) {
    return deny(Decision::denied_capability_disabled, HostCode::capability_disabled,
                "the policy does not enable \"" + std::string(id) + "\"");
  }
  return {};
}

}  // namespace gate

}  // namespace fusebox::capability
