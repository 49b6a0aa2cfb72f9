#include "cli/fleet/duplex.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <optional>
#include <ostream>

#include "base/wait.h"
#include "cli/fleet/input_pump.h"
#include "cli/fleet/signal_watch.h"
#include "http/frames.h"

namespace fusebox::cli::fleet {
namespace {

using base::Errc;
using http::FrameType;

constexpr std::size_t kReadBytes = 64u << 10;

base::Result<int> exit_status_of(std::string_view payload) {
  const auto exit = http::read_exit(payload);
  if (!exit) return base::fail(Errc::io, "the server sent no usable exit status");
  return own_exit_status(exit->exit_code);
}

// All of it belongs to the loop's thread.
class Duplex {
 public:
  Duplex(ApiClient& api, http::ByteStream& stream, const DuplexOptions& options, const Streams& streams)
      : stream_(stream), options_(options), streams_(streams), more_(api.loop()) {}

  base::Task<base::Result<int>> run(base::Executor& loop) {
    base::TaskScope writers(loop);
    writers.spawn(write_all());
    auto status = co_await read_all();
    over_ = true;
    stream_.close();
    more_.notify();
    co_await writers.all_ended();
    co_return status;
  }

  // `then` runs when the bytes have been written, or will not be.
  void send(FrameType type, std::string_view payload, base::Work then = {}) {
    waiting_.push_back({http::write_frames(type, payload), std::move(then)});
    more_.notify();
  }
  // The user wants out; the run ends with `status`.
  void leave(int status) {
    left_ = status;
    stream_.close();
  }

 private:
  struct Waiting {
    std::string bytes;
    base::Work then;
  };

  base::Task<void> write_all() {
    while (!over_) {
      if (waiting_.empty()) {
        co_await more_.wait();
        continue;
      }
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      const auto written = co_await stream_.write(next.bytes);
      if (next.then) next.then();
      if (!written) co_return;  // the reader finds out why
    }
  }

  base::Task<base::Result<int>> read_all() {
    std::array<char, kReadBytes> buffer;
    for (;;) {
      auto got = co_await stream_.read_some(buffer);
      if (left_) co_return *left_;
      if (!got) co_return std::unexpected(got.error());
      if (*got == 0) co_return base::fail(Errc::unavailable, "the connection ended before the process did");
      frames_.feed({buffer.data(), *got});
      for (;;) {
        auto frame = frames_.next();
        if (!frame) co_return std::unexpected(frame.error());
        if (!*frame) break;
        if ((*frame)->is(FrameType::exit)) co_return exit_status_of((*frame)->payload);
        show(**frame);
      }
    }
  }

  void show(const http::Frame& frame) {
    if (!frame.is(FrameType::out) && !frame.is(FrameType::err)) return;
    std::ostream& to = frame.is(FrameType::err) ? streams_.err : streams_.out;
    to.write(frame.payload.data(), static_cast<std::streamsize>(frame.payload.size()));
    to.flush();
  }

  http::ByteStream& stream_;
  const DuplexOptions& options_;
  const Streams& streams_;
  http::FrameReader frames_;
  base::Signal more_;
  std::deque<Waiting> waiting_;  // input: one piece at a time, by InputPump; the rest are a few resizes and signals
  bool over_ = false;
  std::optional<int> left_;
};

void send_size(Duplex& duplex) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
  duplex.send(FrameType::resize, http::write_resize({size.ws_row, size.ws_col}));
}

}  // namespace

int own_exit_status(std::int64_t exit_code) noexcept {
  return exit_code >= 0 && exit_code <= 255 ? static_cast<int>(exit_code) : 255;
}

std::vector<int> duplex_signals(bool terminal) {
  if (terminal) return {SIGWINCH};
  return {SIGINT, SIGTERM};
}

base::Result<int> run_duplex(ApiClient& api, std::unique_ptr<http::ByteStream> stream, const DuplexOptions& options,
                             const Streams& streams) {
  Duplex duplex(api, *stream, options, streams);
  EscapeFilter escape;
  int interrupts = 0;
  const auto on_signal = [&](int signal) {
    if (signal == SIGWINCH) return send_size(duplex);
    if (++interrupts > 1) return duplex.leave(kExitInterrupted);
    duplex.send(FrameType::signal, http::write_signal(signal == SIGINT ? "INT" : "TERM"));
  };
  // Under a terminal Ctrl-C is a key like any other.
  const SignalWatch watch(duplex_signals(options.terminal), api.loop(), on_signal);
  InputPump* reading = nullptr;  // set before the loop runs, so before any piece comes
  InputPump input(options.input_fd, api.loop(), [&](std::string piece) {
    if (piece.empty()) {
      if (!options.terminal) duplex.send(FrameType::end_of_input, {});
      return;
    }
    bool left = false;
    const std::string typed = options.terminal ? escape.pass(piece, left) : std::move(piece);
    if (left) {
      report(streams, "left the terminal");
      return duplex.leave(kExitOk);
    }
    if (typed.empty()) return reading->taken();
    duplex.send(FrameType::in, typed, [&reading] { reading->taken(); });
  });
  reading = &input;
  return api.run(duplex.run(api.loop()));
}

std::string EscapeFilter::pass(std::string_view typed, bool& left) {
  std::string passed;
  for (const char c : typed) {
    if (state_ == State::tilde && c == '.') {
      left = true;
      return passed;
    }
    if (state_ == State::tilde && c != '~') passed += '~';
    if (state_ == State::line_start && c == '~') {
      state_ = State::tilde;  // held back until the next key says what it was
      continue;
    }
    state_ = c == '\r' || c == '\n' ? State::line_start : State::inside;
    passed += c;
  }
  return passed;
}

}  // namespace fusebox::cli::fleet
