// A wasm provider for tests: a registry folder with the guests of this build, a state folder, an executor that waits.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/executor.h"
#include "base/files.h"
#include "base/random.h"
#include "container/containers.h"
#include "host/wasm/wasm_provider.h"
#include "image/store/registry_folder.h"
#include "image/tar/tar_test_support.h"
#include "support/wat.h"

namespace fusebox::host {

// Runs on the thread that calls run_until(), with the clock it is given; waits for posts of other threads without polling.
class WaitingExecutor final : public base::Executor {
 public:
  void post(base::Work work) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(work));
    }
    changed_.notify_one();
  }
  TimerId post_at(base::Nanos monotonic, base::Work work) override {
    timers_.emplace(std::pair{monotonic, ++last_}, std::move(work));
    return last_;
  }
  void cancel(TimerId timer) noexcept override {
    std::erase_if(timers_, [&](const auto& one) { return one.first.second == timer; });
  }
  const base::Clock& clock() const noexcept override { return clock_; }

  bool run_until(const std::function<bool()>& done, std::chrono::seconds limit = std::chrono::seconds{60}) {
    const auto end = clock_.monotonic() + limit;
    while (!done()) {
      const base::Nanos now = clock_.monotonic();
      if (now > end) return false;
      if (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto first = timers_.extract(timers_.begin());
        first.mapped()();
        continue;
      }
      base::Work work;
      {
        std::unique_lock lock(mutex_);
        const base::Nanos until = timers_.empty() ? end : std::min(end, timers_.begin()->first.first);
        if (posted_.empty()) changed_.wait_for(lock, until - now);
        if (posted_.empty()) continue;
        work = std::move(posted_.front());
        posted_.pop_front();
      }
      work();
    }
    return true;
  }

 private:
  base::RealClock clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<base::Work> posted_;  // guarded by mutex_
  std::map<std::pair<base::Nanos, TimerId>, base::Work> timers_;
  TimerId last_ = 0;
};

class WasmMaker {
 public:
  WasmMaker() : folder_(*base::TempDir::create()) {
    std::filesystem::create_directories(root() / "registry");
    add_guest("hello");
    start();
  }
  ~WasmMaker() { stop(); }

  std::filesystem::path root() const { return folder_.path(); }
  // A new process as far as anything can tell: another engine, the same folders.
  void start(const std::function<void(WasmOptions&)>& change = {}) {
    image::RegistryFolderOptions registry;
    registry.root = root() / "registry";
    registry.limits.name_bytes_max = 63;
    library_ = std::make_shared<image::RegistryFolder>(registry, executor_.clock());
    container::ContainersOptions engine;
    engine.profile = *container::find_profile("big");
    engine.profile.name_bytes = 63;
    engine.library = library_;
    engine.data_dir = root() / "data";
    engine.code_cache = code_cache();
    engine.clock = &executor_.clock();
    engine.random = &system_;
    engine.instances_pooled = 256;
    containers_ = std::move(*container::Containers::create(std::move(engine)));
    WasmOptions options;
    options.containers = containers_.get();
    options.executor = &executor_;
    options.random = &system_;
    options.state_dir = root() / "state";
    options.image_limits.name_bytes_max = 63;
    if (change) change(options);
    auto made = WasmProvider::create(std::move(options));
    if (!made) ADD_FAILURE() << made.error().message;
    provider_ = std::move(*made);
  }
  void stop() {
    provider_.reset();
    containers_.reset();
  }

  base::Executor& executor() noexcept { return executor_; }
  WasmProvider& provider() noexcept { return *provider_; }
  container::Containers& containers() noexcept { return *containers_; }
  std::string image() const { return "hello"; }
  bool settle(const std::function<bool()>& done) { return executor_.run_until(done); }

  void add_guest(const std::string& name) {
    const std::filesystem::path from = std::filesystem::path(FUSEBOX_IMAGE_DIR) / (name + ".wapp");
    ASSERT_TRUE(std::filesystem::exists(from)) << from;
    std::filesystem::copy_file(from, root() / "registry" / (name + "@1.wapp"));
  }
  void add_file(const std::string& name, std::string_view bytes) {
    const auto written = base::write_file_atomic(root() / "registry" / (name + "@1.wapp"), base::as_bytes(bytes), 0644);
    ASSERT_TRUE(written.has_value()) << written.error().message;
  }
  void add_wat(const std::string& name, std::string_view wat) {
    const base::Bytes module = test::wat(wat);
    add_file(name, image::test::TarText().file("app.wasm", base::as_text(module)).end().text());
  }

 private:
  // One for the whole test program: guests are compiled once.
  static std::shared_ptr<engine::CodeCache> code_cache() {
    static const auto cache = std::make_shared<engine::CodeCache>(engine::CodeCacheOptions{});
    return cache;
  }
  base::TempDir folder_;
  WaitingExecutor executor_;
  base::SystemRandom system_;
  std::shared_ptr<image::RegistryFolder> library_;
  std::unique_ptr<container::Containers> containers_;
  std::unique_ptr<WasmProvider> provider_;
};

}  // namespace fusebox::host
