// Calls to one agent: headers, deadlines, retries, errors, and what is known of the agent. For src/host/wire alone.
//
// Threads  the loop's.
// Errors   with a WireFailure as detail, always.
// Contract control-plane.md 14.2
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "host/api/provider.h"
#include "host/wire/limits.h"
#include "host/wire/remote_provider.h"
#include "http/async/async_client.h"

namespace fusebox::host {

struct WireCall {
  std::string method = "GET";
  std::string path;  // "/v1/vm"; encoded, with query
  std::string body;  // of a POST always JSON
  base::Nanos limit = std::chrono::seconds(10);
  int retries = 0;  // beyond the first try, on transport errors and 502, 503, 504
  std::string body_type = "application/json";
};

struct RemoteAgent {
  bool known = false;  // the features are what the agent last said
  std::string server;  // its Server header
  std::vector<std::string> features;
  std::vector<std::string> images;

  bool has(std::string_view feature) const noexcept;
  bool is_old() const noexcept { return features.empty(); }  // a reference agent: no feature at all
  // Joins attach arguments without quoting them (control-plane.md D21).
  bool joins_arguments() const noexcept;
};

class RemoteWire {
 public:
  RemoteWire(http::Loop& loop, base::Random& random, RemoteOptions options);

  // A reply of 200 to 299.
  base::Task<base::Result<http::AsyncReply>> call(CallContext context, WireCall call);
  // Its body, which must be an object.
  base::Task<base::Result<base::json::Document>> call_json(CallContext context, WireCall call);
  // A reply read as it comes; of 200 or 206.
  base::Task<base::Result<std::unique_ptr<http::ReplyStream>>> open(CallContext context, WireCall call);
  // `artifact`: with a grant instead of the token.
  base::Task<base::Result<std::unique_ptr<http::ReplyStream>>> open_artifact(CallContext context, std::string digest);
  base::Task<base::Result<http::Upgraded>> upgrade(CallContext context, std::string path, std::string protocol);

  // Asks for the capacity when nothing is known of the agent.
  base::Task<base::Result<void>> know(CallContext context);
  void learn(const Capacity& capacity);
  const RemoteAgent& agent() const noexcept { return agent_; }
  const RemoteOptions& options() const noexcept { return options_; }
  http::Loop& loop() noexcept { return loop_; }

 private:
  base::Task<base::Result<http::AsyncReply>> call_once(const CallContext& context, const WireCall& call,
                                                       base::Nanos end);
  http::AsyncRequest request_of(const CallContext& context, const WireCall& call, base::Nanos limit) const;
  void see(const http::AsyncReply& reply);
  http::Loop& loop_;
  base::Random& random_;
  const RemoteOptions options_;
  const std::string base_;  // the url without a slash at its end
  http::AsyncClient client_;
  RemoteAgent agent_;
};

std::string vm_path(std::string_view vm, std::string_view rest = {});
std::unexpected<base::Error> wire_fail(base::Errc code, std::string message, int status = 0);
// 404 with the text of a route that is not there.
bool is_unknown_route(const base::Error& error) noexcept;

}  // namespace fusebox::host
