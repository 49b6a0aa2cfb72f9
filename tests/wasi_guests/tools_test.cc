// The small tools, on the real engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "vfs/device/devices.h"
#include "wasi_guests/guest_run.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;

struct ToolCase {
  const char* name;
  std::vector<std::string> args;
  const char* out;
  const char* err;
  int exit_code;
};

// Each runs beside /data/a, /data/b and /data/sub/c, with "one\ntwo\n" on standard input.
class Tool : public ::testing::TestWithParam<ToolCase> {};

TEST_P(Tool, DoesWhatItsNameSays) {
  GuestRun run("tools", GetParam().args);
  run.envs = {"A=1", "B=two words"};
  run.write("a", "first line\nsecond\nthird line\n");
  run.write("b", "no newline");
  run.write("sub/c", "");
  run.input("one\ntwo\n");
  run.finish();
  EXPECT_EQ(run.out(), GetParam().out);
  EXPECT_EQ(run.err(), GetParam().err);
  EXPECT_EQ(run.exit_code, GetParam().exit_code);
}

INSTANTIATE_TEST_SUITE_P(
    Tools, Tool,
    ::testing::Values(
        ToolCase{"CatJoins", {"cat", "/data/b", "/data/a"}, "no newlinefirst line\nsecond\nthird line\n", "", 0},
        ToolCase{"CatReadsInput", {"cat"}, "one\ntwo\n", "", 0},
        ToolCase{"CatGoesOnAfterAMissingFile",
                 {"cat", "/data/none", "/data/b"},
                 "no newline",
                 "cat: /data/none: No such file or directory\n",
                 1},
        ToolCase{"LsSorts", {"ls", "/data"}, "a\nb\nsub\n", "", 0},
        ToolCase{"LsNamesFiles", {"ls", "/data/b", "/data/sub"}, "/data/b\n/data/sub:\nc\n", "", 0},
        ToolCase{"LsShowsTheRoot", {"ls"}, "app.wasm\ndata\ndev\n", "", 0},
        ToolCase{"HeadOfLines", {"head", "-n", "2", "/data/a"}, "first line\nsecond\n", "", 0},
        ToolCase{"HeadOfBytes", {"head", "-c", "3", "/data/a"}, "fir", "", 0},
        ToolCase{"WcCounts", {"wc", "/data/a", "/data/b"}, "3 5 29 /data/a\n0 2 10 /data/b\n3 7 39 total\n", "", 0},
        ToolCase{"WcOfLines", {"wc", "-l"}, "2\n", "", 0},
        ToolCase{"GrepFinds", {"grep", "-n", "^[a-z]*$", "/data/a"}, "2:second\n", "", 0},
        ToolCase{"GrepNamesFiles",
                 {"grep", "-i", "NE", "/data/a", "/data/b"},
                 "/data/a:first line\n/data/a:third line\n/data/b:no newline\n",
                 "",
                 0},
        ToolCase{"GrepCountsTheOthers", {"grep", "-vc", "line", "/data/a"}, "1\n", "", 0},
        ToolCase{"GrepOfFixedText", {"grep", "-F", ".", "/data/a"}, "", "", 1},
        ToolCase{"GrepRefusesAPattern", {"grep", "\\(", "/data/a"}, "", "grep: \\(: Invalid argument\n", 2},
        ToolCase{"EchoJoins", {"echo", "a", "b c"}, "a b c\n", "", 0},
        ToolCase{"EnvIsWhatWasPassed", {"env"}, "A=1\nB=two words\n", "", 0},
        ToolCase{"SleepEnds", {"sleep", "3600.5"}, "", "", 0},
        ToolCase{"SleepWantsANumber", {"sleep", "x"}, "", "usage: sleep SECONDS\n", 2},
        ToolCase{"True", {"true"}, "", "", 0}, ToolCase{"False", {"false"}, "", "", 1},
        ToolCase{
            "NoSuchTool",
            {"vi"},
            "",
            "usage: tools NAME [ARGUMENTS], NAME one of cat echo env false grep head ls sha256 sleep true wc yes\n",
            2}),
    [](const auto& tool) { return std::string(tool.param.name); });

TEST(Tools, SleepTakesExactlyItsTime) {
  GuestRun run("tools", {"sleep", "2.25"});
  run.finish();
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.passed(), std::chrono::milliseconds(2250));
}

// Lengths around the block and the padding of the algorithm, and more than one read.
TEST(Tools, TheirOwnSha256AgreesWithOurs) {
  for (const std::size_t size : {0u, 1u, 55u, 56u, 63u, 64u, 65u, 119u, 120u, 8191u, 8192u, 20'000u}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 >> 2);
    GuestRun run("tools", {"sha256", "--own", "/data/f"});
    run.write("f", text);
    run.finish();
    EXPECT_EQ(run.out(), base::sha256(base::as_bytes(text)).hex() + "  /data/f\n") << size;
  }
}

// The device answers, not the module's own code: what was written to it must have gone through the namespace.
TEST(Tools, Sha256UsesTheDeviceWhereThereIsOne) {
  GuestRun run("tools", {"sha256", "/data/f", "/data/g"});
  run.devices.push_back({.device = vfs::sha256_device(), .mount = nullptr});
  run.write("f", "abc");
  run.write("g", std::string(100'000, 'q'));
  run.finish();
  EXPECT_EQ(run.out(), base::sha256(base::as_bytes("abc")).hex() + "  /data/f\n" +
                           base::sha256(base::as_bytes(std::string(100'000, 'q'))).hex() + "  /data/g\n");
}

TEST(Tools, YesGoesOnUntilItIsStopped) {
  GuestRun run("tools", {"yes", "on"});
  run.start();
  run.stop();
  run.finish();
  EXPECT_EQ(run.outcome.kind(), "stopped");
}

TEST(Tools, LongLinesAndManyEntriesGrowIntoTheirMemory) {
  GuestRun run("tools", {"grep", "-c", "z$", "/data/long"});
  run.write("long", std::string(300'000, 'y') + "z\n" + std::string(100, 'y') + "\n");
  run.finish();
  EXPECT_EQ(run.out(), "1\n");

  GuestRun list("tools", {"ls", "/data"});
  std::string wanted;
  for (int i = 1000; i < 3000; ++i) {
    list.write("entry" + std::to_string(i), "");
    wanted += "entry" + std::to_string(i) + "\n";
  }
  list.finish();
  EXPECT_EQ(list.out(), wanted);
}

TEST(Tools, SayWhenMemoryIsShort) {
  GuestRun run("tools", {"grep", "-c", "z$", "/data/long"});
  run.memory_bytes = 65536;
  run.write("long", std::string(300'000, 'y') + "z\n");
  run.finish();
  EXPECT_EQ(run.err(), "grep: /data/long: Out of memory\n");
  EXPECT_EQ(run.exit_code, 2);
}

}  // namespace
}  // namespace fusebox::testing
