// Calls to an environment's guest agent: over TLS with the pinned certificate, with its own token.
//
// Threads  the call's loop.
// Errors   404, 409, 501 of the engine; 503 when the agent cannot be reached; what its answers mean is 5.7's table.
// Limits   150 s, 64 MiB a reply, 10 s to connect (5.7).
// Contract control-plane.md 5.7, 6.3, 17.3
#pragma once

#include <memory>
#include <string>

#include "fleet/api/frame/call.h"
#include "fleet/api/streams/guest_call.h"
#include "http/async/async_client.h"

namespace fusebox::fleet {

struct AgentAnswer {
  std::string body;
  std::string content_type;
};
base::Task<base::Result<AgentAnswer>> ask_agent(Call& call, std::string method, std::string path, std::string body);

struct Desktop {
  LeasePtr lease;
  std::unique_ptr<http::AsyncClient> client;  // outlives its stream
  std::shared_ptr<http::ByteStream> stream;
};
base::Task<base::Result<Desktop>> open_desktop(Call& call);

// An answer that is not a success, in the words of the API.
base::Error agent_refusal(int status, std::string_view body);

}  // namespace fusebox::fleet
