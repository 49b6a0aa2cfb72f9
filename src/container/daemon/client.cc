#include "container/daemon/client.h"

#include <array>

#include "container/daemon/status_json.h"

namespace fusebox::container {
namespace {

namespace json = base::json;
using base::Errc;
using base::json::Node;

constexpr int kWaitMs = 1000;  // as long as the engine lets one request wait

constexpr std::array kCodes{Errc::invalid,     Errc::not_found,   Errc::exists,  Errc::denied,
                            Errc::exhausted,   Errc::stopped,     Errc::trapped, Errc::stale,
                            Errc::unavailable, Errc::unsupported, Errc::io,      Errc::corrupt};

base::Error error_of(const Node& answer) {
  const std::string word = text_of(answer, "code");
  base::Error error{Errc::bug, text_of(answer, "message"), text_of(answer, "name"), nullptr};
  for (const Errc code : kCodes)
    if (base::to_string(code) == word) error.code = code;
  return error;
}

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
  FB_CHECK(channel_.send(request.text(), fds));
  FB_TRY(const auto message, channel_.receive());
  if (!message) return base::fail(Errc::unavailable, "the engine went away before it answered");
  FB_TRY(json::Document answer, json::parse(message->text, {.file = "the engine's answer"}));
  if (!flag_of(*answer.root, "ok")) return base::fail(error_of(*answer.root));
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
