// Runs from start to end: states, reasons, exit codes, messages, stops, limits (contract 3.1, 9.4, 16).
#include <gtest/gtest.h>

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

constexpr std::string_view kSpin = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";

TEST(Lifecycle, AHelloRunsAndItsOutputIsInTheLog) {
  World world;
  world.add_guest("hello");
  const Status status = world.run("h", with_image("hello"));
  EXPECT_EQ(status.state, State::exited);
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_EQ(status.reason, "exit");
  EXPECT_EQ(status.image, "hello");
  EXPECT_EQ(status.version, "1");
  EXPECT_EQ(world.log("h"), "Hello from a nanocontainer\n");
  EXPECT_TRUE(world.messages().empty());
  EXPECT_EQ(status.memory_bytes, 0u);
  EXPECT_NE(status.digest, base::Sha256{});
}

struct EndCase {
  const char* kind;
  const char* number;
  State state;
  std::int32_t exit_code;
  const char* reason;
  const char* message;  // after "wapp 'c'"
};

TEST(Lifecycle, EveryEndHasItsReasonCodeAndMessage) {
  const EndCase cases[] = {
      {"exit", "7", State::exited, 7, "exit", ""},
      {"exit", "255", State::exited, 255, "exit", ""},
      {"return", "5", State::exited, 5, "exit", ""},
      {"unreachable", "", State::failure, -1, "trap:unreachable", " trapped: unreachable"},
      {"memory", "", State::failure, -1, "trap:memory", " trapped: out of bounds memory access"},
      {"stack", "", State::failure, -1, "trap:stack", " trapped: native stack overflow"},
      {"div-zero", "", State::failure, -1, "trap:div-zero", " trapped: integer divide by zero"},
      {"overflow", "", State::failure, -1, "trap:overflow", " trapped: integer overflow"},
      {"indirect-call", "", State::failure, -1, "trap:indirect-call", " trapped: indirect call type mismatch"},
      {"conversion", "", State::failure, -1, "trap:conversion", " trapped: invalid conversion to integer"},
      {"unlinked", "", State::failure, -1, "trap:unlinked:nowhere.nothing",
       " trapped: failed to call unlinked import function (nowhere, nothing)"},
      {"raise", "6", State::failure, -1, "signal:6", ": ended by signal 6"},
  };
  World world;
  world.add_guest("crash");
  for (const EndCase& c : cases) {
    SCOPED_TRACE(c.kind);
    const std::size_t before = world.messages().size();
    std::vector<std::string> args{c.kind};
    if (*c.number != '\0') args.emplace_back(c.number);
    const Status status = world.run("c", with_image("crash", args));
    EXPECT_EQ(status.state, c.state);
    EXPECT_EQ(status.exit_code, c.exit_code);
    EXPECT_EQ(status.reason, c.reason);
    const auto messages = world.messages();
    if (*c.message == '\0') {
      EXPECT_EQ(messages.size(), before);
    } else {
      ASSERT_EQ(messages.size(), before + 1);
      EXPECT_EQ(messages.back().substr(0, std::string("wapp 'c'").size() + std::string(c.message).size()),
                "wapp 'c'" + std::string(c.message));
    }
  }
}

struct EntryCase {
  const char* wat;
  State state;
  const char* reason;
};

TEST(Lifecycle, EntryPointsOfContractThreeOne) {
  const EntryCase cases[] = {
      {R"((module (func (export "entry")) (func (export "_start") unreachable)))", State::exited, "exit"},
      {R"((module (func (export "entry") (param i32))))", State::exited, "exit"},
      {R"((module (func (export "entry") (result i32) i32.const 9)))", State::exited, "exit"},
      {R"((module (func (export "entry") (param i32) (result i32) local.get 0)))", State::exited, "exit"},
      {R"((module (func (export "entry") (param i64))))", State::failure, "no-entry"},
      {R"((module (func (export "entry") (param i32 i32))))", State::failure, "no-entry"},
      {R"((module (memory (export "entry") 1) (func (export "_start"))))", State::exited, "exit"},
      {R"((module (func (export "_start") (param i32))))", State::failure, "no-entry"},
      {R"((module (func (export "main"))))", State::failure, "no-entry"},
      {R"((module))", State::failure, "no-entry"},
  };
  World world;
  int number = 0;
  for (const EntryCase& c : cases) {
    SCOPED_TRACE(c.wat);
    const std::string image = "e" + std::to_string(number++);
    world.add_wat(image, c.wat);
    const Status status = world.run("a", with_image(image));
    EXPECT_EQ(status.state, c.state);
    EXPECT_EQ(status.reason, c.reason);
    EXPECT_EQ(status.exit_code, c.state == State::exited ? 0 : -1);
  }
}

TEST(Lifecycle, AnEntryIsGivenItsSlot) {
  World world;
  // Traps unless the argument is 1: the second slot.
  world.add_wat("slot", R"((module (func (export "entry") (param i32)
      (if (i32.ne (local.get 0) (i32.const 1)) (then unreachable)))))");
  EXPECT_EQ(world.run("first", with_image("slot")).reason, "trap:unreachable");
  const Status second = world.run("second", with_image("slot"));
  EXPECT_EQ(second.id, 1u);
  EXPECT_EQ(second.state, State::exited);
}

TEST(Lifecycle, BadImagesFailTheirOwnRunOnly) {
  World world;
  world.add_wat("spin", kSpin);
  ASSERT_TRUE(world->launch("other", with_image("spin")).has_value());
  world.add_file("noapp", image::test::TarText().file("readme", "x").end().text());
  world.add_file("torn", image::test::TarText().file("app.wasm", std::string(900, 'x')).text().substr(0, 700));
  world.add_file("notwasm", image::test::TarText().file("app.wasm", "hello").end().text());

  Status status = world.run("a", with_image("noapp"));
  EXPECT_EQ(status.state, State::failure);
  EXPECT_EQ(status.reason, "bad-image:app.wasm absent from the image");
  EXPECT_TRUE(world.said("wapp 'a': app.wasm absent from the image"));
  status = world.run("a", with_image("torn"));
  EXPECT_EQ(status.state, State::failure);
  EXPECT_TRUE(status.reason.starts_with("bad-image:")) << status.reason;
  status = world.run("a", with_image("notwasm"));
  EXPECT_EQ(status.state, State::failure);
  EXPECT_TRUE(status.reason.starts_with("bad-")) << status.reason;
  EXPECT_TRUE(is_live(world->status("other")->state));
}

TEST(Lifecycle, InitialMemoryAboveTheCapIsRefusedBeforeAnyCodeRuns) {
  World world({.profile = "constrained"});
  world.add_wat("two",
                R"((module (memory (export "memory") 2) (func $s unreachable) (start $s) (func (export "_start"))))");
  world.add_wat("one", R"((module (memory (export "memory") 1) (func (export "_start")
      (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)))))");
  const Status refused = world.run("a", with_image("two"));
  EXPECT_EQ(refused.reason, "memory-cap");
  EXPECT_TRUE(world.said("wapp 'a': initial memory 2 pages exceeds the 1-page cap"));
  EXPECT_EQ(world.run("a", with_image("one")).reason, "exit");
  // It is looked at before the configuration (contract 5.2).
  LaunchConfig broken = with_image("two");
  broken.drivers.push_back({"nonsense", "", false});
  EXPECT_EQ(world.run("a", broken).reason, "memory-cap");
  broken.image = "one";
  EXPECT_EQ(world.run("a", broken).reason, "config:drivers[0].name:NODEV");
}

TEST(Lifecycle, AStopEndsAComputingAWaitingAndAStartingOne) {
  World world;
  world.add_wat("spin", kSpin);
  world.add_guest("sleeper");
  for (const char* image : {"spin", "sleeper"}) {
    SCOPED_TRACE(image);
    for (const bool at_once : {false, true}) {
      ASSERT_TRUE(world->launch("a", with_image(image)).has_value());
      if (!at_once) world.until_running("a");
      ASSERT_TRUE(world->stop("a").has_value());
      const Status status = world.ended("a");
      EXPECT_EQ(status.state, State::exited);
      EXPECT_EQ(status.exit_code, -1);
      EXPECT_EQ(status.reason, "stopped");
    }
  }
  EXPECT_TRUE(world.messages().empty()) << world.messages()[0];
  EXPECT_EQ(code_of(world->stop("a")), Errno::noent);
  EXPECT_EQ(code_of(world->stop("nobody")), Errno::noent);
}

TEST(Lifecycle, TimeAndTickLimitsEndARun) {
  World world;
  world.add_wat("spin", kSpin);
  world.add_guest("sleeper");
  LaunchConfig config = with_image("spin");
  config.limits.cpu_ms = 20;
  EXPECT_EQ(world.run("a", config).reason, "cpu-limit");
  config = with_image("spin");
  config.limits.wall_ms = 20;
  EXPECT_EQ(world.run("a", config).reason, "wall-limit");
  config = with_image("sleeper");
  config.limits.wall_ms = 20;
  const Status slept = world.run("a", config);
  EXPECT_EQ(slept.reason, "wall-limit");
  EXPECT_EQ(slept.state, State::failure);
  config = with_image("spin");
  config.limits.ticks = 100'000;
  EXPECT_EQ(world.run("a", config).reason, "tick-limit");
}

TEST(Lifecycle, ArgumentsAndEnvironmentAreThoseOfTheConfiguration) {
  World world;
  world.add_guest("crash");
  LaunchConfig config = with_image("crash", {"return", "3"});
  config.envs = {"A=1"};
  EXPECT_EQ(world.run("a", config).exit_code, 3);
  EXPECT_EQ(world->config_json("a"), R"({"image":"crash","args":["return","3"],"envs":["A=1"]})");
}

struct ConfigCase {
  const char* json;
  const char* reason;
};

TEST(Lifecycle, WhatAConfigurationAsksInVainShowsInTheReason) {
  World world;
  world.add_guest("hello");
  const ConfigCase cases[] = {
      {R"({"image":"hello","drivers":[{"name":"gpio"}]})", "config:drivers[0].name:NODEV"},
      {R"({"image":"hello","mounts":[{"name":"log","path":"/dev/x"}]})", "config:mounts[0].path:INVAL"},
      {R"({"image":"hello","sockets":[{"name":"s","address":"nowhere"}]})", "config:sockets[0].address:INVAL"},
      {R"({"image":"hello","mounts":[{"name":"platform","path":"/x","options":"src=/no/such/folder,ro"}]})",
       "config:mounts[0]:NOENT"},
  };
  for (const ConfigCase& c : cases) {
    SCOPED_TRACE(c.json);
    ASSERT_TRUE(world->create_name("a").has_value());
    ASSERT_TRUE(world->configure("a", std::string_view(c.json)).has_value());
    ASSERT_TRUE(world->start("a").has_value());
    const Status status = world.ended("a");
    EXPECT_EQ(status.state, State::failure);
    EXPECT_EQ(status.reason, c.reason);
    EXPECT_EQ(status.exit_code, -1);
  }
  EXPECT_EQ(world.messages().size(), std::size(cases));
}

TEST(Lifecycle, AnUnusableWritableFolderIsLeftOut) {
  World world;
  world.add_guest("hello");
  ASSERT_TRUE(base::write_file_atomic(world.root() / "plain", base::as_bytes("x")).has_value());
  LaunchConfig config = with_image("hello");
  config.mounts.push_back({"platform", "/m", "src=" + (world.root() / "plain" / "below").string()});
  EXPECT_EQ(world.run("a", config).reason, "exit");
  ASSERT_EQ(world.messages().size(), 1u);
  EXPECT_TRUE(world.messages()[0].starts_with("wapp 'a': mount /m is left out: ")) << world.messages()[0];
}

// Opens "f" in the first preopen for writing, with CREAT, and writes 8 bytes; ends with the error of either as exit code.
constexpr std::string_view kWrites = R"((module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "f")
    (data (i32.const 300) "\64\00\00\00\08\00\00\00")
    (func (export "_start") (local $error i32)
      (local.set $error (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 1)
                                    (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 400)))
      (if (i32.eqz (local.get $error)) (then (local.set $error
        (call $write (i32.load (i32.const 400)) (i32.const 300) (i32.const 1) (i32.const 404)))))
      (call $exit (local.get $error)))))";

TEST(Lifecycle, VolumesArePrivateOrSharedKeptAndBounded) {
  World world;
  world.add_wat("writes", kWrites);
  LaunchConfig config = with_image("writes");
  config.mounts = {{"volume", "/v", "name=one"}};
  EXPECT_EQ(world.run("a", config).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(world.root() / "data/priv/a/one/f"));
  config.mounts = {{"volume", "/v", "name=one,shared"}};
  EXPECT_EQ(world.run("a", config).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(world.root() / "data/shared/one/f"));
  config.mounts = {{"volume", "/v", "name=two"}};
  config.limits.volume_bytes = 7;
  EXPECT_EQ(world.run("a", config).exit_code, 0);  // what fits is written
  EXPECT_EQ(std::filesystem::file_size(world.root() / "data/priv/a/two/f"), 7u);
  config.limits.volume_bytes = 0;
  config.mounts = {{"volume", "/v", "name=three"}};
  EXPECT_EQ(world.run("a", config).exit_code, 19);  // DQUOT
  config.mounts = {{"volume", "/v", "name=one,ro"}};
  EXPECT_EQ(world.run("a", config).exit_code, 76);  // NOTCAPABLE: rights beyond the preopen's
  ASSERT_TRUE(world->remove("a").has_value());
  EXPECT_TRUE(std::filesystem::exists(world.root() / "data/priv/a/one/f"));
}

TEST(Lifecycle, AnImageIsWritableOnlyWhereTheConfigurationSaysSo) {
  World world;
  world.add_wat("writes", kWrites);
  LaunchConfig config = with_image("writes");
  EXPECT_EQ(world.run("a", config).exit_code, 69);  // ROFS
  config.writable = "memory";
  EXPECT_EQ(world.run("a", config).exit_code, 0);
  config.writable = "volume:upper";
  EXPECT_EQ(world.run("a", config).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(world.root() / "data/priv/a/upper/f"));
}

// Opens a file read-only, with these oflags, and truncates it; its exit code is the answer to that.
std::string truncates(std::string_view file, int oflags) {
  return R"((module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $size (param i32 i64) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (data (i32.const 0) ")" +
         std::string(file) + R"(")
    (func (export "_start")
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const )" +
         std::to_string(file.size()) + ") (i32.const " + std::to_string(oflags) + R"()
                      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)) (then unreachable))
      (call $exit (call $size (i32.load (i32.const 16)) (i64.const 0))))))";
}

TEST(Lifecycle, AFileOpenedForReadingIsNotTruncated) {
  constexpr int kCreate = 1;
  World world;
  world.add_wat("image", truncates("app.wasm", 0));
  world.add_wat("layer", truncates("f", kCreate));
  LaunchConfig config = with_image("image");
  EXPECT_EQ(world.run("a", config).exit_code, 69);  // ROFS: by nobody
  config.writable = "memory";
  config.image = "layer";
  EXPECT_EQ(world.run("a", config).exit_code, 8);  // BADF
}

// Opens its root until that is refused; its exit code says how often it was not.
constexpr std::string_view kOpensAll = R"((module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 0) ".")
  (func (export "_start") (local $opened i32)
    (loop $more
      (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
                               (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 16)))
        (then (local.set $opened (i32.add (local.get $opened) (i32.const 1))) (br $more))))
    (call $exit (local.get $opened)))))";

struct DescriptorCase {
  std::uint64_t process;  // of the engine's process
  std::uint32_t asked;
  int opened;  // beside 0, 1, 2 and the root
};

TEST(Lifecycle, OneContainerNeverTakesAllDescriptorsOfTheProcess) {
  const DescriptorCase cases[] = {
      {1024, 40, 36},         // what it asked for
      {1024, 4096, 768 - 4},  // what its process can spare
      {256 + 33, 4096, 33 - 4},
      {100, 4096, 32 - 4},  // the least any has
  };
  for (const DescriptorCase& c : cases) {
    SCOPED_TRACE(c.process);
    World world({.change = [&](ContainersOptions& options) { options.descriptors_max = c.process; }});
    world.add_wat("opens", kOpensAll);
    LaunchConfig config = with_image("opens");
    config.limits.fds = c.asked;
    EXPECT_EQ(world.run("a", config).exit_code, c.opened);
  }
}

TEST(Lifecycle, AConsoleGoesToTheDescriptorsOfItsStart) {
  World world;
  world.add_guest("hello");
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe(fds.data()), 0);
  const base::Fd in = base::Fd::adopt(fds[0]);
  {
    const base::Fd out = base::Fd::adopt(fds[1]);
    LaunchConfig config = with_image("hello");
    config.console[1].name = "platform";
    StartOptions options;
    options.platform_fds = {-1, out.get(), -1};
    ASSERT_TRUE(world->launch("a", config, options).has_value());
  }
  world.ended("a");
  const auto text = base::read_fd(in.get(), 1000);  // ends: nobody keeps the other end open
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(*text, "Hello from a nanocontainer\n");
}

// Waits with poll_oneoff until its input, a pipe, or a pipe it opened itself can be read: never.
constexpr std::string_view kPolls = R"((module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "/dev/pipe/p") (data (i32.const 32) "\00\00\00\00\01\00\00\00")
  (func (export "_start")
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 11) (i32.const 0)
                    (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)) (then unreachable))
    (i32.store8 (i32.const 136) (i32.const 1))
    (i32.store8 (i32.const 184) (i32.const 1))
    (i32.store (i32.const 192) (i32.load (i32.const 16)))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))
    (drop (call $poll (i32.const 128) (i32.const 512) (i32.const 2) (i32.const 20)))
    unreachable)))";

TEST(Lifecycle, AStopEndsAPollOfDescriptors) {
  World world;
  world.add_wat("polls", kPolls);
  LaunchConfig config = with_image("polls");
  config.console[0].name = "pipe";
  ASSERT_TRUE(world->launch("a", config).has_value());
  world.until([&] { return world.log("a") == "/"; });  // it waits, or is about to
  const auto status = world->status("a");
  ASSERT_EQ(status->state, State::running) << status->reason;
  ASSERT_TRUE(world->stop("a").has_value());
  EXPECT_EQ(world.ended("a").reason, "stopped");
}

TEST(Lifecycle, DestructionStopsWhateverRuns) {
  World world;
  world.add_wat("spin", kSpin);
  world.add_guest("sleeper");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(world->launch("s" + std::to_string(i), with_image("spin")).has_value());
    ASSERT_TRUE(world->launch("z" + std::to_string(i), with_image("sleeper")).has_value());
  }
  world.destroy();
}

TEST(Lifecycle, NothingStartsAfterStopAll) {
  World world;
  world.add_guest("sleeper");
  world.add_guest("hello");
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  EXPECT_TRUE(world->stop_all(10s));
  EXPECT_EQ(world->status("a")->reason, "stopped");
  const auto refused = world->launch("b", with_image("hello"));
  EXPECT_EQ(code_of(refused), Errno::canceled);
  EXPECT_EQ(refused.error().message, "the engine is stopping");
}

}  // namespace
}  // namespace fusebox::container
