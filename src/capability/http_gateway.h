// The host function http.request: everything between a guest's request JSON and the network (contract
// capability.md 5.3, 8.4, 10 and 10.1).
//
// Each hop, the first and every redirect alike, is matched against the rules, resolved, has all its addresses judged,
// and is then sent to exactly those addresses. What the rules do not name is neither resolved nor contacted.
//
// Owner    Borrows rules, resolver, client and clock.
// Threads  any thread: one gateway per sandbox, used by all its executions. An HttpSession belongs to one execution.
// Errors   never an Error: every end is a GatewayReply with a code of contract section 6.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "capability/gateway_call.h"
#include "capability/http_gateway_request.h"
#include "capability/rate_limit.h"
#include "http/client.h"
#include "http/resolver.h"
#include "policy/policy.h"

namespace fusebox::capability {

// What one execution has used.
struct HttpSession {
  std::uint64_t requests = 0;  // sent, redirect hops included
};

class HttpGateway {
 public:
  HttpGateway(const policy::HttpRules& rules, http::Resolver& resolver, http::Client& client, const base::Clock& clock)
      : rules_(rules), resolver_(resolver), client_(client), clock_(clock), rate_(rules.max_per_second) {}

  // `request_json` as the guest wrote it. `output` of the reply is the response JSON.
  GatewayReply request(std::string_view request_json, HttpSession& session, const GatewayCall& call);

 private:
  friend class HttpExchange;
  const policy::HttpRules& rules_;
  http::Resolver& resolver_;
  http::Client& client_;
  const base::Clock& clock_;
  RateLimit rate_;
};

}  // namespace fusebox::capability
