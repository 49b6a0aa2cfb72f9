// Inside of AgentServer: what its routes share. For the files of src/host/wire alone.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/wait.h"
#include "host/wire/agent_metrics.h"
#include "host/wire/agent_server.h"
#include "host/wire/grant.h"
#include "host/wire/operations.h"
#include "host/wire/vm_gates.h"
#include "http/server/router.h"

namespace fusebox::host {

// One request on its way through a route.
struct AgentCall {
  http::Exchange& exchange;
  std::vector<std::string> values;  // of the route's named segments, decoded
  http::Query query;
  CallContext context;
  std::string vm;     // the first segment, as an id; "" where the route has none
  std::string route;  // "POST /v1/vm/{id}/exec"
};

// Nothing: the route answered by itself, as a stream or an upgrade.
using AgentAnswer = base::Result<std::optional<http::ServerResponse>>;

struct AgentServer::Impl {
  using Route = base::Task<AgentAnswer> (Impl::*)(AgentCall&);
  struct RouteRow {
    const char* method;
    const char* pattern;
    Route run;
  };
  static const std::vector<RouteRow>& table();

  Impl(const AgentServerParts& parts, AgentServerOptions given);

  // agent_server.cc
  base::Task<void> handle(http::Exchange& exchange);
  base::Task<AgentAnswer> dispatch(http::Exchange& exchange, std::string& route_name);
  bool is_authorised(const http::ServerRequest& request) const;
  base::Result<AgentCall> call_of(http::Exchange& exchange, const http::Router::Match& match) const;
  base::Task<base::Result<base::json::Document>> read_json(AgentCall& call, std::uint64_t bytes_max);
  // What a DELETE of the VM stopped is told as such.
  base::Error guest_error(base::Error error, const VmGates::Pass& pass, const std::string& vm) const;

  // vm_routes.cc
  base::Task<AgentAnswer> health(AgentCall& call);
  base::Task<AgentAnswer> capacity(AgentCall& call);
  base::Task<AgentAnswer> create(AgentCall& call);
  base::Task<AgentAnswer> list(AgentCall& call);
  base::Task<AgentAnswer> get(AgentCall& call);
  base::Task<AgentAnswer> destroy(AgentCall& call);
  base::Task<AgentAnswer> metrics_text(AgentCall& call);
  base::Task<AgentAnswer> operation(AgentCall& call);
  // guest_routes.cc
  base::Task<AgentAnswer> upload(AgentCall& call);
  base::Task<AgentAnswer> exec(AgentCall& call);
  base::Task<AgentAnswer> start_agent(AgentCall& call);
  base::Task<AgentAnswer> start_surfd(AgentCall& call);
  base::Task<AgentAnswer> drain(AgentCall& call);
  base::Task<AgentAnswer> processes(AgentCall& call);
  base::Task<AgentAnswer> stats(AgentCall& call);
  // snapshot_routes.cc
  base::Task<AgentAnswer> snapshot(AgentCall& call);
  base::Task<AgentAnswer> snapshots(AgentCall& call);
  base::Task<AgentAnswer> all_snapshots(AgentCall& call);
  base::Task<AgentAnswer> delete_snapshot(AgentCall& call);
  base::Task<AgentAnswer> delete_stored_snapshot(AgentCall& call);
  base::Task<AgentAnswer> restore(AgentCall& call);
  base::Task<AgentAnswer> fork(AgentCall& call);
  // artifact_routes.cc
  base::Task<AgentAnswer> artifact(AgentCall& call);
  base::Task<AgentAnswer> pull(AgentCall& call);
  base::Task<base::Result<std::string>> pull_now(CallContext context, PullSpec spec);
  base::Task<void> pull_in_background(CallContext context, PullSpec spec, std::string op, std::string key);
  // file_routes.cc
  base::Task<AgentAnswer> read_file(AgentCall& call);
  base::Task<AgentAnswer> list_files(AgentCall& call, std::string path);
  base::Task<AgentAnswer> write_file(AgentCall& call);
  base::Task<AgentAnswer> remove_file(AgentCall& call);
  base::Task<AgentAnswer> send_file(AgentCall& call, std::unique_ptr<FileReader> reader, std::string content_type);
  // stream_routes.cc
  base::Task<AgentAnswer> attach(AgentCall& call);
  base::Task<AgentAnswer> exec_stream(AgentCall& call);
  // log_routes.cc
  base::Task<AgentAnswer> logs(AgentCall& call);

  Provider& provider;
  base::Executor& executor;
  const base::Clock& clock;
  base::Random& random;
  base::Logger& logger;
  const AgentServerOptions options;
  const http::Router router;
  VmGates gates;
  Operations operations;
  GrantBook grants;
  AgentMetrics metrics;
  base::Places boots;
  base::TaskScope background;
  std::stop_source stopping;
};

// Answers.
http::ServerResponse json_answer(std::string text, int status = 200);
http::ServerResponse text_answer(int status, std::string text);
http::ServerResponse empty_answer();  // 204
// An error whose status is not the one of its code.
std::unexpected<base::Error> fail_as(int status, std::string message);

// Stops when any of several says so.
class StopAny {
 public:
  void watch(std::stop_token token);
  std::stop_token token() const noexcept { return source_.get_token(); }
  void request() { source_.request_stop(); }

 private:
  struct Request {
    std::stop_source source;
    void operator()() const { (void)std::stop_source(source).request_stop(); }
  };
  std::stop_source source_;
  std::vector<std::unique_ptr<std::stop_callback<Request>>> watched_;
};

}  // namespace fusebox::host
