#include "container/core/attachment.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.h"
#include "container/config/options.h"
#include "vfs/blocking_wait.h"
#include "vfs/pipe/pipe.h"

namespace fusebox::container {
namespace {

constexpr std::size_t kPieceBytes = 4096;

using Pipes = std::array<std::optional<vfs::PipeEnd>, 3>;

// Follows the log's ring and the pipes of one run's consoles.
class Follower final : public Attachment {
 public:
  Follower(std::shared_ptr<Containers::Core> core, std::string name, std::uint64_t run, Pipes pipes, bool follows_log)
      : core_(std::move(core)), name_(std::move(name)), run_(run), pipes_(std::move(pipes)), follows_log_(follows_log) {
    if (!follows_log_) return;
    if (const auto tail = core_->logs()->tail(name_, 0)) log_at_ = tail->next;
  }

  std::optional<Output> next(base::Nanos timeout) override {
    const auto until = std::chrono::steady_clock::now() + std::min<base::Nanos>(timeout, std::chrono::hours(24));
    for (;;) {
      waits_.clear();
      waits_.changed(core_->logs()->changes(), core_->logs()->changes()->version());
      const std::shared_ptr<vfs::WakeList> events(core_->events(), &core_->events()->changed());
      waits_.changed(events, events->version());
      const bool over = ended();  // asked before the outputs: what it wrote last is read below
      if (std::optional<Output> output = take()) return output;
      if (over) return Output{1, {}};
      if (std::chrono::steady_clock::now() >= until) return std::nullopt;
      vfs::wait_any(waits_, until);
    }
  }

  vfs::Io<std::size_t> write(std::string_view bytes) override {
    if (!pipes_[0]) return vfs::fail(vfs::Errno::badf);
    if (ended()) return vfs::fail(vfs::Errno::pipe);
    const base::ByteView view = base::as_bytes(bytes);
    return pipes_[0]->pipe()->write({&view, 1});
  }
  void close_input() noexcept override { pipes_[0].reset(); }
  void resize(vfs::WindowSize size) override {
    if (!ended()) static_cast<void>(core_->resize(name_, size));  // it may end in between: then nobody looks at it
  }

 private:
  bool ended() const {
    const auto status = core_->status(name_);
    return !status || status->run != run_ || is_terminal(status->state);
  }

  std::optional<Output> take() {
    for (int slot = 1; slot <= 2; ++slot) {
      const auto& end = pipes_[static_cast<std::size_t>(slot)];
      if (!end) continue;
      std::array<std::byte, kPieceBytes> piece;
      const std::span<std::byte> view(piece);
      vfs::Call call{.clock = *core_->options().clock, .waits = waits_, .redirect = {}};
      const auto got = end->pipe()->read(call, {&view, 1});
      if (got && *got > 0) return Output{slot, std::string(base::as_text(base::ByteView(piece).first(*got)))};
    }
    if (!follows_log_) return std::nullopt;
    auto tail = core_->logs()->tail(name_, log_at_);
    if (!tail || tail->bytes.empty()) return std::nullopt;
    log_at_ = tail->next;
    return Output{1, std::move(tail->bytes)};
  }

  std::shared_ptr<Containers::Core> core_;
  std::string name_;
  std::uint64_t run_;
  Pipes pipes_;
  bool follows_log_;
  std::uint64_t log_at_ = 0;
  vfs::WaitSet waits_;
};

}  // namespace

Controlled<std::unique_ptr<Attachment>> make_attachment(Containers::Core& core, std::string_view name) {
  const auto status = core.status(name);
  if (!status || !is_live(status->state)) return refuse(vfs::Errno::noent, base::in_quotes(name) + " does not run");
  const auto config = core.run_config(name);
  if (!config) return refuse(vfs::Errno::noent, base::in_quotes(name) + " does not run");
  Pipes pipes;
  bool follows_log = false;
  for (std::size_t slot = 0; slot < pipes.size(); ++slot) {
    const DeviceConfig& console = config->console[slot];
    follows_log = follows_log || (slot > 0 && (console.name.empty() || console.name == "log"));
    if (console.name != "pipe") continue;
    const std::string pipe = console_pipe(console.options, name, slot);
    auto end = core.pipes()->attach_console(pipe, slot == 0 ? vfs::PipeEnd::Side::write : vfs::PipeEnd::Side::read);
    if (!end) return refuse(end.error(), "console pipe " + pipe + " cannot be attached");
    pipes[slot].emplace(std::move(*end));
  }
  return std::make_unique<Follower>(core.shared_from_this(), std::string(name), status->run, std::move(pipes),
                                    follows_log);
}

}  // namespace fusebox::container
