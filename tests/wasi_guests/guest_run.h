// Runs a guest of guest/containers on the real engine, WASI and VFS, without the container face: one process, one thread.
//
//   GuestRun run("tools", {"cat", "/data/a"});
//   run.write("a", "text");
//   run.finish();             EXPECT_EQ(run.exit_code, 0); EXPECT_EQ(run.out(), "text");
//
// The namespace: the image's files, /data (a new folder), /dev/null, and what the test adds before finish().
// Time      a manual clock; a guest that only waits for time gets it at once.
// Threads   one at a time; stop() and poke() any.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "engine/async.h"
#include "engine/engine.h"
#include "image/image.h"
#include "vfs/console/console.h"
#include "vfs/device/devices.h"
#include "vfs/folder/host_folder.h"
#include "vfs/tar/tree_mount.h"
#include "wasi/process.h"

namespace fusebox::testing {

template <class T>
T must(base::Result<T> result) {
  if (result) return std::move(*result);
  ADD_FAILURE() << result.error().message;
  std::abort();  // nothing sensible can follow in a test
}

struct GuestImage {
  std::shared_ptr<const image::Image> image;
  std::shared_ptr<const engine::Program> program;
};

// Compiled once for all tests of the program; JavaScript takes seconds.
inline const GuestImage& guest_image(const std::string& name) {
  static const std::shared_ptr<engine::Engine> engine = [] {
    engine::EngineOptions options;
    options.stack_bytes = 2u << 20;
    options.pool_instances = 8;
    options.async = true;
    options.may_ask_again = wasi::may_ask_again();
    return must(engine::Engine::create(options));
  }();
  static std::map<std::string, GuestImage> images;
  GuestImage& known = images[name];
  if (known.image) return known;
  known.image = must(image::open_image_file(std::filesystem::path(FUSEBOX_IMAGE_DIR) / (name + ".wapp"), {}));
  auto code = must(engine::Code::compile(engine, known.image->module()));
  known.program = must(engine::Program::link(code, wasi::imports(code->info())));
  return known;
}

class GuestRun {
 public:
  GuestRun(std::string image, std::vector<std::string> args)
      : image_(std::move(image)), args_(std::move(args)), folder_(must(base::TempDir::create())) {
    args_.insert(args_.begin(), image_);
    for (int& fd : console_) fd = ::memfd_create("console", MFD_CLOEXEC);
    poke_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    clock.advance(kStart);
  }
  ~GuestRun() {
    for (const int fd : console_) ::close(fd);
    ::close(poke_);
  }
  GuestRun(const GuestRun&) = delete;
  GuestRun& operator=(const GuestRun&) = delete;

  static constexpr base::Nanos kStart{1'000'000'000};  // of the clock: zero is no time to have asked at
  base::Nanos passed() const noexcept { return clock.monotonic() - kStart; }

  std::vector<std::string> envs;
  std::vector<vfs::TreeEntry> devices;          // beside /dev/null
  std::vector<vfs::Namespace::MountAt> mounts;  // beside /dev and /data
  std::uint64_t memory_bytes = 256u << 20;
  base::ManualClock clock;

  std::filesystem::path folder() const { return folder_.path(); }  // what the guest sees as /data
  void write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((folder() / name).parent_path());
    ASSERT_TRUE(base::write_file_atomic(folder() / name, base::as_bytes(text)));
  }
  std::string read(const std::string& name) const { return must(base::read_file(folder() / name, 16u << 20)); }
  void input(std::string_view text) const {
    ASSERT_TRUE(base::write_all(console_[0], base::as_bytes(text)));
    ::lseek(console_[0], 0, SEEK_SET);
  }
  std::string out() const { return content(1); }
  std::string err() const { return content(2); }

  // Until the guest has ended.
  void finish() {
    start();
    while (!call_->poll()) wait();
    outcome = call_->take_outcome();
    exit_code = process_->exit_code().value_or(outcome.completed() ? 0 : -1);
    call_.reset();
    instance_.reset();
    process_.reset();
  }
  void stop() {
    stop_->cancel();
    poke();
  }
  void poke() const {
    const std::uint64_t one = 1;
    if (::write(poke_, &one, sizeof one) < 0) std::abort();
  }
  // So that another thread may stop() what finish() runs.
  void start() {
    if (process_) return;
    const GuestImage& guest = guest_image(image_);
    wasi::ProcessOptions options;
    options.args = args_;
    options.envs = envs;
    options.names = names(guest);
    for (int slot = 0; slot < 3; ++slot)
      options.console[slot] = vfs::open_console(vfs::make_host_console(console_[slot]), slot);
    options.clock = &clock;
    options.random = &random_;
    process_ = std::make_unique<wasi::Process>(std::move(options));
    auto started = must(engine::Instance::create(
        guest.program, {.memory_bytes = memory_bytes, .table_elements = 10'000}, process_.get(), {}));
    instance_ = std::move(started.instance);
    stop_.emplace(instance_->stop_handle());
    call_ = must(engine::AsyncCall::start(*instance_, "_start", {}, {}));
  }

  engine::Outcome outcome;
  std::int32_t exit_code = -1;

 private:
  std::shared_ptr<const vfs::Namespace> names(const GuestImage& guest) {
    vfs::Namespace::Options options;
    options.root = vfs::make_tree_mount(guest.image->tree());
    std::vector<vfs::TreeEntry> entries;
    entries.push_back({.device = vfs::null_device(), .mount = nullptr});
    for (vfs::TreeEntry& entry : devices) entries.push_back(std::move(entry));
    options.mounts.push_back(
        {.path = "/dev", .mount = vfs::make_device_tree("/dev", vfs::device_code("DevF"), std::move(entries))});
    options.mounts.push_back(
        {.path = "/data", .mount = must(vfs::open_host_folder(folder(), {})), .host_folder = true});
    for (vfs::Namespace::MountAt& mount : mounts) options.mounts.push_back(std::move(mount));
    return must(vfs::Namespace::build(std::move(options)));
  }

  // Host descriptors are waited for; of guests that wait for nothing but time, the time comes.
  void wait() {
    const vfs::WaitSet& waits = process_->waits();
    if (waits.ready().empty()) {
      ASSERT_NE(waits.deadline(), vfs::WaitSet::kNever) << "the guest waits for something that cannot happen";
      if (waits.deadline() > clock.monotonic()) clock.advance(waits.deadline() - clock.monotonic());
      return;
    }
    std::vector<pollfd> fds{{poke_, POLLIN, 0}};
    for (const vfs::WaitSet::Ready& ready : waits.ready()) fds.push_back({ready.host_fd, ready.events, 0});
    ::poll(fds.data(), fds.size(), -1);
    std::uint64_t pokes;
    if (::read(poke_, &pokes, sizeof pokes) < 0) return;  // it was one of the others
  }

  std::string content(int slot) const {
    const auto size = ::lseek(console_[slot], 0, SEEK_END);
    std::string text(static_cast<std::size_t>(size), '\0');
    if (::pread(console_[slot], text.data(), text.size(), 0) != size) std::abort();
    return text;
  }

  std::string image_;
  std::vector<std::string> args_;
  base::TempDir folder_;
  int console_[3] = {-1, -1, -1};
  int poke_ = -1;
  base::SeededRandom random_{1};
  std::unique_ptr<wasi::Process> process_;
  std::unique_ptr<engine::Instance> instance_;
  std::optional<engine::StopHandle> stop_;
  std::unique_ptr<engine::AsyncCall> call_;
};

}  // namespace fusebox::testing
