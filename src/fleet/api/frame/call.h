// One request on its way through the API, and what a handler gives back.
//
// Owner    a Call lives as long as its handler's task.
// Threads  the loop of its connection.
// Contract control-plane.md 1
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "fleet/api/frame/principal.h"
#include "fleet/api/routes.h"
#include "fleet/engine/engine.h"
#include "http/server/exchange.h"
#include "http/server/router.h"

namespace fusebox::fleet {

struct Services;
struct LoopState;

// An answer, or `sent`: the handler has answered by itself (streams, upgrades).
struct Reply {
  int status = 200;
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // instead of `body`
  std::string_view content_type = "application/json";
  std::vector<http::Header> headers;
  bool sent = false;
};
using Answer = base::Result<Reply>;

struct Call {
  http::Exchange& http;
  const RouteSpec& route;
  std::vector<std::string> segments;  // the path's named segments, decoded
  http::Query query;
  PrincipalPtr principal;
  std::string request_id;
  std::string body;  // of JSON routes, read and bounded
  Services& services;
  LoopState& loop;
  std::string idempotency_key;

  const std::string& id() const noexcept { return segments.front(); }
  base::Executor& home() noexcept { return http.executor(); }
  Caller caller() const;
  RequestInfo info() const;
  // The query's value, "" when absent.
  std::string text(std::string_view name) const;
  std::optional<std::string> maybe(std::string_view name) const;
  bool flag(std::string_view name) const;  // "1" or "true"
  // The head of a stream: status 200, this content type, the headers every answer has.
  http::ServerResponse stream_head(std::string_view content_type) const;
};

using RouteHandler = base::Task<Answer> (*)(Call& call);

// 429 with the seconds to wait.
std::unexpected<base::Error> refuse_for(int seconds, std::string message);

Reply json_reply(std::string json, int status = 200);  // adds the newline
Reply no_content();
Reply sent_reply();
Reply reply_of(Outcome outcome);

}  // namespace fusebox::fleet
