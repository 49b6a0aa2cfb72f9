// Grants a serving host has seen through: a grant is spent by a completed transfer.
//
// A broken transfer may go on with the same grant (Range) until it expires; after the last byte it opens nothing more.
//
// Threads  one executor.
// Limits   kSpentGrantsMax grants; beyond it every grant is refused until some expire: better than a second use.
// Contract host-agent.md 9.1, 9.2
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "host/api/grant.h"

namespace fusebox::host {

class GrantBook {
 public:
  // Whether `grant` opens `digest` now: valid under one of the keys and not spent.
  bool opens(std::string_view key, std::string_view previous_key, std::string_view digest, std::string_view grant,
             base::Nanos wall_now);
  void spend(std::string_view grant, base::Nanos wall_now);
  std::size_t spent() const noexcept { return spent_.size(); }

 private:
  void forget_expired(base::Nanos wall_now);
  std::map<std::string, base::Nanos, std::less<>> spent_;  // grant -> when it expires by itself
};

}  // namespace fusebox::host
