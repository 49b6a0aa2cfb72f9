#include "cli/container/attach.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <ostream>
#include <thread>

#include "base/bytes.h"
#include "base/json.h"
#include "cli/container/places.h"
#include "cli/container/run_container.h"
#include "cli/container/terminal.h"
#include "cli/interrupt.h"
#include "container/containers.h"
#include "container/daemon/refusal.h"

namespace fusebox::cli {
namespace {

namespace json = base::json;
using container::Client;
using container::State;

constexpr int kWaitMs = 1000;
constexpr int kInputPollMs = 100;  // how soon the reader of standard input sees that all is over
constexpr std::size_t kInputBytes = 16u << 10;

base::Result<container::ExecStatus> wait_exec(Client& client, std::uint64_t id, const InterruptGuard& guard) {
  for (bool asked_to_stop = false;;) {
    if (guard.interrupted() && !asked_to_stop) {
      json::Writer stop = container::request("stop_exec");
      stop.key("id").unsigned_integer(id);
      FB_CHECK(client.ask(std::move(stop)));
      asked_to_stop = true;
    }
    json::Writer asked = container::request("wait_exec");
    asked.key("id").unsigned_integer(id).key("wait_ms").integer(kWaitMs);
    FB_TRY(const json::Document answer, client.ask(std::move(asked)));
    const json::Node* exec = answer.root->find("exec");
    if (exec == nullptr) return base::fail(base::Errc::bug, "the engine's answer has no process");
    const std::string state = container::text_of(*exec, "state");
    if (state != to_string(State::exited) && state != to_string(State::failure)) continue;
    container::ExecStatus status;
    status.state = state == to_string(State::exited) ? State::exited : State::failure;
    status.reason = container::text_of(*exec, "reason");
    if (const json::Node* code = exec->find("exit_code"); code != nullptr)
      status.exit_code = static_cast<std::int32_t>(code->as_i64().value_or(-1));
    return status;
  }
}

void send_size(container::Channel& channel, vfs::WindowSize size) {
  json::Writer out;
  out.begin_object().key("columns").unsigned_integer(size.columns).key("rows").unsigned_integer(size.rows).end_object();
  static_cast<void>(channel.send(out.text()));  // whoever receives notices that the engine has gone
}

// Sends what comes from standard input until it ends or `over`.
void send_input(container::Channel& channel, const std::atomic<bool>& over) {
  std::array<char, kInputBytes> buffer;
  while (!over) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kInputPollMs) <= 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    json::Writer out;
    if (got <= 0) {
      out.begin_object().key("end").boolean(true).end_object();
      static_cast<void>(channel.send(out.text()));
      return;
    }
    out.begin_object().key("data");
    out.string(base::to_base64(base::as_bytes({buffer.data(), static_cast<std::size_t>(got)}))).end_object();
    if (!channel.send(out.text())) return;
  }
}

// True when the container ended, false when the engine went away or this process was interrupted.
base::Result<bool> show_output(container::Channel& channel, const Streams& streams) {
  for (;;) {
    FB_TRY(const auto message, channel.receive());
    if (!message) return false;
    FB_TRY(const json::Document document, json::parse(message->text, {.file = "the engine's output"}));
    if (document.root->find("ok") != nullptr) return base::fail(container::refusal_in(*document.root));
    if (container::flag_of(*document.root, "ended")) return true;
    FB_TRY(const base::Bytes bytes, base::from_base64(container::text_of(*document.root, "data")));
    std::ostream& to = container::number_of(*document.root, "slot") == 2 ? streams.err : streams.out;
    to << base::as_text(bytes);
    to.flush();
  }
}

}  // namespace

int exec_in(const std::string& name, const std::string& module, const std::vector<std::string>& words,
            const std::vector<std::string>& env, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  json::Writer asked = container::request("exec");
  asked.key("name").string(name).key("module").string(module);
  const auto list = [&asked](const char* key, const std::vector<std::string>& texts) {
    asked.key(key).begin_array();
    for (const std::string& text : texts) asked.string(base::to_utf8(text));
    asked.end_array();
  };
  list("args", words);
  list("envs", env);
  const std::array fds{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  InterruptGuard guard([] {});
  const auto answer = client->ask(std::move(asked), fds);
  if (!answer) return report(streams, answer.error());
  const auto ended = wait_exec(*client, container::number_of(*answer->root, "id"), guard);
  if (!ended) return report(streams, ended.error());
  container::Status status;
  status.name = name;
  status.state = ended->state;
  status.exit_code = ended->exit_code;
  status.reason = ended->reason;
  if (status.reason != "exit") report(streams, container_end_text(status));
  return guard.interrupted() ? static_cast<int>(kExitInterrupted) : container_exit_status(status);
}

int attach_to(const std::string& name, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  json::Writer asked = container::request("attach");
  asked.key("name").string(name);
  if (const auto answer = client->ask(std::move(asked)); !answer) return report(streams, answer.error());
  const WindowWatch window([&client](vfs::WindowSize size) { send_size(client->channel(), size); });
  InterruptGuard guard([&client] { client->channel().shut_down(); });
  if (const vfs::WindowSize size = terminal_size(); size.columns != 0) send_size(client->channel(), size);
  std::atomic<bool> over = false;
  std::thread input([&client, &over] { send_input(client->channel(), over); });
  const auto ended = show_output(client->channel(), streams);
  over = true;
  input.join();
  if (guard.interrupted()) return kExitOk;
  if (!ended) return report(streams, ended.error());
  if (!*ended) return report(streams, "the engine went away");
  auto again = reach_engine(WhenAbsent::refuse);
  if (!again) return report(streams, again.error());
  const auto status = again->wait(name, [] { return false; });
  if (!status) return report(streams, status.error());
  return container_exit_status(**status);
}

}  // namespace fusebox::cli
