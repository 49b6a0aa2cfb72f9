#include "vfs/console/console.h"

#include <mutex>
#include <optional>

#include "vfs/device/device_file.h"
#include "vfs/pipe/pipe.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

constexpr const char* kAliases[3] = {"stdin", "stdout", "stderr"};

class NullConsole final : public Console {
 public:
  Io<std::size_t> read(Call&, ReadBuffers) override { return 0; }
  Io<std::size_t> write(Call&, WriteBuffers from) override { return size_of(from); }
  Readiness poll(Call&, bool) override { return {.ready = true}; }
};

class LogConsole final : public Console {
 public:
  LogConsole(std::shared_ptr<LogStore> store, std::string instance, std::uint32_t ring_bytes)
      : store_(std::move(store)), instance_(std::move(instance)), ring_bytes_(ring_bytes) {}
  Io<std::size_t> read(Call&, ReadBuffers) override { return 0; }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    store_->append(instance_, from, ring_bytes_);
    return size_of(from);
  }
  Readiness poll(Call&, bool) override { return {.ready = true}; }

 private:
  std::shared_ptr<LogStore> store_;
  std::string instance_;
  std::uint32_t ring_bytes_;
};

class PipeConsole final : public Console {
 public:
  explicit PipeConsole(PipeEnd end) : reads_(end.side() == PipeEnd::Side::read), end_(std::move(end)) {}
  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    if (!reads_) return 0;
    const auto pipe = attached();
    return pipe ? pipe->read(call, to) : Io<std::size_t>(0);
  }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    if (reads_) return fail(Errno::badf);
    const auto pipe = attached();
    return pipe ? pipe->write_over(from) : size_of(from);
  }
  Readiness poll(Call& call, bool for_writing) override {
    const auto pipe = attached();
    if (!pipe || !reads_ || for_writing) return {.ready = true};
    return pipe->poll(call, false);
  }
  void detach() noexcept override {
    const std::lock_guard lock(mutex_);
    end_.reset();
  }

 private:
  std::shared_ptr<Pipe> attached() {
    const std::lock_guard lock(mutex_);
    return end_ ? end_->pipe() : nullptr;
  }
  const bool reads_;
  std::mutex mutex_;
  std::optional<PipeEnd> end_;  // guarded by mutex_
};

class ConsoleFile final : public DeviceFile {
 public:
  ConsoleFile(const Stat& node, FdFlags flags, std::shared_ptr<Console> console)
      : DeviceFile(node, flags), console_(std::move(console)) {}
  Io<std::size_t> read(Call& call, ReadBuffers to) override { return console_->read(call, to); }
  Io<std::size_t> write(Call& call, WriteBuffers from) override { return console_->write(call, from); }
  Readiness poll(Call& call, bool for_writing) override { return console_->poll(call, for_writing); }

 private:
  std::shared_ptr<Console> console_;
};

}  // namespace

std::shared_ptr<Console> make_null_console() {
  return std::make_shared<NullConsole>();
}

std::shared_ptr<Console> make_log_console(std::shared_ptr<LogStore> store, std::string instance,
                                          std::uint32_t ring_bytes) {
  return std::make_shared<LogConsole>(std::move(store), std::move(instance), ring_bytes);
}

Io<std::shared_ptr<Console>> make_pipe_console(PipePool& pool, std::string_view pipe_name, int slot) {
  auto end = pool.attach_console(pipe_name, slot == 0 ? PipeEnd::Side::read : PipeEnd::Side::write);
  if (!end) return fail(end.error());
  return std::make_shared<PipeConsole>(std::move(*end));
}

std::unique_ptr<File> open_console(std::shared_ptr<Console> console, int slot) {
  const Stat node{
      .device = device_code("Cons"), .inode = inode_of(std::string("/dev/") + kAliases[slot]), .type = console->type()};
  return std::make_unique<ConsoleFile>(node, FdFlags{0}, std::move(console));
}

Device console_alias(std::shared_ptr<Console> console, int slot) {
  return {.name = kAliases[slot],
          .code = device_code("stda"),
          .open = [console = std::move(console)](Call&, const OpenRequest& request, const Stat& node)
              -> Io<std::unique_ptr<File>> { return std::make_unique<ConsoleFile>(node, request.flags, console); }};
}

}  // namespace fusebox::vfs
