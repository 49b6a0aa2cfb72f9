#include "host/wire/remote_process.h"

#include <charconv>
#include <deque>
#include <functional>
#include <optional>

#include "base/wait.h"
#include "host/api/deadlines.h"
#include "host/wire/guest_shell.h"
#include "host/wire/limits.h"
#include "http/frames.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::size_t kQueuedFramesMax = 1024;  // signals and sizes nobody has taken yet

base::Error ended() {
  return {Errc::not_found, "the process has ended", {}, nullptr};
}
base::Error stopped() {
  return {Errc::stopped, "the stream was closed", {}, nullptr};
}

// What the tasks of a framed stream share, so that it may go while they wait.
struct Framed {
  struct Close {
    Framed* framed;
    void operator()() const noexcept { framed->close(); }
  };
  Framed(std::unique_ptr<http::ByteStream> given, base::Executor& where)
      : stream(std::move(given)), executor(where), written(where) {}
  void close() noexcept {
    closed = true;
    stream->close();
  }

  std::unique_ptr<http::ByteStream> stream;
  base::Executor& executor;
  http::FrameReader frames;
  bool exited = false, closed = false, broken = false;
  std::deque<std::string> queue;  // frames to be written, in order
  bool writing = false;
  base::Signal written;  // the queue became empty, or the stream broke
  std::optional<std::stop_callback<Close>> on_stop;
};

Task<void> write_queue(std::shared_ptr<Framed> framed) {
  while (!framed->queue.empty() && !framed->broken) {
    const std::string frame = std::move(framed->queue.front());
    framed->queue.pop_front();
    auto sent = co_await framed->stream->write(frame);
    if (!sent) framed->broken = true;
  }
  framed->writing = false;
  framed->written.notify();
}

Result<void> enqueue(const std::shared_ptr<Framed>& framed, std::string frame) {
  if (framed->exited) return fail(ended());
  if (framed->closed) return fail(stopped());
  if (framed->broken) return fail(Errc::unavailable, "the connection to the process broke");
  if (framed->queue.size() >= kQueuedFramesMax) return fail(Errc::exhausted, "the process takes nothing");
  framed->queue.push_back(std::move(frame));
  if (!std::exchange(framed->writing, true)) base::spawn(framed->executor, write_queue(framed));
  return {};
}

Task<Result<void>> write_input(std::shared_ptr<Framed> framed, std::string bytes) {
  FB_CO_CHECK(enqueue(framed, http::write_frames(http::FrameType::in, bytes)));
  while (framed->writing) co_await framed->written.wait();
  if (framed->broken && !framed->exited) co_return fail(Errc::unavailable, "the connection to the process broke");
  co_return Result<void>();
}

std::optional<ProcessEvent> event_of(http::Frame frame) {
  ProcessEvent event;
  if (frame.is(http::FrameType::out) || frame.is(http::FrameType::err)) {
    event.kind = frame.is(http::FrameType::out) ? ProcessEvent::Kind::out : ProcessEvent::Kind::err;
    event.data = std::move(frame.payload);
    return event;
  }
  if (!frame.is(http::FrameType::exit)) return {};
  const auto exit = http::read_exit(frame.payload);
  if (!exit) return {};
  event.kind = ProcessEvent::Kind::exit;
  event.exit = {exit->exit_code, exit->signal, exit->timed_out};
  return event;
}

Task<Result<ProcessEvent>> next_event(std::shared_ptr<Framed> framed) {
  std::string block(kStreamBlockBytes, '\0');
  while (!framed->exited) {
    FB_CO_TRY(std::optional<http::Frame> frame, framed->frames.next());
    if (frame) {
      auto event = event_of(std::move(*frame));
      if (!event) continue;
      if (event->kind == ProcessEvent::Kind::exit) framed->exited = true;
      co_return std::move(*event);
    }
    if (framed->closed) co_return fail(stopped());
    auto got = co_await framed->stream->read_some(std::span(block.data(), block.size()));
    if (framed->closed) co_return fail(stopped());
    if (!got) co_return std::unexpected(std::move(got).error());
    if (*got == 0) co_return fail(Errc::unavailable, "the agent ended the stream before the process ended");
    framed->frames.feed(std::string_view(block.data(), *got));
  }
  co_return fail(ended());
}

class FramedProcess final : public ProcessStream {
 public:
  FramedProcess(std::shared_ptr<Framed> framed, std::uint64_t pid) : framed_(std::move(framed)), pid_(pid) {}
  ~FramedProcess() override {
    framed_->on_stop.reset();
    framed_->close();
  }
  std::uint64_t pid() const noexcept override { return pid_; }
  Task<Result<ProcessEvent>> next() override { return next_event(framed_); }
  Task<Result<void>> write_stdin(std::string_view bytes) override { return write_input(framed_, std::string(bytes)); }
  Result<void> close_stdin() override { return send(http::FrameType::end_of_input, {}); }
  Result<void> signal(std::string_view name) override {
    return send(http::FrameType::signal, http::write_signal(name));
  }
  Result<void> resize(TerminalSize size) override {
    return send(http::FrameType::resize, http::write_resize({size.rows, size.cols}));
  }

 private:
  Result<void> send(http::FrameType type, std::string_view payload) {
    return enqueue(framed_, http::write_frames(type, payload));
  }
  std::shared_ptr<Framed> framed_;
  std::uint64_t pid_;
};

// What the tasks of an exec that is shown as a stream share.
struct Whole {
  Whole(Provider& with, base::Executor& where, CallContext given, std::string of, ProcessSpec what)
      : provider(with),
        executor(where),
        context(std::move(given)),
        vm(std::move(of)),
        spec(std::move(what)),
        changed(where) {}
  Provider& provider;
  base::Executor& executor;
  CallContext context;
  const std::string vm;
  ProcessSpec spec;
  std::stop_source stop;  // of the exec
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
  bool begun = false, finished = false, closed = false;
  std::deque<ProcessEvent> events;
  std::optional<base::Error> error;
  base::Signal changed;
};

Task<void> run_whole(std::shared_ptr<Whole> whole) {
  CallContext context = whole->context;
  context.stop = whole->stop.get_token();
  context.limit = std::max<base::Nanos>(context.limit, whole->spec.timeout + kExecSlack);
  auto result = co_await whole->provider.exec(std::move(context), whole->vm, std::move(whole->spec));
  using Kind = ProcessEvent::Kind;
  if (result) {
    if (!result->out.empty()) whole->events.push_back({Kind::out, std::move(result->out), {}});
    if (!result->err.empty()) whole->events.push_back({Kind::err, std::move(result->err), {}});
    whole->events.push_back({Kind::exit, {}, result->exit});
  } else {
    whole->error = std::move(result).error();
  }
  whole->finished = true;
  whole->changed.notify();
}

void begin(const std::shared_ptr<Whole>& whole) {
  if (std::exchange(whole->begun, true)) return;
  base::spawn(whole->executor, run_whole(whole));
}

Task<Result<ProcessEvent>> next_event(std::shared_ptr<Whole> whole) {
  while (!whole->finished && !whole->closed) co_await whole->changed.wait();
  if (whole->closed) co_return fail(stopped());
  if (whole->error) co_return fail(*whole->error);
  if (whole->events.empty()) co_return fail(ended());
  ProcessEvent event = std::move(whole->events.front());
  whole->events.pop_front();
  co_return event;
}

class WholeProcess final : public ProcessStream {
 public:
  explicit WholeProcess(std::shared_ptr<Whole> whole) : whole_(std::move(whole)) {}
  ~WholeProcess() override {
    whole_->on_stop.reset();
    close();
  }
  void close() {
    whole_->closed = true;
    if (whole_->spec.kill_with_stream || !whole_->begun) whole_->stop.request_stop();
    whole_->changed.notify();
  }
  std::uint64_t pid() const noexcept override { return 0; }
  Task<Result<ProcessEvent>> next() override { return next_event(whole_); }
  Task<Result<void>> write_stdin(std::string_view bytes) override {
    if (whole_->begun) co_return fail(Errc::invalid, "the input of the process is closed");
    if (whole_->spec.stdin_bytes.size() + bytes.size() > kShellInputBytesMax)
      co_return fail(Errc::unsupported, "the agent of this host takes at most 64 KiB of standard input");
    whole_->spec.stdin_bytes.append(bytes);
    co_return Result<void>();
  }
  Result<void> close_stdin() override {
    begin(whole_);
    return {};
  }
  Result<void> signal(std::string_view name) override {
    if (name != "KILL") return fail(Errc::unsupported, "the agent of this host cannot signal a process");
    whole_->stop.request_stop();
    return {};
  }
  Result<void> resize(TerminalSize) override {
    return fail(Errc::unsupported, "the agent of this host has no terminals for processes");
  }

 private:
  std::shared_ptr<Whole> whole_;
};

}  // namespace

std::unique_ptr<ProcessStream> process_of(http::Upgraded upgraded, base::Executor& executor, std::stop_token stop) {
  std::uint64_t pid = 0;
  if (const std::string* text = upgraded.head.find("x-fusebox-pid"))
    (void)std::from_chars(text->data(), text->data() + text->size(), pid);
  auto framed = std::make_shared<Framed>(std::move(upgraded.stream), executor);
  framed->on_stop.emplace(std::move(stop), Framed::Close{framed.get()});
  return std::make_unique<FramedProcess>(std::move(framed), pid);
}

Result<std::unique_ptr<ProcessStream>> process_by_exec(Provider& provider, base::Executor& executor,
                                                       CallContext context, std::string vm, ProcessSpec spec) {
  if (spec.terminal) return fail(Errc::unsupported, "the agent of this host has no terminals for processes");
  const bool waits_for_input = spec.stdin_open;
  std::stop_token stop = context.stop;
  auto whole = std::make_shared<Whole>(provider, executor, std::move(context), std::move(vm), std::move(spec));
  auto process = std::make_unique<WholeProcess>(whole);
  whole->on_stop.emplace(std::move(stop), [stream = process.get()] { stream->close(); });
  if (!waits_for_input) begin(whole);
  return process;
}

}  // namespace fusebox::host
