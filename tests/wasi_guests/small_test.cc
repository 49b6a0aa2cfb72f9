// The small guests for tests, demos and benches: each does exactly what its name says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vfs/pipe/pipe_pool.h"
#include "wasi_guests/guest_run.h"

namespace fusebox::testing {
namespace {

TEST(Small, HelloPrintsOneLine) {
  GuestRun run("hello", {});
  run.finish();
  EXPECT_EQ(run.out(), "Hello from a nanocontainer\n");
  EXPECT_EQ(run.exit_code, 0);
}

TEST(Small, FibComputes) {
  GuestRun run("fib", {"20"});
  run.finish();
  EXPECT_EQ(run.out(), "6765\n");

  GuestRun refused("fib", {"-1"});
  refused.finish();
  EXPECT_EQ(refused.err(), "fib: not a number: -1\n");
  EXPECT_EQ(refused.exit_code, 2);
}

TEST(Small, SleeperSleepsItsTimeOrForEver) {
  GuestRun run("sleeper", {"1500"});
  run.finish();
  EXPECT_EQ(run.passed(), std::chrono::milliseconds(1500));
  EXPECT_EQ(run.exit_code, 0);
}

TEST(Small, SpinEndsOnlyWhenStopped) {
  GuestRun run("spin", {});
  run.start();
  run.stop();
  run.finish();
  EXPECT_EQ(run.outcome.kind(), "stopped");
}

TEST(Small, GrowTakesWhatItIsGiven) {
  GuestRun run("grow", {});
  run.memory_bytes = 5 * 65536;
  run.finish();
  EXPECT_EQ(run.out(), "5\n");

  GuestRun some("grow", {"2"});
  some.memory_bytes = 5 * 65536;
  some.finish();
  EXPECT_EQ(some.out(), "3\n");
}

TEST(Small, CounterKeepsItsNumberBetweenRuns) {
  GuestRun first("counter", {"/data/count"});
  first.finish();
  EXPECT_EQ(first.out(), "1\n");
  EXPECT_EQ(first.read("count"), "1\n");

  GuestRun next("counter", {"/data/count"});
  next.write("count", "41\n");
  next.finish();
  EXPECT_EQ(next.out(), "42\n");
  EXPECT_EQ(next.read("count"), "42\n");
  EXPECT_FALSE(std::filesystem::exists(next.folder() / "count.new"));

  GuestRun damaged("counter", {"/data/count"});
  damaged.write("count", "4x\n");
  damaged.finish();
  EXPECT_EQ(damaged.err(), "counter: /data/count: Invalid argument\n");
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_EQ(damaged.read("count"), "4x\n");
}

struct CrashCase {
  const char* kind;
  engine::TrapKind trap;
};
class Crash : public ::testing::TestWithParam<CrashCase> {};

TEST_P(Crash, IsTheTrapItIsNamedFor) {
  GuestRun run("crash", {GetParam().kind});
  run.finish();
  const auto* trapped = std::get_if<engine::Trapped>(&run.outcome.how);
  ASSERT_NE(trapped, nullptr) << run.outcome.message();
  EXPECT_EQ(trapped->kind, GetParam().trap);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Crash,
                         ::testing::Values(CrashCase{"unreachable", engine::TrapKind::unreachable},
                                           CrashCase{"memory", engine::TrapKind::memory_out_of_bounds},
                                           CrashCase{"stack", engine::TrapKind::stack_overflow},
                                           CrashCase{"div-zero", engine::TrapKind::integer_divide_by_zero},
                                           CrashCase{"overflow", engine::TrapKind::integer_overflow},
                                           CrashCase{"indirect-call", engine::TrapKind::indirect_call_type_mismatch},
                                           CrashCase{"conversion", engine::TrapKind::invalid_conversion_to_integer},
                                           CrashCase{"abort", engine::TrapKind::unreachable}));

TEST(CrashOfOtherKinds, UnlinkedImportsSayWhichOne) {
  GuestRun run("crash", {"unlinked"});
  run.finish();
  const auto* trapped = std::get_if<engine::Trapped>(&run.outcome.how);
  ASSERT_NE(trapped, nullptr) << run.outcome.message();
  EXPECT_EQ(trapped->message, "failed to call unlinked import function (nowhere, nothing)");
}

TEST(CrashOfOtherKinds, ExitCodesAreKept) {
  for (const char* how : {"exit", "return"}) {
    GuestRun run("crash", {how, "42"});
    run.finish();
    EXPECT_EQ(run.exit_code, 42) << how;
  }
}

TEST(Small, PipesCarryEveryByteInOrder) {
  const auto pool = vfs::PipePool::create({.pipes = 1, .pipe_bytes = 1u << 20, .console_pipes = 0});
  const auto share = std::make_shared<vfs::PipeShare>();
  const auto with_pipes = [&](GuestRun& run) {
    run.devices.push_back(
        {.device = {.name = "pipe", .type = vfs::FileType::directory}, .mount = vfs::make_pipe_mount(pool, share)});
  };
  GuestRun source("pipe_source", {"/dev/pipe/p", "1000000", "7777"});
  with_pipes(source);
  source.finish();
  EXPECT_EQ(source.exit_code, 0) << source.err();
  GuestRun sink("pipe_sink", {"/dev/pipe/p"});
  with_pipes(sink);
  sink.finish();
  EXPECT_THAT(sink.out(), ::testing::MatchesRegex("1000000 [0-9]+ [0-9]+\n"));
  EXPECT_EQ(sink.exit_code, 0);
}

TEST(Small, SinkNoticesDamage) {
  GuestRun sink("pipe_sink", {"/data/f"});
  sink.write("f", std::string(5000, '\0'));
  sink.finish();
  EXPECT_THAT(sink.out(), ::testing::EndsWith(" damaged\n"));
  EXPECT_EQ(sink.exit_code, 1);
}

TEST(Small, LoopsOfCallsReportNanoseconds) {
  GuestRun opener("opener", {"/data/f", "50"});
  opener.write("f", "text");
  opener.finish();
  EXPECT_EQ(opener.exit_code, 0);
  EXPECT_THAT(opener.err(), ::testing::MatchesRegex("[0-9]+\n"));

  GuestRun writer("writer", {"/dev/null", "50"});
  writer.finish();
  EXPECT_EQ(writer.exit_code, 0);
  EXPECT_THAT(writer.err(), ::testing::MatchesRegex("[0-9]+\n"));

  GuestRun missing("opener", {"/data/none", "50"});
  missing.finish();
  EXPECT_EQ(missing.err(), "opener: /data/none: No such file or directory\n");
  EXPECT_EQ(missing.exit_code, 1);
}

}  // namespace
}  // namespace fusebox::testing
