// What /proc/wapps/<n>/cpu says, read by a container, beside what the kernel says of this process (contract section 11).
// One container works while this thread sleeps, so the process's own times are that container's and little else.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

struct Times {
  std::int64_t user_ms = 0;
  std::int64_t total_ms = 0;
  std::int64_t kernel_ms() const noexcept { return total_ms - user_ms; }
};

std::int64_t millis(const timeval& time) noexcept {
  return time.tv_sec * 1000 + time.tv_usec / 1000;
}

Times of_this_process() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {millis(usage.ru_utime), millis(usage.ru_utime) + millis(usage.ru_stime)};
}

Times operator-(const Times& a, const Times& b) noexcept {
  return {a.user_ms - b.user_ms, a.total_ms - b.total_ms};
}

// The node's text, as a container with the view of all prints it.
Times read_by_a_container(World& world, const std::string& of, const std::string& reader) {
  LaunchConfig config = with_image("tools", {"cat", "/proc/wapps/" + of + "/cpu"});
  config.proc = ProcView::all;
  EXPECT_EQ(world.run(reader, config).exit_code, 0);
  const std::string text = world.log(reader);
  long long user = -1;
  long long total = -1;
  EXPECT_EQ(std::sscanf(text.c_str(), "user_ms:\t%lld\ntotal_ms:\t%lld\n", &user, &total), 2) << text;
  EXPECT_EQ(text, "user_ms:\t" + std::to_string(user) + "\ntotal_ms:\t" + std::to_string(total) + "\n");
  return {user, total};
}

// Some tenths of a second of arithmetic.
constexpr std::string_view kComputes = R"((module (memory (export "memory") 1) (func (export "_start")
  (local $left i64) (local $value i64)
  (local.set $left (i64.const 200000000))
  (local.set $value (i64.const 88172645463325252))
  (loop $again
    (local.set $value (i64.xor (local.get $value) (i64.shl (local.get $value) (i64.const 7))))
    (local.set $value (i64.xor (local.get $value) (i64.shr_u (local.get $value) (i64.const 9))))
    (local.set $left (i64.sub (local.get $left) (i64.const 1)))
    (br_if $again (i64.ne (local.get $left) (i64.const 0))))
  (i64.store (i32.const 0) (local.get $value)))))";

// Reads its standard input 2,000 times, 1 MiB each: the kernel writes the zeros of /dev/zero into its memory.
constexpr std::string_view kCalls = R"((module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (func (export "_start")
    (local $left i32)
    (local.set $left (i32.const 2000))
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 1048576))
    (loop $again
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))))";

constexpr std::string_view kSpins = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";

constexpr std::int64_t kRoundedMs = 3;  // each of the times is rounded, and ours are read a little before and after

// Compiled and loaded before it is measured.
struct Measured {
  Times kernels;  // of the process meanwhile
  Times nodes;
};
Measured measure(std::string_view wat) {
  World world;
  world.add_guest("tools");
  world.add_wat("works", wat);
  const base::Fd zeros = base::Fd::adopt(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  LaunchConfig config = with_image("works");
  config.console[0].name = "platform";
  StartOptions options;
  options.platform_fds = {zeros.get(), -1, -1};
  Measured measured;
  for (const char* const name : {"first", "second"}) {
    const Times before = of_this_process();
    EXPECT_TRUE(world->launch(name, config, options).has_value());
    EXPECT_EQ(world.ended(name).reason, "exit");
    measured.kernels = of_this_process() - before;
  }
  measured.nodes = read_by_a_container(world, "second", "reader");
  return measured;
}

TEST(CpuText, ArithmeticIsTimeOfTheUser) {
  const auto [kernels, nodes] = measure(kComputes);
  ASSERT_GT(kernels.user_ms, 20);
  EXPECT_GT(nodes.user_ms, kernels.user_ms / 2);
  EXPECT_LE(nodes.total_ms, kernels.total_ms + kRoundedMs);
  EXPECT_LE(nodes.user_ms, nodes.total_ms);
  EXPECT_LE(nodes.kernel_ms(), nodes.total_ms / 4 + kRoundedMs);
}

TEST(CpuText, WhatTheKernelDoesForItIsInTheTotalOnly) {
  const auto [kernels, nodes] = measure(kCalls);
  ASSERT_GT(kernels.kernel_ms(), 20);
  EXPECT_GT(nodes.kernel_ms(), kernels.kernel_ms() / 2);
  EXPECT_LE(nodes.total_ms, kernels.total_ms + kRoundedMs);
  EXPECT_LE(nodes.user_ms, kernels.user_ms + kernels.kernel_ms() / 4 + kRoundedMs);
}

TEST(CpuText, GrowsWhileTheContainerComputes) {
  World world;
  world.add_guest("tools");
  world.add_wat("spins", kSpins);
  const Times before = of_this_process();
  ASSERT_TRUE(world->launch("spins", with_image("spins")).has_value());
  world.until_running("spins");
  Times last;
  int readings = 0;
  world.until([&] {
    const Times now = read_by_a_container(world, "spins", "reader" + std::to_string(++readings));
    EXPECT_GE(now.total_ms, last.total_ms);
    EXPECT_GE(now.user_ms, last.user_ms);
    EXPECT_LE(now.total_ms, (of_this_process() - before).total_ms + kRoundedMs);
    last = now;
    return last.user_ms >= 50 || readings == 1000;
  });
  EXPECT_GE(last.user_ms, 50);
  ASSERT_TRUE(world->stop("spins").has_value());
  world.ended("spins");
  const Times ended = read_by_a_container(world, "spins", "last");
  EXPECT_GE(ended.total_ms, last.total_ms);
}

}  // namespace
}  // namespace fusebox::container
