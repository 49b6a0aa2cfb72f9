// Routes that become streams: a terminal relayed as it is, a process as frames.
#include <charconv>

#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/wire/agent_impl.h"
#include "host/wire/requests.h"
#include "http/frames.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::chrono::hours kStreamTimeoutMax{24};  // a server somebody runs in a sandbox; exec itself ends at 10 min

bool is_same_text(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return (x | 0x20) == (y | 0x20); });
}

bool asks_for(const http::ServerRequest& request, std::string_view protocol) {
  const std::string* upgrade = request.find("upgrade");
  return upgrade != nullptr && is_same_text(*upgrade, protocol);
}

std::string switching(std::string_view protocol, std::string_view more = {}) {
  std::string head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: ";
  return head.append(protocol).append("\r\nConnection: Upgrade\r\n").append(more).append("\r\n");
}

std::optional<std::uint64_t> number_of(const AgentCall& call, std::string_view key) {
  const auto text = call.query.get(key);
  std::uint64_t value = 0;
  if (!text) return {};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return {};
  return value;
}

std::uint16_t side_of(const AgentCall& call, std::string_view key) {
  const std::uint64_t value = number_of(call, key).value_or(0);
  return value <= 65535 ? static_cast<std::uint16_t>(value) : std::uint16_t{0};
}

bool is_set(const AgentCall& call, std::string_view key) {
  const auto value = call.query.get(key);
  return value && (*value == "1" || *value == "true");
}

Result<void> check_arguments(const std::vector<std::string>& argv) {
  std::size_t bytes = 0;
  for (const std::string& argument : argv) bytes += argument.size();
  if (argv.size() > kArgumentsMax || bytes > kArgumentBytesMax)
    return fail(Errc::invalid, "the command has more than 4096 arguments or 4 MiB");
  return {};
}

// Two streams joined; when one side ends, both are closed.
struct Joined {
  std::unique_ptr<http::ByteStream> guest, client;
  base::Completion<bool> ended;
  void close() noexcept {
    guest->close();
    client->close();
  }
};

Task<void> relay(std::shared_ptr<Joined> joined, http::ByteStream* from, http::ByteStream* to) {
  std::string block(kStreamBlockBytes, '\0');
  for (;;) {
    auto got = co_await from->read_some(std::span(block.data(), block.size()));
    if (!got || *got == 0) break;
    auto written = co_await to->write(std::string_view(block.data(), *got));
    if (!written) break;
  }
  joined->close();
}

Task<void> relay_to_client(std::shared_ptr<Joined> joined) {
  co_await relay(joined, joined->guest.get(), joined->client.get());
  joined->ended.set(true);
}

// A process and the connection that shows it.
struct Shown {
  std::unique_ptr<ProcessStream> process;
  std::unique_ptr<http::ByteStream> client;
  StopAny stop;  // ends the stream, not the process
  bool process_ended = false;
};

std::string frames_of(const ProcessEvent& event) {
  using Kind = ProcessEvent::Kind;
  if (event.kind == Kind::exit)
    return http::write_frames(http::FrameType::exit,
                              http::write_exit({event.exit.exit_code, event.exit.signal, event.exit.timed_out}));
  return http::write_frames(event.kind == Kind::out ? http::FrameType::out : http::FrameType::err, event.data);
}

// Its own task, because a process that says nothing cannot be waited for by a handler whose client has gone.
Task<void> show(std::shared_ptr<Shown> shown) {
  for (bool more = true; more;) {
    auto event = co_await shown->process->next();
    if (!event) break;
    if (event->kind == ProcessEvent::Kind::exit) shown->process_ended = true;
    more = event->kind != ProcessEvent::Kind::exit;
    auto written = co_await shown->client->write(frames_of(*event));
    if (!written) break;
  }
  shown->client->close();
}

Task<void> obey(Shown& shown, const http::Frame& frame) {
  using http::FrameType;
  if (frame.is(FrameType::in)) {
    // A process that has closed its input, or ended, is no reason to end the stream.
    (void)co_await shown.process->write_stdin(frame.payload);
  } else if (frame.is(FrameType::end_of_input)) {
    (void)shown.process->close_stdin();
  } else if (frame.is(FrameType::signal)) {
    if (const auto name = http::read_signal(frame.payload)) (void)shown.process->signal(*name);
  } else if (frame.is(FrameType::resize)) {
    const auto size = http::read_resize(frame.payload);
    if (size && size->rows != 0 && size->cols != 0) (void)shown.process->resize({size->rows, size->cols});
  }
}

Task<void> read_commands(std::shared_ptr<Shown> shown) {
  http::FrameReader frames;
  std::string block(kStreamBlockBytes, '\0');
  for (;;) {
    auto got = co_await shown->client->read_some(std::span(block.data(), block.size()));
    if (!got || *got == 0) co_return;
    frames.feed(std::string_view(block.data(), *got));
    for (;;) {
      auto frame = frames.next();
      if (!frame) co_return;
      if (!*frame) break;
      co_await obey(*shown, **frame);
    }
  }
}

struct CloseStream {
  http::ByteStream* stream;
  void operator()() const noexcept { stream->close(); }
};
struct CloseJoined {
  Joined* joined;
  void operator()() const noexcept { joined->close(); }
};

Result<ProcessSpec> process_of(const AgentCall& call) {
  ProcessSpec spec;
  spec.argv = call.query.all("cmd");
  if (spec.argv.empty()) return fail(Errc::invalid, "missing query parameter: 'cmd'");
  FB_CHECK(check_arguments(spec.argv));
  for (const std::string& pair : call.query.all("env")) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return fail(Errc::invalid, "env must be NAME=VALUE");
    spec.env.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  spec.cwd = call.query.get("cwd").value_or("");
  spec.user = call.query.get("user").value_or("");
  spec.tag = call.query.get("tag").value_or("");
  const std::uint64_t timeout_ms = number_of(call, "timeout_ms").value_or(0);
  const auto longest = std::chrono::milliseconds(kStreamTimeoutMax).count();
  spec.timeout = timeout_ms == 0 ? std::chrono::milliseconds(kExecTimeoutMax)
                                 : std::chrono::milliseconds(std::min<std::uint64_t>(timeout_ms, longest));
  const auto input = call.query.get("stdin");
  spec.stdin_open = !input || (*input != "0" && *input != "false");
  if (is_set(call, "tty")) spec.terminal = TerminalSize{side_of(call, "rows"), side_of(call, "cols")};
  spec.kill_with_stream = is_set(call, "kill");
  return spec;
}

}  // namespace

Task<AgentAnswer> AgentServer::Impl::attach(AgentCall& call) {
  if (!asks_for(call.exchange.request(), "fuse-attach/1"))
    co_return fail(Errc::invalid, "attach requires Upgrade: fuse-attach/1");
  if (!is_set(call, "tty"))
    co_return fail(Errc::invalid, "attach requires tty=1; use exec for non-interactive commands");
  AttachSpec spec{.argv = call.query.all("cmd"), .size = {side_of(call, "rows"), side_of(call, "cols")}};
  FB_CO_CHECK(check_arguments(spec.argv));
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  StopAny stop;
  stop.watch(pass.stop());
  stop.watch(stopping.get_token());
  call.context.limit = kUpgradeLimit;
  call.context.stop = stop.token();
  auto joined = std::make_shared<Joined>();
  auto guest = co_await provider.attach(call.context, call.vm, std::move(spec));
  if (!guest) co_return std::unexpected(guest_error(std::move(guest).error(), pass, call.vm));
  joined->guest = std::move(*guest);
  auto client = co_await call.exchange.upgrade(switching("fuse-attach/1"));
  FB_CO_TRY(joined->client, std::move(client));
  const std::stop_callback close(stop.token(), CloseJoined{joined.get()});
  base::spawn(executor, relay_to_client(joined));
  co_await relay(joined, joined->client.get(), joined->guest.get());
  co_await joined->ended.wait(executor);
  co_return AgentAnswer(std::nullopt);
}

Task<AgentAnswer> AgentServer::Impl::exec_stream(AgentCall& call) {
  if (!asks_for(call.exchange.request(), "fuse-exec/1"))
    co_return fail(Errc::invalid, "exec-stream requires Upgrade: fuse-exec/1");
  const auto pid = number_of(call, "pid");
  ProcessSpec spec;
  if (!pid) {
    FB_CO_TRY(spec, process_of(call));
  }
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  auto shown = std::make_shared<Shown>();
  shown->stop.watch(pass.stop());
  shown->stop.watch(stopping.get_token());
  call.context.limit = kUpgradeLimit;
  call.context.stop = shown->stop.token();
  const bool kill = spec.kill_with_stream;
  if (pid) {
    auto process = co_await provider.connect_process(call.context, call.vm, *pid);
    if (!process) co_return std::unexpected(guest_error(std::move(process).error(), pass, call.vm));
    shown->process = std::move(*process);
  } else {
    auto process = co_await provider.start_process(call.context, call.vm, std::move(spec));
    if (!process) co_return std::unexpected(guest_error(std::move(process).error(), pass, call.vm));
    shown->process = std::move(*process);
  }
  const std::string more = "X-Fusebox-Pid: " + std::to_string(shown->process->pid()) + "\r\n";
  auto client = co_await call.exchange.upgrade(switching("fuse-exec/1", more));
  FB_CO_TRY(shown->client, std::move(client));
  const std::stop_callback close(shown->stop.token(), CloseStream{shown->client.get()});
  base::spawn(executor, show(shown));
  co_await read_commands(shown);
  shown->client->close();
  if (kill && !shown->process_ended) (void)shown->process->signal("KILL");
  shown->stop.request();
  co_return AgentAnswer(std::nullopt);
}

}  // namespace fusebox::host
