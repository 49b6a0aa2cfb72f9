#include <utility>

#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api/streams/guest_agent.h"
#include "fleet/api_error.h"

namespace fusebox::fleet::handle {

namespace {

std::unexpected<base::Error> too_many() {
  return refuse(503, "too many computer calls at this time; try again",
                Details{{"limit", std::to_string(kComputersMax)}});
}

base::Task<Answer> relayed(Call& call, std::string method, std::string path, std::string body) {
  const auto place = call.services.computers.take();
  if (!place) co_return too_many();
  auto answer = co_await ask_agent(call, std::move(method), std::move(path), std::move(body));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  Reply reply;
  reply.body = std::move(answer->body);  // byte for byte
  reply.content_type = {};
  reply.headers.push_back({"Content-Type", std::move(answer->content_type)});
  co_return reply;
}

}  // namespace

base::Task<Answer> computer_action(Call& call) {
  FB_CO_CHECK(check_computer(call.body));
  co_return co_await relayed(call, "POST", "/v1/computer/action", std::move(call.body));
}

base::Task<Answer> computer_display(Call& call) {
  co_return co_await relayed(call, "GET", "/v1/computer/display", {});
}

}  // namespace fusebox::fleet::handle
