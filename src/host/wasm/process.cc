#include "host/wasm/process.h"

#include <array>
#include <charconv>

#include "base/text.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::int32_t kExitTimedOut = 124;
constexpr std::int32_t kExitCannotRun = 126;
constexpr std::int32_t kExitTrapped = 134;
constexpr std::int32_t kExitSignal = 128;
constexpr int kSignalKill = 9;

struct Signal {
  std::string_view name;
  int number;
};
// Those that end a process; all act alike on a module, which has no handlers.
constexpr std::array kSignals{Signal{"HUP", 1},  Signal{"INT", 2},   Signal{"QUIT", 3},  Signal{"ABRT", 6},
                              Signal{"KILL", 9}, Signal{"USR1", 10}, Signal{"USR2", 12}, Signal{"TERM", 15}};

class Stream final : public ProcessStream {
 public:
  Stream(std::shared_ptr<WasmProcess> process, base::Executor& executor, bool kill)
      : process_(std::move(process)), executor_(executor), kill_(kill), cursor_(process_->output->attach()) {}
  ~Stream() override {
    process_->output->detach(cursor_);
    if (kill_) (void)process_->kill(kSignalKill);
  }

  std::uint64_t pid() const noexcept override { return process_->info.pid; }
  Task<Result<ProcessEvent>> next() override {
    for (;;) {
      if (cursor_.over) co_return fail(Errc::not_found, "the process has ended and everything was given");
      base::Completion<bool> changed;
      std::optional<ProcessEvent> event = process_->output->take(cursor_, changed);
      if (event) co_return std::move(*event);
      co_await changed.wait(executor_);
    }
  }
  Task<Result<void>> write_stdin(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (!process_->input->is_open()) co_return fail(Errc::not_found, "the process reads no input any more");
      base::Completion<bool> changed;
      const std::size_t size = process_->input->write(bytes, changed);
      bytes.remove_prefix(size);
      if (size == 0 && process_->input->is_open()) co_await changed.wait(executor_);
    }
    co_return Result<void>();
  }
  Result<void> close_stdin() override {
    process_->input->close();
    return {};
  }
  Result<void> signal(std::string_view name) override {
    FB_TRY(const int number, signal_number(name));
    return process_->kill(number);
  }
  Result<void> resize(TerminalSize) override { return fail(Errc::unsupported, "a module has no terminal"); }

 private:
  std::shared_ptr<WasmProcess> process_;
  base::Executor& executor_;
  bool kill_;
  ProcessOutput::Cursor cursor_;
};

}  // namespace

Result<void> WasmProcess::kill(int number) {
  if (!guest || !running()) return fail(Errc::not_found, "process " + std::to_string(info.pid) + " does not run");
  int none = 0;
  signal.compare_exchange_strong(none, number);
  guest->request_stop();
  return {};
}

Result<int> signal_number(std::string_view name) {
  if (name.starts_with("SIG")) name.remove_prefix(3);
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool is_number = error == std::errc() && end == name.data() + name.size();
  for (const Signal& one : kSignals) {
    if (one.name == name || (is_number && one.number == number)) return one.number;
  }
  return fail(Errc::invalid, "signal " + base::in_quotes(name) + " cannot be sent; KILL, TERM, INT, HUP, QUIT can");
}

std::string_view signal_name(int number) noexcept {
  for (const Signal& one : kSignals) {
    if (one.number == number) return one.name;
  }
  return {};
}

ExitStatus exit_of(const container::SpaceEnd& end, int signal, ProcessOutput& output) {
  ExitStatus exit;
  if (end.state == container::State::exited && end.reason == "exit") {
    exit.exit_code = end.exit_code;
    return exit;
  }
  if (end.reason == "stopped") {
    const int number = signal != 0 ? signal : kSignalKill;
    exit.exit_code = kExitSignal + number;
    exit.signal = signal_name(number);
    return exit;
  }
  if (end.reason == "wall-limit") {
    exit.exit_code = kExitTimedOut;
    exit.timed_out = true;
    return exit;
  }
  std::string text = end.message.empty() ? end.reason : end.message;
  text.erase(0, text.find_first_not_of(": "));
  output.write(ProcessEvent::Kind::err, "fusebox: " + text + "\n");
  if (end.reason.starts_with("signal:")) {
    int number = 0;
    const std::string_view digits = std::string_view(end.reason).substr(7);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    exit.exit_code = kExitSignal + number;
    exit.signal = signal_name(number);
    return exit;
  }
  const bool was_never_run = end.reason.starts_with("bad-") || end.reason == "no-entry";
  exit.exit_code = was_never_run ? kExitCannotRun : kExitTrapped;
  return exit;
}

std::unique_ptr<ProcessStream> stream_of(std::shared_ptr<WasmProcess> process, base::Executor& executor,
                                         bool kill_with_stream) {
  return std::make_unique<Stream>(std::move(process), executor, kill_with_stream);
}

}  // namespace fusebox::host
