// What must not hurt the engine: start loops, churn, guests that eat everything (contract 16.5, 19.1; issue section 8).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/certificate.h"
#include "base/random.h"
#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

constexpr std::string_view kFine = R"((module (memory (export "memory") 1) (func (export "_start"))))";
constexpr std::string_view kSpin = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";

// Some thousands by default; `make soak` runs the whole length.
int cycles() {
  const char* text = std::getenv("FUSEBOX_CYCLES");
  return text != nullptr ? std::atoi(text) : 3000;
}

struct Usage {
  unsigned long resident_pages = 0;
  long descriptors = 0;
};
Usage usage() {
  Usage now;
  unsigned long size = 0;
  const auto text = base::read_file("/proc/self/statm", 4096);
  EXPECT_EQ(std::sscanf(text->c_str(), "%lu %lu", &size, &now.resident_pages), 2);
  now.descriptors = std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  return now;
}

TEST(Hostile, StartAndExitOverAndOverGrowsNothing) {
  World world;
  world.add_wat("fine", kFine);
  world.add_wat("traps", R"((module (memory (export "memory") 1) (func (export "_start") unreachable)))");
  const auto cycle = [&](int i) {
    const auto launched = world->launch("a", with_image(i % 4 == 0 ? "traps" : "fine"));
    ASSERT_TRUE(launched.has_value()) << launched.error().message;
    world.ended("a");
  };
  for (int i = 0; i < 500; ++i) cycle(i);
  const Usage before = usage();
  for (int i = 0; i < cycles(); ++i) cycle(i);
  const Usage after = usage();
  EXPECT_EQ(after.descriptors, before.descriptors);
#if !defined(FUSEBOX_TSAN) && !defined(__SANITIZE_ADDRESS__)  // they keep what was freed
  // Pages of allocators that settle, not of cycles: 100,000 of those at one byte each would already be more than this.
  EXPECT_LT(after.resident_pages, before.resident_pages + 512);
#endif
  EXPECT_EQ(world->status("a")->state, State::exited);
}

// dir is a folder, link leads out of the volume: each gets the other's name in turn.
constexpr std::string_view kExchanges = R"((module
  (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "dir") (data (i32.const 8) "tmp") (data (i32.const 16) "link")
  (func $move (param $from i32) (param $from_bytes i32) (param $to i32) (param $to_bytes i32)
    (if (call $rename (i32.const 3) (local.get $from) (local.get $from_bytes)
                      (i32.const 3) (local.get $to) (local.get $to_bytes)) (then unreachable)))
  (func (export "_start") (loop $again
    (call $move (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 3))
    (call $move (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 3))
    (call $move (i32.const 0) (i32.const 3) (i32.const 16) (i32.const 4))
    (call $move (i32.const 8) (i32.const 3) (i32.const 0) (i32.const 3))
    (br $again)))))";
// Opens dir/f until it has met both a thousand times: the file inside, which begins with "i", and a refusal.
constexpr std::string_view kOpensThrough = R"((module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "dir/f") (data (i32.const 16) "\40\00\00\00\01\00\00\00")
  (func (export "_start") (local $inside i32) (local $refused i32)
    (loop $again
      (if (call $open (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 5) (i32.const 0)
                      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32))
        (then (local.set $refused (i32.add (local.get $refused) (i32.const 1))))
        (else
          (if (call $read (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 36)) (then unreachable))
          (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 105)) (then unreachable))
          (if (call $close (i32.load (i32.const 32))) (then unreachable))
          (local.set $inside (i32.add (local.get $inside) (i32.const 1)))))
      (br_if $again (i32.or (i32.lt_u (local.get $inside) (i32.const 1000))
                            (i32.lt_u (local.get $refused) (i32.const 1000))))))))";

TEST(Hostile, AContainerThatExchangesFoldersForLinksLetsNobodyOut) {
  namespace fs = std::filesystem;
  World world;
  world.add_wat("exchanges", kExchanges);
  world.add_wat("opens", kOpensThrough);
  const fs::path volume = world.root() / "data/shared/v";
  fs::create_directories(volume / "dir");
  fs::create_directories(world.root() / "outside");
  ASSERT_TRUE(base::write_file_atomic(volume / "dir/f", base::as_bytes("inside")).has_value());
  ASSERT_TRUE(base::write_file_atomic(world.root() / "outside/f", base::as_bytes("outside")).has_value());
  fs::create_directory_symlink("../../../outside", volume / "link");
  const auto with_volume = [](std::string image) {
    LaunchConfig config = with_image(std::move(image));
    config.mounts = {{"volume", "/v", "name=v,shared"}};
    return config;
  };
  ASSERT_TRUE(world->launch("exchanges", with_volume("exchanges")).has_value());
  world.until_running("exchanges");
  EXPECT_EQ(world.run("opens", with_volume("opens")).reason, "exit");
  EXPECT_EQ(world->status("exchanges")->state, State::running) << world->status("exchanges")->reason;
}

TEST(Hostile, AStartLoopMeetsItsLimitWithASentence) {
  World world({.profile = "tiny"});
  world.add_wat("spin", kSpin);
  ASSERT_TRUE(world->launch("s0", with_image("spin")).has_value());
  ASSERT_TRUE(world->launch("s1", with_image("spin")).has_value());
  for (int i = 2; i < 200; ++i) {
    const auto refused = world->launch("s" + std::to_string(i), with_image("spin"));
    ASSERT_EQ(code_of(refused), Errno::nospc);
    ASSERT_EQ(refused.error().message, "all 2 slots are in use; stop a container first");
  }
  EXPECT_EQ(world->list().size(), 2u);
  ASSERT_TRUE(world->stop("s0").has_value());
  world.ended("s0");
  EXPECT_EQ(code_of(world->launch("again", with_image("spin"))), Errno::success);
}

TEST(Hostile, ACrashedNameStartsAgainAtOnceAnyNumberOfTimes) {
  World world({.profile = "tiny"});
  world.add_guest("crash");
  for (int i = 0; i < 50; ++i) {
    const Status status = world.run("a", with_image("crash", {"stack"}));
    ASSERT_EQ(status.reason, "trap:stack");
    ASSERT_EQ(status.id, 0u);
  }
}

TEST(Hostile, StopsFromManyThreadsDuringStartsAreNeverLost) {
  World world;
  world.add_wat("spin", kSpin);
  world.add_guest("sleeper");
  Over stoppers;
  for (int i = 0; i < 2; ++i) {
    stoppers.run([&] {
      for (const Status& status : world->list()) (void)world->stop(status.name);
      std::this_thread::yield();
    });
  }
  for (int i = 0; i < 150; ++i) {
    const std::string name = "c" + std::to_string(i % 5);
    ASSERT_TRUE(world->launch(name, with_image(i % 2 == 0 ? "spin" : "sleeper")).has_value());
    const Status status = world.ended(name);
    ASSERT_EQ(status.reason, "stopped");
  }
}

TEST(Hostile, ManySpinningContainersLeaveTheOthersAlone) {
  World world({.change = [](ContainersOptions& options) { options.profile.max_wapps = 300; }});
  world.add_wat("spin", kSpin);
  world.add_wat("fine", kFine);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(world->launch("s" + std::to_string(i), with_image("spin")).has_value());
  for (int i = 0; i < 200; ++i) world.until_running("s" + std::to_string(i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.run("other", with_image("fine")).reason, "exit");
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(world->stop("s" + std::to_string(i)).has_value());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(world.ended("s" + std::to_string(i)).reason, "stopped");
}

TEST(Hostile, AModuleThatGrowsForEverStaysBelowItsCap) {
  World world({.profile = "small"});  // 16 pages
  world.add_wat("grow", R"((module (memory (export "memory") 1)
      (func (export "_start") (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (if (i32.ne (memory.size) (i32.const 16)) (then unreachable)))))");
  EXPECT_EQ(world.run("a", with_image("grow")).reason, "exit");
}

TEST(Hostile, AShareOfTheProcessorIsKept) {
#if defined(FUSEBOX_TSAN)
  GTEST_SKIP() << "the sanitizer delivers no signals to computing code";
#endif
  World world;
  world.add_wat("spin", kSpin);
  LaunchConfig config = with_image("spin");
  config.limits.cpu_percent = 10;
  ASSERT_TRUE(world->launch("a", config).has_value());
  world.until([&] { return world->status("a")->uptime > 1s; });
  const Status status = world->status("a").value();
  EXPECT_LT(status.cpu_total.count() * 4, status.uptime.count());  // some ticks over, far from all
  EXPECT_GT(status.cpu_total.count(), 0);
}

TEST(Hostile, ContainersWaitForEachOtherAcrossPipesWhileOthersSpin) {
  World world;
  world.add_guest("pipe_source");
  world.add_guest("pipe_sink");
  world.add_wat("spin", kSpin);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(world->launch("s" + std::to_string(i), with_image("spin")).has_value());
  ASSERT_TRUE(world->launch("sink", with_image("pipe_sink", {"/dev/pipe/p"})).has_value());
  ASSERT_TRUE(world->launch("source", with_image("pipe_source", {"/dev/pipe/p", "1000000"})).has_value());
  EXPECT_EQ(world.ended("source").exit_code, 0) << world.log("source");
  EXPECT_EQ(world.ended("sink").exit_code, 0) << world.log("sink");
  EXPECT_TRUE(world.log("sink").starts_with("1000000 ")) << world.log("sink");
}

TEST(Hostile, AnotherContainersConsolePipeCannotBeClaimedFirst) {
  World world;
  world.add_guest("tools");
  LaunchConfig thief = with_image("tools", {"cat", "/dev/pipe/victim.in"});
  thief.pipes_read = thief.pipes_write = {"thief.*"};
  EXPECT_EQ(world.run("thief", thief).exit_code, 1) << world.log("thief");
  thief.console[0] = {"pipe", "name=victim.in", false};
  EXPECT_EQ(world.run("thief", thief).reason, "config:console.in:ACCES");
  thief.console[0] = {};
  thief.console[1] = {"pipe", "name=victim.in", false};
  EXPECT_EQ(world.run("thief", thief).reason, "config:console.out:ACCES");
  EXPECT_FALSE(world->pipes().exists("victim.in"));

  LaunchConfig victim = with_image("tools", {"cat"});
  victim.pipes_read = victim.pipes_write = {"none"};  // its own are its own
  victim.console[0].name = "pipe";
  ASSERT_TRUE(world->launch("victim", victim).has_value());
  world.until_running("victim");
  auto attached = world->attach("victim");
  ASSERT_TRUE(attached.has_value());
  EXPECT_EQ(*(*attached)->write("mine"), 4u);
  (*attached)->close_input();
  EXPECT_EQ(world.ended("victim").exit_code, 0);
  EXPECT_EQ(world.log("victim"), "mine");
}

TEST(Hostile, ALinkInAFolderOfThePolicyLeadsNoMountOutOfIt) {
  const auto folder = std::move(*base::TempDir::create());
  const auto top = folder.path() / "top";
  std::filesystem::create_directory(top);
  std::filesystem::create_directory(folder.path() / "outside");
  std::filesystem::create_symlink("../outside", top / "x");  // as a guest with the folder mounted can
  policy::Policy policy;
  policy.fs_read.enabled = policy.fs_write.enabled = true;
  policy::FileRoot root;
  root.host = top.string();
  policy.fs_read.roots.push_back(root);
  policy.fs_write.roots.push_back(root);
  World world({.change = [&](ContainersOptions& options) { options.policy = policy; }});
  world.add_wat("fine", kFine);
  LaunchConfig config = with_image("fine");
  const auto run = [&](const std::string& source) {
    config.mounts = {{"platform", "/m", "src=" + source}};
    return world.run("a", config).reason;
  };
  EXPECT_EQ(run((top / "made").string()), "exit");
  EXPECT_EQ(run((top / "x").string()), "policy:fs.write");
  EXPECT_EQ(run((top / "x" / "new").string()), "policy:fs.write");
  EXPECT_EQ(run((top / "x").string() + ",ro"), "policy:fs.read");
  EXPECT_TRUE(std::filesystem::exists(top / "made"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "outside"));
  EXPECT_NE(world.messages().back().find("its links lead out of " + top.string()), std::string::npos);
}

TEST(Hostile, ALinkInAFolderOfThePolicyLeadsNoKeyOutOfIt) {
  const auto folder = std::move(*base::TempDir::create());
  const auto top = folder.path() / "top";
  std::filesystem::create_directory(top);
  base::SystemRandom random;
  const auto made = base::make_self_signed("x", {}, std::chrono::hours{1}, random);
  ASSERT_TRUE(made);
  for (const auto& file : {folder.path() / "key.pem", top / "own.pem"})
    ASSERT_TRUE(base::write_file_atomic(file, base::as_bytes(made->certificate_pem)));
  std::filesystem::create_symlink("../key.pem", top / "x.pem");
  std::filesystem::create_symlink("own.pem", top / "y.pem");
  policy::Policy policy;
  policy.fs_read.enabled = policy.http.enabled = true;
  policy::FileRoot root;
  root.host = top.string();
  policy.fs_read.roots.push_back(root);
  policy.http.allow.push_back({});
  World world({.change = [&](ContainersOptions& options) { options.policy = policy; }});
  world.add_wat("fine", kFine);
  LaunchConfig config = with_image("fine");
  config.sockets.push_back({"s", "tcps://example.com:443", false});
  const auto run = [&](const std::string& ca) {
    config.tls = {{"s", {.verify = {}, .ca = (top / ca).string(), .cert = {}, .key = {}, .server_name = {}}}};
    return world.run("a", config).reason;
  };
  EXPECT_EQ(run("own.pem"), "exit");
  EXPECT_EQ(run("y.pem"), "exit");
  EXPECT_EQ(run("x.pem"), "policy:fs.read");
  EXPECT_TRUE(run("none.pem").starts_with("config:tls")) << run("none.pem");
}

}  // namespace
}  // namespace fusebox::container
