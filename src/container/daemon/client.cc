#include "container/daemon/client.h"

#include "container/daemon/refusal.h"
#include "container/daemon/status_json.h"

namespace fusebox::container {
namespace {

namespace json = base::json;
using base::Errc;
using base::json::Node;

constexpr int kWaitMs = 1000;  // as long as the engine lets one request wait

}  // namespace

json::Writer request(std::string_view verb) {
  json::Writer out;
  out.begin_object().key("verb").string(verb);
  return out;
}

base::Result<Client> Client::connect(const std::filesystem::path& socket_path) {
  FB_TRY(Channel channel, Channel::connect(socket_path));
  return Client(std::move(channel));
}

base::Result<json::Document> Client::ask(json::Writer request, std::span<const int> fds) {
  request.end_object();
  const auto sent = channel_.send(request.text(), fds);
  if (!sent && sent.error().code != Errc::unavailable) return base::fail(sent.error());
  auto received = channel_.receive();
  // An engine that turns a connection away says why and closes it, unasked: its words are behind the error.
  if (!received && received.error().code == Errc::unavailable) received = channel_.receive();
  FB_TRY(const auto message, std::move(received));
  if (!message) return base::fail(Errc::unavailable, "the engine went away before it answered");
  FB_TRY(json::Document answer, json::parse(message->text, {.file = "the engine's answer"}));
  if (!flag_of(*answer.root, "ok")) return base::fail(refusal_in(*answer.root));
  return answer;
}

base::Result<std::vector<Status>> Client::list() {
  std::vector<Status> all;
  for (std::uint64_t from = 0;;) {
    json::Writer page = request("list");
    page.key("from").unsigned_integer(from);
    FB_TRY(const json::Document answer, ask(std::move(page)));
    if (const Node* containers = answer.root->find("containers"); containers != nullptr)
      for (const Node& status : containers->elements()) all.push_back(read_status(status));
    if (answer.root->find("next") == nullptr) return all;
    from = number_of(*answer.root, "next");
  }
}

base::Result<std::optional<Status>> Client::wait(const std::string& name, const std::function<bool()>& stop) {
  while (!stop()) {
    json::Writer asked = request("wait");
    asked.key("name").string(name).key("wait_ms").integer(kWaitMs);
    FB_TRY(const json::Document answer, ask(std::move(asked)));
    const Node* status = answer.root->find("status");
    if (flag_of(*answer.root, "ended") && status != nullptr) return read_status(*status);
  }
  return std::nullopt;
}

}  // namespace fusebox::container
