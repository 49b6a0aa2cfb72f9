// Connections that change their protocol: terminals, commands over frames, desktops.
#include <algorithm>
#include <charconv>
#include <utility>

#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api/streams/guest_agent.h"
#include "fleet/api/streams/guest_call.h"
#include "fleet/api/streams/process_pump.h"
#include "fleet/api/streams/relay.h"
#include "fleet/api/streams/stream_end.h"
#include "fleet/api_error.h"
#include "http/frames.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::chrono::seconds kHandshakeLimit{15};                               // contract 6.1
constexpr std::chrono::milliseconds kExecDefault{60'000}, kExecLongest{600'000};  // contract 5.4

bool asks_for(const Call& call, std::string_view protocol) {
  const std::string* upgrade = call.http.request().find("upgrade");
  if (upgrade == nullptr) return false;
  return std::ranges::equal(*upgrade, protocol,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; });
}

// Exactly what clients of the reference compare with.
std::string switching_to(std::string_view protocol) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + std::string(protocol) + "\r\nConnection: Upgrade\r\n\r\n";
}

std::optional<std::int64_t> number(std::optional<std::string_view> text) {
  if (!text) return {};
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || stop != text->data() + text->size()) return {};
  return value;
}

std::uint16_t side(const Call& call, std::string_view name) {
  const std::int64_t value = number(call.query.get(name)).value_or(0);
  return value >= 1 && value <= 65535 ? static_cast<std::uint16_t>(value) : 0;
}

std::unexpected<base::Error> too_many_streams() {
  return refuse(503, "too many streams are open; try again", Details{{"limit", std::to_string(kRelaysMax)}});
}

base::Result<void> apply(host::ProcessStream& process, const http::Frame& frame) {
  if (frame.is(http::FrameType::end_of_input)) return process.close_stdin();
  if (frame.is(http::FrameType::signal)) {
    const auto name = http::read_signal(frame.payload);
    return name ? process.signal(*name) : base::Result<void>{};
  }
  if (frame.is(http::FrameType::resize)) {
    const auto size = http::read_resize(frame.payload);
    return size ? process.resize({size->rows, size->cols}) : base::Result<void>{};
  }
  return {};
}

base::Task<bool> apply_all(ProcessPtr process, std::vector<http::Frame> frames) {
  for (const http::Frame& frame : frames) {
    if (frame.is(http::FrameType::in)) {
      const auto written = co_await process->thing->write_stdin(frame.payload);
      (void)written;  // a process that reads no more input still has output
    } else {
      const auto applied = apply(*process->thing, frame);
      (void)applied;
    }
  }
  co_return true;
}

// What the client sends, turned into calls of the process; until either side ends. Begins and ends at home.
base::Task<void> frames_to_process(Call& call, http::ByteStream& near, ProcessPtr process) {
  base::Executor& there = call.services.engine.executor();
  std::vector<char> buffer(kRelayBytes);
  http::FrameReader reader;
  bool open = true;
  while (open) {
    const auto got = co_await near.read_some(buffer);
    if (!got || *got == 0) break;
    reader.feed({buffer.data(), *got});
    std::vector<http::Frame> frames;
    while (true) {
      auto frame = reader.next();
      open = frame.has_value();
      if (!open || !*frame) break;
      frames.push_back(std::move(**frame));
    }
    if (frames.empty()) continue;
    const bool applied = co_await on(there, call.home(), apply_all(process, std::move(frames)));
    open = open && applied;
  }
  kill_soon(there, process);  // who no longer listens has no use for the command
}

std::string frames_of(const host::ProcessEvent& event) {
  if (event.kind == host::ProcessEvent::Kind::exit) {
    return http::write_frames(http::FrameType::exit,
                              http::write_exit({event.exit.exit_code, event.exit.signal, event.exit.timed_out}));
  }
  const bool out = event.kind == host::ProcessEvent::Kind::out;
  return http::write_frames(out ? http::FrameType::out : http::FrameType::err, event.data);
}

base::Task<void> serve_frames(Call& call, http::ByteStream& near, ProcessPtr process) {
  base::Executor& there = call.services.engine.executor();
  const StreamEnd end(
      call,
      [&there, &near, process] {
        kill_soon(there, process);
        near.close();
      },
      StreamEnd::Until::limit, process->lease->ended());
  const base::Completion<bool> up;
  base::spawn(call.home(), frames_to_process(call, near, process), [up] { up.set(true); });
  while (true) {
    const auto event = co_await next_event(there, call.home(), process);
    if (!event) break;
    const std::string frames = frames_of(*event);
    const auto written = co_await near.write(frames);
    if (!written || event->kind == host::ProcessEvent::Kind::exit) break;
  }
  near.close();
  co_await up.wait(call.home());
}

}  // namespace

base::Task<Answer> attach(Call& call) {
  if (!asks_for(call, "fuse-attach/1")) co_return refuse(400, "attach requires Upgrade: fuse-attach/1");
  if (!call.flag("tty")) {
    co_return refuse(400, "attach requires tty=1; use ?action=exec for non-interactive commands");
  }
  const auto place = call.services.relays.take();
  if (!place) co_return too_many_streams();
  const host::AttachSpec spec{call.query.all("cmd"), {side(call, "rows"), side(call, "cols")}};
  const RequestInfo info = call.info();
  Opener<http::ByteStream> open =
      [&info, &spec](GuestLease& guest) -> base::Task<base::Result<std::unique_ptr<http::ByteStream>>> {
    co_return co_await guest.provider().attach(context_for(guest, info, kHandshakeLimit), guest.row().host_vm_name,
                                               spec);
  };
  auto opened =
      co_await open_in_guest<http::ByteStream>({call.services.engine, call.home(), info, call.id()}, std::move(open));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const OpenedPtr<http::ByteStream> guest = std::move(*opened);
  auto near = co_await call.http.upgrade(switching_to("fuse-attach/1"));
  if (!near) co_return sent_reply();
  {
    http::ByteStream& client = **near;
    const StreamEnd end(call, [&client] { client.close(); }, StreamEnd::Until::close, guest->lease->ended());
    // The lease lives as long as the far side does: the pointer shares both.
    co_await relay(call.home(), client, call.services.engine.executor(),
                   std::shared_ptr<http::ByteStream>(guest, guest->thing.get()));
  }
  co_return sent_reply();
}

base::Task<Answer> exec_stream(Call& call) {
  if (!asks_for(call, "fuse-exec/1")) co_return refuse(400, "exec requires Upgrade: fuse-exec/1");
  host::ProcessSpec process;
  process.argv = call.query.all("cmd");
  if (process.argv.empty()) co_return refuse(400, "one of cmd or shell is required");
  process.cwd = call.text("cwd");
  process.stdin_open = true;
  process.kill_with_stream = true;
  const std::int64_t asked = number(call.query.get("timeout_ms")).value_or(0);
  process.timeout = asked <= 0 ? kExecDefault : std::min(std::chrono::milliseconds(asked), kExecLongest);
  const auto place = call.services.relays.take();
  if (!place) co_return too_many_streams();
  auto opened = co_await open_process({call.services.engine, call.home(), call.info(), call.id()}, std::move(process));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const ProcessPtr running = std::move(*opened);
  auto near = co_await call.http.upgrade(switching_to("fuse-exec/1"));
  if (!near) co_return sent_reply();
  co_await serve_frames(call, **near, running);
  co_return sent_reply();
}

base::Task<Answer> computer_stream(Call& call) {
  if (!asks_for(call, "fuse-vnc/1")) co_return refuse(400, "stream requires Upgrade: fuse-vnc/1");
  const auto place = call.services.relays.take();
  if (!place) co_return too_many_streams();
  auto opened = co_await open_desktop(call);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  Desktop desktop = std::move(*opened);
  auto near = co_await call.http.upgrade(switching_to("fuse-vnc/1"));
  if (!near) co_return sent_reply();
  {
    http::ByteStream& client = **near;
    const StreamEnd end(call, [&client] { client.close(); }, StreamEnd::Until::close, desktop.lease->ended());
    co_await relay(call.home(), client, call.home(), desktop.stream);
  }
  co_return sent_reply();
}

}  // namespace fusebox::fleet::handle
