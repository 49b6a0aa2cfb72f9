// Where an environment may connect to: packet rules, first what is denied, then what is allowed, then the default.
//
// Threads  plain values.
// Contract control-plane.md 14.3
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fusebox::host {

struct EgressRule {
  std::string cidr, host;  // one of them
  struct Ports {
    std::uint16_t first = 0, last = 0;
    bool operator==(const Ports&) const = default;
  };
  std::vector<Ports> ports;  // empty = all
  std::string proto;         // "tcp", "udp", "" = both
  bool operator==(const EgressRule&) const = default;
};
struct Egress {
  bool allow_by_default = true;
  std::vector<EgressRule> allow, deny;
  std::uint64_t bandwidth_kbps = 0;  // 0 = no bound
  bool operator==(const Egress&) const = default;
};

}  // namespace fusebox::host
