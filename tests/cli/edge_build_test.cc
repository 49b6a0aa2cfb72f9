// `fusebox edge build`, `fusebox policy pack` and `unpack`, and the launchers of tools/, as build scripts see them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "support/process.h"

namespace fusebox::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kConfig =
    R"({"application": {"name": "demo", "max_modules": 1, "wamr_pool_bytes": 1, "log_pool_bytes": 144,
  "hal_groups": ["timer"]},
 "modules": [{"name": "blink", "binary": "blink.aot", "policy": {"capabilities": ["TIMER"], "memory_pages_max": 1,
  "stack_size": 0, "heap_size": 0, "cpu_quota_us": 100, "step_interval_us": 1000}}]})";
constexpr const char* kPolicy =
    R"({"capabilities":2,"memory_pages_max":1,"stack_size":0,"heap_size":0,"cpu_quota_us":100,"step_interval_us":1000})";

class EdgeBuildTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-edge-build");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  fs::path path(const std::string& name) const { return folder_->path() / name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  std::string text(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }
  Finished run(std::vector<std::string> command, const std::string& fusebox = FUSEBOX_COMMAND) const {
    ProcessOptions options;
    options.folder = folder_->path().string();
    options.environment = {"FUSEBOX=" + fusebox, "PYTHONDONTWRITEBYTECODE=1"};
    return run_process(command, options);
  }
  Finished fusebox(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), FUSEBOX_COMMAND);
    return run(std::move(arguments));
  }
  std::optional<base::TempDir> folder_;
};

constexpr const char* kSaid =
    "Generated: out/fuse_app_config.h\n"
    "Generated: out/fuse_hal_flags.cmake\n"
    "Generated: out/blink_policy.bin\n"
    "\n"
    "Success: 3 files written to out\n";

TEST_F(EdgeBuildTest, SaysWhatItWrote) {
  write("app_config.json", kConfig);
  const Finished done = fusebox({"edge", "build", "app_config.json", "--output-dir", "./out//"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, kSaid);
  EXPECT_THAT(done.err, IsEmpty());
  EXPECT_THAT(text("out/fuse_app_config.h"),
              HasSubstr("/* Source: " + fs::canonical(path("app_config.json")).string() + " */\n"));
  EXPECT_EQ(text("out/blink_policy.bin").size(), 32u);
  const Finished here = fusebox({"edge", "build", "app_config.json", "--output-dir", "."});
  EXPECT_THAT(here.out, StartsWith("Generated: fuse_app_config.h\n"));
  EXPECT_THAT(here.out, HasSubstr("\n\nSuccess: 3 files written to .\n"));
}

TEST_F(EdgeBuildTest, EveryErrorAtOnceAndNothingWritten) {
  std::string bad = kConfig;
  bad.replace(bad.find("\"demo\""), 6, "true");
  bad.replace(bad.find("[\"TIMER\"]"), 9, "[\"TIMR\"]");
  bad.replace(bad.find("{\"application"), 1, "{\"y\": 1, ");
  write("bad.json", bad);
  const Finished done = fusebox({"edge", "build", "bad.json", "--output-dir", "out"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.out, IsEmpty());
  EXPECT_EQ(done.err,
            "bad.json:1:2: warning: unknown key \"y\" in app_config; allowed are \"application\" and \"modules\"\n"
            "bad.json:1:34: application.name must be a string, not true\n"
            "bad.json:3:83: unknown capability \"TIMR\"; did you mean \"TIMER\"?\n");
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(EdgeBuildTest, WarningsDoNotStopItUnlessStrict) {
  std::string odd = kConfig;
  odd.replace(odd.find("{\"application"), 1, "{\"y\": 1, ");
  write("odd.json", odd);
  const Finished lenient = fusebox({"edge", "build", "odd.json", "--output-dir", "out"});
  EXPECT_EQ(lenient.status, 0);
  EXPECT_THAT(lenient.err, StartsWith("odd.json:1:2: warning: unknown key"));
  const std::string before = text("out/fuse_app_config.h");
  odd.replace(odd.find("\"demo\""), 6, "\"next\"");
  write("odd.json", odd);
  const Finished strict = fusebox({"edge", "build", "odd.json", "--output-dir", "out", "--strict"});
  EXPECT_EQ(strict.status, 1);
  EXPECT_THAT(strict.err, StartsWith("odd.json:1:2: unknown key"));
  EXPECT_EQ(text("out/fuse_app_config.h"), before);
}

TEST_F(EdgeBuildTest, AMissingFileIsAnErrorOfOneSentence) {
  const Finished done = fusebox({"edge", "build", "none.json", "--output-dir", "out"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.out, IsEmpty());
  EXPECT_THAT(done.err, HasSubstr("none.json"));
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(EdgeBuildTest, LaunchersTakeTheArgumentsOfExistingScripts) {
  write("app_config.json", kConfig);
  write("policy.json", kPolicy);
  const std::string tools = std::string(FUSEBOX_SOURCE_DIR) + "/tools/";
  const Finished built =
      run({"python3", tools + "gen_app_config.py", "--input", "app_config.json", "--output-dir", "out"});
  EXPECT_EQ(built.status, 0) << built.err;
  EXPECT_EQ(built.out, kSaid);
  const Finished packed = run({"python3", tools + "policy_to_bin.py", "--input", "policy.json", "--output", "p.bin"});
  EXPECT_EQ(packed.status, 0) << packed.err;
  EXPECT_EQ(packed.out, "Written policy binary: p.bin (32 bytes)\n");
  const Finished lost =
      run({"python3", tools + "policy_to_bin.py", "--input", "a", "--output", "b"}, "/no/such/fusebox");
  EXPECT_EQ(lost.status, 1);
  EXPECT_EQ(
      lost.err,
      "fusebox: the command was not found; looked at /no/such/fusebox. Build it with `make build`, or set FUSEBOX "
      "to its path\n");
}

TEST_F(EdgeBuildTest, PackAndUnpack) {
  write("policy.json", kPolicy);
  const Finished packed = fusebox({"policy", "pack", "policy.json", "--output", "p.bin"});
  EXPECT_EQ(packed.status, 0);
  EXPECT_EQ(packed.out, "Written policy binary: p.bin (32 bytes)\n");
  const Finished unpacked = fusebox({"policy", "unpack", "p.bin"});
  EXPECT_EQ(unpacked.status, 0);
  EXPECT_THAT(unpacked.out, StartsWith("{\n  \"capabilities\": [\"TIMER\"],\n"));
  write("again.json", unpacked.out);
  EXPECT_EQ(fusebox({"policy", "pack", "again.json", "--output", "q.bin"}).status, 0);
  EXPECT_EQ(text("p.bin"), text("q.bin"));
  EXPECT_THAT(fusebox({"policy", "explain", "p.bin"}).out,
              HasSubstr("can read the clock; cannot read the temperature sensor"));

  write("bad.json", R"({"capabilities":true})");
  const Finished bad = fusebox({"policy", "pack", "bad.json", "--output", "r.bin"});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.err, StartsWith("bad.json:1:1: key \"memory_pages_max\" is missing in policy\n"));
  EXPECT_FALSE(fs::exists(path("r.bin")));
  const Finished unfit = fusebox({"policy", "unpack", "bad.json"});
  EXPECT_EQ(unfit.status, 1);
  EXPECT_EQ(unfit.err, "fusebox: bad.json: a policy file has 32 bytes, this one has 21\n");
  std::string extended = kPolicy;
  write("more.json", extended.replace(extended.size() - 1, 1, R"(,"fusebox":{"priority":1}})"));
  const Finished more = fusebox({"policy", "pack", "more.json", "--output", "m.bin"});
  EXPECT_EQ(more.status, 0);
  EXPECT_THAT(more.err, HasSubstr("the 32 bytes do not hold the object \"fusebox\""));
}

}  // namespace
}  // namespace fusebox::testing
