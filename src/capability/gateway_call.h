// What the gateways (http_gateway.h, file_gateway.h) share: what a call brings along and what it returns.
//
// Threads  plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "capability/decision.h"

namespace fusebox::capability {

// What the execution lends to one call of a gateway.
struct GatewayCall {
  base::Nanos wall_left{0};    // of the execution; the call ends within it
  std::function<bool()> stop;  // true: end now, with CANCELLED; may be empty
  // Told every decision before anything it allows is done; `detail` is a JSON object without secrets. A denial is
  // always the last one told, and then what GatewayReply::ruling holds. May be empty.
  std::function<void(const Ruling& ruling, std::string_view detail)> decided;

  bool stopped() const { return stop && stop(); }
  void tell(const Ruling& ruling, std::string_view detail) const {
    if (decided) decided(ruling, detail);
  }
};

struct GatewayReply {
  Ruling ruling;  // the last decision; when it is a denial nothing (more) was done
  HostCode code = HostCode::ok;
  std::string reason;         // why `code` is not ok, for a person and for last_error; no host path, address or secret
  std::string output;         // what the guest asked for: response JSON, file content
  std::uint64_t written = 0;  // fs.write: bytes written
  // For the `host_call` record of an authorised action: members of a JSON object, without braces. Sizes and SHA-256 of
  // bodies, never bodies; URL queries redacted.
  std::string facts;
  base::Nanos duration{0};  // of the action

  bool ok() const noexcept { return code == HostCode::ok; }
};

// A reply that ends with a denial.
inline GatewayReply denied(Ruling ruling) {
  GatewayReply reply;
  reply.code = ruling.code;
  reply.reason = ruling.reason;
  reply.ruling = std::move(ruling);
  return reply;
}

}  // namespace fusebox::capability
