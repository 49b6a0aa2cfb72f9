// The parts of a spec and what they may say. Internal to api/rules.
//
// decode_* reads types only (faults go to the body); check_* judges values, in the order of contract control-plane.md 5.2.
//
// Threads  pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fleet/api/rules/body_reader.h"
#include "fleet/api/rules/requests.h"

namespace fusebox::fleet {

inline constexpr std::int64_t kIdleTimeoutMin = 60;  // contract 5.2
inline constexpr std::size_t kEgressRulesMax = 256;  // contract 14.3

struct RawEgressRule {
  std::string cidr, host, proto;
  std::vector<std::string> ports;  // "80" or "80-90"
};
struct RawEgress {
  std::string default_verdict;
  std::vector<RawEgressRule> allow, deny;
  std::int64_t bandwidth_kbps = 0;
};
struct RawSpec {
  EnvironmentSpec spec;
  std::optional<RawEgress> egress;
};
RawSpec decode_spec(const BodyObject& body);

base::Result<void> check_gpu(EnvironmentSpec& spec);  // profile to lower case
base::Result<void> check_labels(const StringMap& labels, std::string_view path);
base::Result<void> check_timeouts(const EnvironmentSpec& spec);
base::Result<void> check_sizes(EnvironmentSpec& spec);  // and arch, normalised
base::Result<void> check_backend(const EnvironmentSpec& spec);
base::Result<std::optional<host::Egress>> check_egress(const std::optional<RawEgress>& raw);
// All of them but the host pin, in order.
base::Result<EnvironmentSpec> check_spec(RawSpec raw);

}  // namespace fusebox::fleet
