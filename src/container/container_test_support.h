// An engine in one process for tests: a registry folder with the guests of this build, a data folder, collected messages.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "container/containers.h"
#include "container/core/core.h"
#include "image/store/registry_folder.h"
#include "image/tar/tar_test_support.h"
#include "support/wat.h"
#include "vfs/mount.h"

namespace fusebox::container {

using namespace std::chrono_literals;

// Says that a test is over, also when an assertion leaves it: so threads that run until then can be joined.
class Over {
 public:
  Over() = default;
  Over(const Over&) = delete;
  Over& operator=(const Over&) = delete;
  ~Over() { now(); }
  void run(std::function<void()> turn) {
    threads_.emplace_back([this, turn = std::move(turn)] {
      while (!over_) turn();
    });
  }
  void now() {
    over_ = true;
    for (std::thread& one : threads_) one.join();
    threads_.clear();
  }

 private:
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

class World {
 public:
  struct Options {
    std::string_view profile = "big";
    const base::Clock* clock = nullptr;  // null = the real one
    bool privileged = false;
    bool supervised = false;
    std::function<void(ContainersOptions&)> change = {};
  };

  World() : World(Options()) {}
  explicit World(const Options& options)
      : folder_(std::move(*base::TempDir::create())), clock_(options.clock != nullptr ? options.clock : &real_clock_) {
    image::RegistryFolderOptions registry;
    registry.root = root() / "registry";
    std::filesystem::create_directories(registry.root);
    registry_ = std::make_shared<image::RegistryFolder>(registry, *clock_);
    ContainersOptions all;
    all.profile = *find_profile(options.profile);
    all.privileged = options.privileged;
    all.supervised = options.supervised;
    all.library = registry_;
    all.data_dir = root() / "data";
    all.registry_dir = root() / "registry";
    all.code_cache = code_cache();
    all.clock = clock_;
    all.random = &random_;
    all.version = "1.2.3";
    all.message = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      if (messages_.size() < kMessagesKept) messages_.emplace_back(line);
    };
    if (options.change) options.change(all);
    auto made = Containers::create(std::move(all));
    if (!made) ADD_FAILURE() << made.error().message;
    containers_ = std::move(*made);
  }

  std::filesystem::path root() const { return folder_.path(); }
  Containers& operator*() noexcept { return *containers_; }
  Containers* operator->() noexcept { return containers_.get(); }
  Containers::Core& core() noexcept { return containers_->core(); }
  void destroy() { containers_.reset(); }

  // One of guest/containers, as image "<name>:1".
  void add_guest(const std::string& name) {
    const std::filesystem::path from = std::filesystem::path(FUSEBOX_IMAGE_DIR) / (name + ".wapp");
    ASSERT_TRUE(std::filesystem::exists(from)) << from;
    std::filesystem::copy_file(from, root() / "registry" / (name + "@1.wapp"));
  }
  void add_file(const std::string& name, std::string_view bytes) {
    const auto written = base::write_file_atomic(root() / "registry" / (name + "@1.wapp"), base::as_bytes(bytes), 0644);
    ASSERT_TRUE(written.has_value()) << written.error().message;
  }
  // A module in text form as the image "<name>:1".
  void add_wat(const std::string& name, std::string_view wat) {
    const base::Bytes module = test::wat(wat);
    add_file(name, image::test::TarText().file("app.wasm", base::as_text(module)).end().text());
  }

  // Runs to the end.
  Status run(const std::string& name, LaunchConfig config = {}) {
    const auto launched = containers_->launch(name, std::move(config));
    if (!launched) {
      ADD_FAILURE() << launched.error().message;
      return {};
    }
    return ended(name);
  }
  Status ended(const std::string& name) {
    const auto status = containers_->wait(name, 30s);
    if (!status) ADD_FAILURE() << name << " does not end";
    return status.value_or(Status{});
  }
  void until(const std::function<bool()>& ready) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!ready()) {
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << "waited for too long";
        return;
      }
      std::this_thread::yield();
    }
  }
  void until_running(const std::string& name) {
    until([&] {
      const auto status = containers_->status(name);
      return status && status->state != State::starting;
    });
    ASSERT_EQ(containers_->status(name)->state, State::running) << containers_->status(name)->reason;
  }
  std::string log(const std::string& name) { return containers_->logs().read(name).value_or("(no log)"); }

  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  bool said(std::string_view text) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(messages_, text) != messages_.end();
  }
  base::SeededRandom& random() noexcept { return random_; }

  // One for the whole test program: guests are compiled once.
  static std::shared_ptr<engine::CodeCache> code_cache() {
    static const auto cache = std::make_shared<engine::CodeCache>(engine::CodeCacheOptions{});
    return cache;
  }

 private:
  static constexpr std::size_t kMessagesKept = 1000;  // a test of growth must not grow itself
  base::TempDir folder_;
  base::RealClock real_clock_;
  const base::Clock* clock_;
  base::SeededRandom random_{1};
  std::mutex mutex_;
  std::vector<std::string> messages_;  // guarded by mutex_
  std::shared_ptr<image::RegistryFolder> registry_;
  std::unique_ptr<Containers> containers_;
};

inline LaunchConfig with_image(std::string image, std::vector<std::string> args = {}) {
  LaunchConfig config;
  config.image = std::move(image);
  if (!args.empty()) config.args = std::move(args);
  return config;
}

// Nodes as a guest would use them, without a guest.
class Nodes {
 public:
  explicit Nodes(std::shared_ptr<vfs::Mount> mount) : mount_(std::move(mount)) {}

  vfs::Io<std::string> read(std::string_view path) {
    vfs::OpenRequest request;
    auto file = open(path, request);
    if (!file) return vfs::fail(file.error());
    std::string text;
    for (;;) {
      const auto piece = read_once(**file, 64);  // small: texts must survive several reads
      if (!piece) return vfs::fail(piece.error());
      if (piece->empty()) return text;
      text += *piece;
    }
  }
  vfs::Io<std::string> read_once(vfs::File& file, std::size_t bytes, bool nonblocking = true) {
    std::string buffer(bytes, '\0');
    const std::span<std::byte> view(reinterpret_cast<std::byte*>(buffer.data()), buffer.size());
    vfs::Call call = this->call();
    call.nonblocking = nonblocking;
    const auto got = file.read(call, {&view, 1});
    if (!got) return vfs::fail(got.error());
    buffer.resize(*got);
    return buffer;
  }
  vfs::Io<std::size_t> write(std::string_view path, std::string_view text) {
    vfs::OpenRequest request;
    request.read = false;
    request.write = true;
    auto file = open(path, request);
    if (!file) return vfs::fail(file.error());
    return write(**file, text);
  }
  vfs::Io<std::size_t> write(vfs::File& file, std::string_view text) {
    const base::ByteView view = base::as_bytes(text);
    return write(file, {&view, 1});
  }
  vfs::Io<std::size_t> write(vfs::File& file, vfs::WriteBuffers pieces) {
    vfs::Call call = this->call();
    return file.write(call, pieces);
  }
  vfs::Io<std::unique_ptr<vfs::File>> open(std::string_view path, const vfs::OpenRequest& request = {}) {
    vfs::Call call = this->call();
    return mount_->open(call, path, request);
  }
  vfs::Io<void> close(vfs::File& file) {
    vfs::Call call = this->call();
    return file.close(call);
  }
  vfs::Io<vfs::Stat> stat(std::string_view path) {
    vfs::Call call = this->call();
    return mount_->stat(call, path, true);
  }
  vfs::Io<void> unlink(std::string_view path) {
    vfs::Call call = this->call();
    return mount_->unlink(call, path);
  }
  // "name/type" of every entry.
  std::vector<std::string> list(std::string_view path) {
    struct Sink final : vfs::DirSink {
      bool add(const Entry& entry) override {
        names.push_back(std::string(entry.name) + "/" + std::to_string(static_cast<int>(entry.type)));
        return true;
      }
      std::vector<std::string> names;
    } sink;
    const auto directory = open(path);
    if (!directory) return {"(" + std::string(vfs::to_string(directory.error())) + ")"};
    vfs::Call call = this->call();
    const auto listed = (*directory)->list(call, 0, sink);
    if (!listed) return {"(" + std::string(vfs::to_string(listed.error())) + ")"};
    return sink.names;
  }
  vfs::WaitSet& waits() noexcept { return waits_; }

 private:
  vfs::Call call() {
    waits_.clear();
    return {.clock = clock_, .waits = waits_, .redirect = {}};
  }
  std::shared_ptr<vfs::Mount> mount_;
  base::RealClock clock_;
  vfs::WaitSet waits_;
};

// The number of a refusal; success is 0.
template <class T>
vfs::Errno code_of(const vfs::Io<T>& answer) {
  return answer ? vfs::Errno::success : answer.error();
}
template <class T>
vfs::Errno code_of(const Controlled<T>& answer) {
  return answer ? vfs::Errno::success : answer.error().code;
}

}  // namespace fusebox::container
