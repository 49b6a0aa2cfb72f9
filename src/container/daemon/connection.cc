#include "container/daemon/connection.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>

#include "base/bytes.h"
#include "container/daemon/members.h"
#include "container/daemon/refusal.h"
#include "container/daemon/status_json.h"
#include "container/daemon/volumes.h"
#include "vfs/blocking_wait.h"

namespace fusebox::container {
namespace {

namespace json = base::json;
using base::Errc;
using base::json::Node;

constexpr std::size_t kLogBytesPerAnswer = 64u << 10;  // base64 of it fits a message
constexpr base::Nanos kStartPatience{60'000'000'000};  // a large module takes seconds to compile the first time
constexpr int kInputRetryMs = 10;                      // between tries to write into a pipe that is full
constexpr base::Nanos kOutputPatience{200'000'000};    // how soon a stream notices that its client has gone

std::unexpected<base::Error> refused(const ControlError& refusal) {
  return base::fail(to_error(refusal));
}

base::Result<std::string> text(const Node& request, std::string_view key) {
  const Node* found = request.find(key);
  if (found == nullptr || !found->is_string())
    return base::fail(Errc::invalid, "the request has no \"" + std::string(key) + "\"");
  return found->string();
}
base::Result<std::vector<std::string>> strings(const Node& request, std::string_view key) {
  std::vector<std::string> out;
  const Node* found = request.find(key);
  if (found == nullptr) return out;
  for (const Node& element : found->elements()) {
    if (!element.is_string())
      return base::fail(Errc::invalid, "\"" + std::string(key) + "\" holds something that is no text");
    out.push_back(element.string());
  }
  return out;
}
base::Nanos patience(const Node& request) {
  const std::uint64_t ms = number_of(request, "wait_ms");
  return std::min(kWaitMax, base::Nanos{static_cast<base::Nanos::rep>(std::min<std::uint64_t>(ms, 1000)) * 1'000'000});
}

// Of a terminal's size; what is no such number is not known.
std::uint16_t cells(const Node& message, std::string_view key) {
  const std::uint64_t number = number_of(message, key);
  return number <= std::numeric_limits<std::uint16_t>::max() ? static_cast<std::uint16_t>(number) : std::uint16_t{0};
}

std::unexpected<base::Error> unknown(const std::string& name) {
  return base::fail(Errc::not_found, "no container '" + name + "'; see: fusebox ps --all", "NOENT");
}

std::string member(std::string_view key, std::string_view value_json) {
  return "\"" + std::string(key) + "\":" + std::string(value_json);
}

std::string exec_members(const ExecStatus& status) {
  json::Writer out;
  out.begin_object().key("id").unsigned_integer(status.id).key("state").string(to_string(status.state));
  out.key("exit_code").integer(status.exit_code).key("reason").string(base::to_utf8(status.reason)).end_object();
  return member("exec", out.text());
}

std::string output_message(const Attachment::Output& output) {
  json::Writer out;
  out.begin_object().key("slot").integer(output.slot);
  out.key("data").string(base::to_base64(base::as_bytes(output.text))).end_object();
  return out.take();
}

}  // namespace

const Connection::Verb Connection::kVerbs[] = {
    {"hello", &Connection::hello},
    {"list", &Connection::list},
    {"inspect", &Connection::inspect},
    {"launch", &Connection::launch},
    {"start", &Connection::start},
    {"stop", &Connection::stop},
    {"remove", &Connection::remove},
    {"wait", &Connection::wait},
    {"logs", &Connection::logs},
    {"exec", &Connection::exec},
    {"wait_exec", &Connection::wait_exec},
    {"stop_exec", &Connection::stop_exec},
    {"attach", &Connection::attach},
    {"volumes", &Connection::volumes},
    {"create_volume", &Connection::create_volume},
    {"remove_volume", &Connection::remove_volume},
    {"shutdown", &Connection::shutdown},
};

Connection::~Connection() {
  for (const std::uint64_t id : execs_) {
    static_cast<void>(containers().stop_exec(id));  // it may have ended by itself
    containers().wait_exec(id, kWaitMax);
    containers().forget_exec(id);
  }
}

void Connection::run() {
  for (;;) {
    auto message = channel_.receive();
    if (!message || !*message) return;
    const Answer answer = handle(**message);
    const std::string text =
        answer ? "{\"ok\":true" + (answer->empty() ? "" : "," + *answer) + "}" : refusal_text(answer.error());
    const auto sent = channel_.send(text);
    if (!sent && sent.error().code == Errc::exhausted) {
      if (!channel_.send(refusal_text(sent.error()))) return;
    } else if (!sent) {
      return;
    }
    if (attachment_) return stream(*attachment_);
  }
}

Connection::Answer Connection::handle(Message& message) {
  FB_TRY(const json::Document document, json::parse(message.text, {.file = "request", .pointers = false}));
  FB_TRY(const std::string verb, text(*document.root, "verb"));
  const auto found = std::ranges::find(kVerbs, verb, &Verb::name);
  if (found == std::end(kVerbs))
    return base::fail(Errc::unsupported, "the engine does not know '" + verb + "'; is it older than this command?");
  return (this->*found->handler)(*document.root, message);
}

Connection::Answer Connection::hello(const Node&, Message&) {
  json::Writer out;
  out.string(containers().options().version);
  json::Writer profile;
  profile.string(containers().options().profile.name);
  return member("version", out.text()) + "," + member("profile", profile.text()) + "," +
         member("pid", std::to_string(::getpid()));
}

Connection::Answer Connection::list(const Node& request, Message&) {
  // Large fleets are read in pages: a message is bounded.
  constexpr std::size_t kPage = 100;
  const std::vector<Status> all = containers().list();
  const std::size_t from = std::min<std::size_t>(number_of(request, "from"), all.size());
  const std::size_t to = std::min(all.size(), from + kPage);
  json::Writer out;
  out.begin_array();
  for (std::size_t i = from; i < to; ++i) write_status(out, all[i]);
  out.end_array();
  return member("containers", out.text()) + (to < all.size() ? "," + member("next", std::to_string(to)) : "");
}

Connection::Answer Connection::inspect(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  const auto status = containers().status(name);
  if (!status) return unknown(name);
  const std::string config = containers().config_json(name);
  return member("status", status_json(*status)) + "," + member("config", config.empty() ? "{}" : config);
}

Connection::Answer Connection::launch(const Node& request, Message&) {
  Definition definition;
  FB_TRY(definition.name, text(request, "name"));
  definition.image = text_of(request, "image");
  definition.file = text_of(request, "file");
  definition.config = text_of(request, "config");
  auto config = parse_launch_config(definition.config, containers().options().profile);
  if (!config) return base::fail(Errc::invalid, config.error().path + ": " + config.error().message);
  FB_CHECK(service_.launch(definition, std::move(*config)));
  return started(definition.name);
}

// Once it runs, or why it never will: whoever launched it wants to know, and to find it running.
Connection::Answer Connection::started(const std::string& name) {
  std::optional<Status> status;
  vfs::wait_for_change(containers().changes(), kStartPatience, [&] {
    status = containers().status(name);
    return !status || status->state != State::starting;
  });
  if (!status || status->state != State::failure) return "";
  for (const std::string_view begun : {"trap:", "signal:", "cpu-limit", "wall-limit", "tick-limit"})
    if (status->reason.starts_with(begun)) return "";
  return base::fail(Errc::invalid, "'" + name + "' failed to start: " + status->reason);
}

Connection::Answer Connection::start(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  std::vector<std::string> problems;
  for (const Definition& definition : service_.definitions().load(problems)) {
    if (definition.name != name) continue;
    auto config = parse_launch_config(definition.config, containers().options().profile);
    if (!config) return base::fail(Errc::invalid, config.error().path + ": " + config.error().message);
    FB_CHECK(service_.launch(definition, std::move(*config)));
    return started(name);
  }
  return unknown(name);
}

Connection::Answer Connection::stop(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  const auto status = containers().status(name);
  if (!status) return unknown(name);
  if (const auto stopped = containers().stop(name); !stopped) {
    if (stopped.error().code != vfs::Errno::noent) return refused(stopped.error());
    return base::fail(Errc::not_found, "'" + name + "' is not running", "NOENT");
  }
  return "";
}

Connection::Answer Connection::remove(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  FB_CHECK(service_.remove(name, flag_of(request, "force")));
  return "";
}

Connection::Answer Connection::wait(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  const auto ended = containers().wait(name, patience(request));
  const auto status = ended ? ended : containers().status(name);
  if (!status) return unknown(name);
  return member("ended", ended ? "true" : "false") + "," + member("status", status_json(*status));
}

Connection::Answer Connection::logs(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  const std::uint64_t from = number_of(request, "from");
  const auto status = containers().status(name);
  auto tail = containers().logs().tail(name, from);
  if (!status && !tail) return unknown(name);
  const bool live = status && (is_live(status->state) || status->restart_word == RestartWord::pending);
  if ((!tail || tail->bytes.empty()) && live && patience(request) > base::Nanos{0}) {
    vfs::wait_for_change(containers().logs().changes(), patience(request), [&] {
      tail = containers().logs().tail(name, from);
      return tail && !tail->bytes.empty();
    });
  }
  if (!tail) tail = vfs::LogStore::Tail{"", from, false};
  if (tail->bytes.size() > kLogBytesPerAnswer) {
    tail->next -= tail->bytes.size() - kLogBytesPerAnswer;
    tail->bytes.resize(kLogBytesPerAnswer);
  }
  json::Writer data;
  data.string(base::to_base64(base::as_bytes(tail->bytes)));
  return member("data", data.text()) + "," + member("next", std::to_string(tail->next)) + "," +
         member("lost", tail->lost ? "true" : "false") + "," + member("live", live ? "true" : "false");
}

Connection::Answer Connection::exec(const Node& request, Message& message) {
  FB_TRY(const std::string name, text(request, "name"));
  ExecOptions options;
  options.module_path = text_of(request, "module");
  FB_TRY(options.args, strings(request, "args"));
  FB_TRY(options.envs, strings(request, "envs"));
  for (std::size_t i = 0; i < std::min(message.fds.size(), options.fds.size()); ++i)
    options.fds[i] = message.fds[i].get();
  const auto id = containers().exec(name, options);
  if (!id) return refused(id.error());
  execs_.push_back(*id);
  return member("id", std::to_string(*id));
}

Connection::Answer Connection::wait_exec(const Node& request, Message&) {
  const std::uint64_t id = number_of(request, "id");
  const auto status = containers().wait_exec(id, patience(request));
  if (!status) return base::fail(Errc::not_found, "no process " + std::to_string(id) + " of this connection");
  return exec_members(*status);
}

Connection::Answer Connection::stop_exec(const Node& request, Message&) {
  const std::uint64_t id = number_of(request, "id");
  if (std::ranges::find(execs_, id) == execs_.end())
    return base::fail(Errc::not_found, "no process " + std::to_string(id) + " of this connection");
  if (const auto stopped = containers().stop_exec(id); !stopped) return refused(stopped.error());
  return "";
}

Connection::Answer Connection::attach(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  auto attachment = containers().attach(name);
  if (!attachment) return refused(attachment.error());
  attachment_ = std::move(*attachment);
  return "";
}

// After `attach`: {"slot","data"} to the client until the run has ended ({"ended":true}); from it {"data"} for the
// container's input, {"end":true} for its end, {"columns","rows"} for the size of its terminal. A stream that cannot begin
// is one refusal.
void Connection::stream(Attachment& attachment) {
  std::atomic<bool> gone = false;
  auto input = service_.threads()([this, &attachment, &gone] {
    for (;;) {
      auto message = channel_.receive();
      if (!message || !*message) break;
      const auto document = json::parse((*message)->text, {.file = "input", .pointers = false});
      if (!document) break;
      if (flag_of(*document->root, "end")) {
        attachment.close_input();
        continue;
      }
      if (document->root->find("columns") != nullptr) {
        attachment.resize({cells(*document->root, "columns"), cells(*document->root, "rows")});
        continue;
      }
      const auto bytes = base::from_base64(text_of(*document->root, "data"));
      if (!bytes) break;
      std::string_view left = base::as_text(*bytes);
      while (!left.empty() && !gone) {
        const auto taken = attachment.write(left);
        if (taken)
          left.remove_prefix(*taken);
        else if (taken.error() == vfs::Errno::again)
          ::poll(nullptr, 0, kInputRetryMs);
        else
          break;
      }
    }
    gone = true;
  });
  if (!input) {
    static_cast<void>(channel_.send(refusal_text(input.error())));
    return;
  }
  while (!gone) {
    const auto output = attachment.next(kOutputPatience);
    if (!output) continue;
    if (output->text.empty()) {
      static_cast<void>(channel_.send("{\"ended\":true}"));
      break;
    }
    if (!channel_.send(output_message(*output))) break;
  }
  gone = true;
  channel_.shut_down();
  input->join();
}

Connection::Answer Connection::volumes(const Node&, Message&) {
  FB_TRY(const std::vector<Volume> all, list_volumes(containers()));
  json::Writer out;
  out.begin_array();
  for (const Volume& volume : all) {
    out.begin_object().key("name").string(base::to_utf8(volume.name)).key("shared").boolean(volume.shared);
    out.key("bytes")
        .unsigned_integer(volume.bytes)
        .key("files")
        .unsigned_integer(volume.files)
        .key("used_by")
        .begin_array();
    for (const std::string& user : volume.used_by) out.string(user);
    out.end_array().end_object();
  }
  out.end_array();
  return member("volumes", out.text());
}

Connection::Answer Connection::create_volume(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  FB_CHECK(container::create_volume(containers(), name));
  return "";
}

Connection::Answer Connection::remove_volume(const Node& request, Message&) {
  FB_TRY(const std::string name, text(request, "name"));
  FB_CHECK(container::remove_volume(containers(), name));
  return "";
}

Connection::Answer Connection::shutdown(const Node&, Message&) {
  service_.shutdown();
  return "";
}

}  // namespace fusebox::container
