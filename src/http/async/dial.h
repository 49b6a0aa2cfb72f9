// From a name and a port to a connected socket, plain or TLS.
//
// Internal to src/http/async.
// Threads  the loop's.
// Errors   as AsyncClient.
#pragma once

#include <memory>
#include <string>

#include "base/task.h"
#include "http/async/call.h"
#include "http/tls_context.h"

namespace fusebox::http {

// Tries the name's addresses in turn; each gets its share of the limit.
base::Task<base::Result<std::shared_ptr<Socket>>> dial(Loop& loop, std::shared_ptr<Call> call, std::string host,
                                                       std::uint16_t port, base::Nanos limit);

// The handshake; nothing is sent before the peer was verified.
base::Task<base::Result<void>> secure(std::shared_ptr<Socket> socket, std::shared_ptr<Call> call, TlsClient& tls,
                                      std::string host, base::Nanos limit);

}  // namespace fusebox::http
