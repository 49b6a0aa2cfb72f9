// Packet rules of an environment (contract control-plane.md 14.3).
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "fleet/access/cidr.h"
#include "fleet/api/rules/names.h"
#include "fleet/api/rules/spec_rules.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::Result;
using Ports = host::EgressRule::Ports;

constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kPortsMax = 64;  // of one rule: more of them are a range

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<Ports> ports_of(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = port_of(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : port_of(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return Ports{*first, *last};
}

// A DNS name, or `*.name` for every name below it.
bool is_host_rule(std::string_view text) noexcept {
  if (text.starts_with("*.")) text.remove_prefix(2);
  if (text.empty() || text.size() > kHostBytesMax) return false;
  while (true) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    const std::string_view label = text.substr(0, dot);
    if (!is_label(label) || label.find('.') != std::string_view::npos) return false;
    if (dot == text.size()) return true;
    text.remove_prefix(dot + 1);
  }
}

Result<host::EgressRule> check_rule(const RawEgressRule& raw, const std::string& where) {
  if (raw.cidr.empty() == raw.host.empty()) return refuse(400, where + " must have exactly one of cidr and host");
  if (!raw.cidr.empty() && !Cidr::parse(raw.cidr)) {
    return refuse(400, where + ".cidr " + base::in_quotes(raw.cidr) + " is no CIDR");
  }
  if (!raw.host.empty() && !is_host_rule(raw.host)) {
    return refuse(400, where + ".host " + base::in_quotes(raw.host) + " is no host name");
  }
  if (!raw.proto.empty() && raw.proto != "tcp" && raw.proto != "udp") {
    return refuse(400, where + ".proto " + base::in_quotes(raw.proto) + " must be tcp or udp");
  }
  if (raw.ports.size() > kPortsMax) return refuse(400, where + ".ports has more than 64 entries");
  host::EgressRule rule{raw.cidr, lower_case(raw.host), {}, raw.proto};
  for (const std::string& text : raw.ports) {
    const std::optional<Ports> ports = ports_of(text);
    if (!ports) {
      return refuse(400, where + ".ports " + base::in_quotes(text) + " must be a port of 1 to 65535 or a range a-b");
    }
    rule.ports.push_back(*ports);
  }
  return rule;
}

Result<std::vector<host::EgressRule>> check_rules(const std::vector<RawEgressRule>& raw, std::string_view name) {
  std::vector<host::EgressRule> rules;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    FB_TRY(host::EgressRule rule,
           check_rule(raw[i], "spec.egress." + std::string(name) + "[" + std::to_string(i) + "]"));
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace

Result<std::optional<host::Egress>> check_egress(const std::optional<RawEgress>& raw) {
  if (!raw) return std::nullopt;
  const std::string& verdict = raw->default_verdict;
  if (!verdict.empty() && verdict != "allow" && verdict != "deny") {
    return refuse(400, "spec.egress.default " + base::in_quotes(verdict) + " must be allow or deny");
  }
  if (raw->allow.size() + raw->deny.size() > kEgressRulesMax) return refuse(400, "spec.egress has more than 256 rules");
  if (raw->bandwidth_kbps < 0) return refuse(400, "spec.egress.bandwidth_kbps must not be negative");
  host::Egress egress;
  egress.allow_by_default = verdict != "deny";
  FB_TRY(egress.allow, check_rules(raw->allow, "allow"));
  FB_TRY(egress.deny, check_rules(raw->deny, "deny"));
  egress.bandwidth_kbps = static_cast<std::uint64_t>(raw->bandwidth_kbps);
  return egress;
}

}  // namespace fusebox::fleet
