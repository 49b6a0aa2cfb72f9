// What happens to a request before and after its handler, in the order of contract control-plane.md 1.2.
//
// Owner    lives in the Api.
// Threads  any loop; each request on its own.
// Contract control-plane.md 1, 2
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "fleet/access/cidr.h"
#include "fleet/api/frame/call.h"
#include "fleet/api/frame/services.h"
#include "http/server/exchange.h"
#include "http/server/router.h"

namespace fusebox::fleet {

// Method and path of a request, and what of the table they mean.
struct Destination {
  const RouteSpec* route = nullptr;  // null: none, or none with this action
  std::string_view pattern;          // "" = unknown path
  std::string allow;                 // the path has other methods
  std::vector<std::string> segments;
  bool unknown_action = false;
  std::optional<Action> needs;  // of an unknown action: what a caller must be allowed before it is told so
};

class RouteMap {
 public:
  RouteMap();
  Destination find(const http::ServerRequest& request, const http::Query& query) const;

 private:
  std::vector<std::vector<const RouteSpec*>> groups_;  // routes of one method and path
  std::optional<http::Router> router_;
};

class Frame {
 public:
  Frame(Services& services, std::span<const std::unique_ptr<LoopState>> loops) noexcept
      : services_(services), loops_(loops) {}
  base::Task<void> serve(http::Exchange& exchange);

 private:
  struct Passage;  // what is known of a request so far
  base::Task<Answer> pass(Passage& passage);
  base::Task<Answer> serve_open(Passage& passage);
  base::Task<base::Result<PrincipalPtr>> authenticate(Passage& passage);
  base::Result<void> check_address(Passage& passage);
  base::Result<void> authorise(Passage& passage, const Principal& principal, Action action);
  base::Task<Answer> run_handler(Passage& passage, PrincipalPtr principal);
  base::Task<void> send(Passage& passage, Answer answer);
  void note(const Passage& passage, int status) const;
  LoopState& loop_of(http::Exchange& exchange) const noexcept;

  Services& services_;
  std::span<const std::unique_ptr<LoopState>> loops_;
  RouteMap routes_;
};

}  // namespace fusebox::fleet
