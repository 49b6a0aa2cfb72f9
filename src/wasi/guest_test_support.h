// A guest that can make any call with any arguments, in a namespace of models: what the tests of this folder drive.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "engine/async.h"
#include "support/engine_fixture.h"
#include "wasi/model_guest.h"
#include "wasi/process.h"

namespace fusebox::wasi::testing {

using engine::AsyncCall;
using engine::RawValue;

inline std::shared_ptr<const engine::Program> everything_program() {
  static const std::shared_ptr<const engine::Program> program = [] {
    engine::EngineOptions options = engine::small_engine(engine::Stopping::time);
    options.async = true;
    options.may_ask_again = may_ask_again();
    const auto engine = engine::must(engine::Engine::create(options));
    const auto code = engine::must(engine::Code::compile(engine, test::wat(sorted_everything())));
    return engine::must(engine::Program::link(code, imports(code->info())));
  }();
  return program;
}

// The root and two "host folders", /data and /fixed (read-only), are models; /dev has the streams a, b and sock.
class Guest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kData = 3, kFixed = 4, kRoot = 5, kFirstFree = 6;  // descriptors
  static constexpr std::uint32_t kOut = 60'000, kPath = 61'000, kPath2 = 63'000, kVectors = 65'000, kText = 70'000;
  static constexpr std::uint32_t kMemoryBytes = 2 * 65536;

  void SetUp() override { start({}); }

  void start(ProcessOptions options) {
    instance_.reset();
    options.names = engine::must(vfs::Namespace::build(
        {.root = root_, .mounts = {{"/dev", dev_}, {"/data", data_, true}, {"/fixed", fixed_, true, true}}}));
    for (int i = 0; i < 3; ++i) {
      if (console_[i]) options.console[i] = std::make_unique<StreamFile>(console_[i]);
    }
    options.clock = &clock_;
    options.random = &random_;
    process_ = std::make_unique<Process>(std::move(options));
    instance_ = engine::instance_of(everything_program(), {}, process_.get());
  }

  // ---- calls
  std::unique_ptr<AsyncCall> begin(const std::string& name, std::vector<std::int64_t> arguments) {
    std::vector<RawValue> values;
    for (const std::int64_t each : arguments) {
      RawValue raw{};
      raw.i64 = each;
      values.push_back(raw);
    }
    return engine::must(AsyncCall::start(*instance_, name, values, {}));
  }
  std::int32_t value(const std::string& name, std::vector<std::int64_t> arguments) {
    auto call = begin(name, std::move(arguments));
    if (!call->poll()) {
      ADD_FAILURE() << name << " waits";
      return -1;
    }
    const engine::Outcome outcome = call->take_outcome();
    if (!outcome.completed()) {
      ADD_FAILURE() << name << ": " << outcome.message();
      return -1;
    }
    return call->results()[0].i32;
  }
  Errno call(const std::string& name, std::vector<std::int64_t> arguments) {
    return static_cast<Errno>(value(name, std::move(arguments)));
  }
  // How a call that does not return ended.
  std::string end_of(const std::string& name, std::vector<std::int64_t> arguments) {
    auto call = begin(name, std::move(arguments));
    EXPECT_TRUE(call->poll());
    return call->take_outcome().message();
  }
  static Errno answer(AsyncCall& call) {
    EXPECT_TRUE(call.poll());
    return call.results().empty() ? Errno::success : static_cast<Errno>(call.results()[0].i32);
  }

  // ---- memory
  std::span<std::byte> memory() { return instance_->memory(); }
  template <class T>
  T get(std::uint32_t at) {
    T value;
    std::memcpy(&value, memory().data() + at, sizeof value);
    return value;
  }
  template <class T>
  void put(std::uint32_t at, T value) {
    std::memcpy(memory().data() + at, &value, sizeof value);
  }
  std::uint32_t put_text(std::uint32_t at, std::string_view text) {
    std::memcpy(memory().data() + at, text.data(), text.size());
    return static_cast<std::uint32_t>(text.size());
  }
  std::string text(std::uint32_t at, std::size_t size) {
    return {reinterpret_cast<const char*>(memory().data()) + at, size};
  }
  void vectors(std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> list) {
    std::uint32_t at = kVectors;
    for (const auto& [data, size] : list) {
      put(at, data);
      put(at + 4, size);
      at += 8;
    }
  }

  // ---- the usual, with paths in kPath
  static constexpr std::int64_t kAll = -1;
  std::int64_t path(std::string_view name) { return put_text(kPath, name); }
  struct Open {
    std::uint32_t flags = 0;
    std::int64_t base = kAll;
    std::int64_t inheriting = kAll;
    std::uint32_t fd_flags = 0;
    std::uint32_t lookup = 1;
    std::uint32_t at = kRoot;
  };
  Errno open(std::string_view name, const Open& how) {
    const std::int64_t size = path(name);
    return call("path_open",
                {how.at, how.lookup, kPath, size, how.flags, how.base, how.inheriting, how.fd_flags, kOut});
  }
  Errno open(std::string_view name) { return open(name, Open{}); }
  std::uint32_t opened(std::string_view name, const Open& how) {
    const Errno error = open(name, how);
    EXPECT_EQ(error, Errno::success) << name << ": " << vfs::to_string(error);
    return error == Errno::success ? get<std::uint32_t>(kOut) : 999;
  }
  std::uint32_t opened(std::string_view name) { return opened(name, Open{}); }
  static constexpr std::int64_t kReadOnly = 0x3f, kDirectoryRights = 1 << 14 | 2;
  std::uint32_t opened_directory(std::string_view name) { return opened(name, {.flags = 2, .base = kDirectoryRights}); }
  Errno write(std::uint32_t fd, std::string_view what) {
    vectors({{kText, put_text(kText, what)}});
    return call("fd_write", {fd, kVectors, 1, kOut});
  }
  std::string read(std::uint32_t fd, std::uint32_t size = 1000) {
    vectors({{kText, size}});
    const Errno error = call("fd_read", {fd, kVectors, 1, kOut});
    if (error != Errno::success) return std::string(vfs::to_string(error));
    return text(kText, get<std::uint32_t>(kOut));
  }

  base::ManualClock clock_{std::chrono::seconds{1000}};
  base::SeededRandom random_{1};
  std::shared_ptr<ModelMount> root_ = std::make_shared<ModelMount>();
  std::shared_ptr<ModelMount> data_ = std::make_shared<ModelMount>();
  std::shared_ptr<ModelMount> fixed_ = std::make_shared<ModelMount>(true);
  std::shared_ptr<StreamMount> dev_ = std::make_shared<StreamMount>();
  std::shared_ptr<Stream> console_[3] = {std::make_shared<Stream>(), std::make_shared<Stream>(),
                                         std::make_shared<Stream>()};
  std::unique_ptr<Process> process_;
  std::unique_ptr<engine::Instance> instance_;
};

}  // namespace fusebox::wasi::testing
