// `fusebox edge run` and `fusebox edge imports` as scripts see them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "support/process.h"

namespace fusebox::testing {
namespace {

namespace json = base::json;
using ::testing::HasSubstr;

constexpr const char* kIdle = R"((module (memory 1) (func (export "module_step"))))";
constexpr const char* kSpin = R"((module (memory 1) (func (export "module_step") (loop $again (br $again)))))";
constexpr const char* kTrap = R"((module (memory 1) (func (export "module_step") unreachable)))";
constexpr const char* kPin = R"((module (import "env" "gpio_write" (func $write (param i32 i32)))
  (memory 1) (func (export "module_step") (call $write (i32.const 1) (i32.const 1)))))";

class EdgeRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-edge");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_->path() / name) << text; }
  // A deployment of one module, in text form beside the configuration.
  void deploy(const char* wat, const std::string& policy = "") const {
    write("m.wat", wat);
    write("app_config.json",
          R"({"application":{"name":"one","max_modules":1,"wamr_pool_bytes":262144,"log_pool_bytes":65536,)"
          R"("hal_groups":["timer","gpio"]},"modules":[{"name":"m","binary":"m.wat","policy":{"capabilities":[],)"
          R"("memory_pages_max":2,"stack_size":0,"heap_size":0,"cpu_quota_us":20000,"step_interval_us":10000)" +
              policy + "}}]}");
  }
  Finished run(std::vector<std::string> arguments, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), {FUSEBOX_COMMAND, "edge", "run", "app_config.json"});
    options.folder = folder_->path().string();
    return run_process(arguments, options);
  }
  std::optional<base::TempDir> folder_;
};

TEST_F(EdgeRunTest, AHealthyDeploymentEndsWithATable) {
  deploy(kIdle);
  const Finished ended = run({"--for", "50ms"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, ::testing::StartsWith("module  state "));
  EXPECT_THAT(ended.out, HasSubstr("\nm       RUNNING"));
  EXPECT_THAT(ended.out, HasSubstr("\none: "));
  EXPECT_EQ(ended.err, "");
}

TEST_F(EdgeRunTest, JsonIsOneObject) {
  deploy(kIdle);
  const Finished ended = run({"--for", "50ms", "--json"});
  EXPECT_EQ(ended.status, 0);
  const auto document = json::parse(ended.out);
  ASSERT_TRUE(document) << ended.out;
  EXPECT_EQ(document->root->find("application")->string(), "one");
  EXPECT_EQ(document->root->find("exit_code")->as_u64(), 0u);
  EXPECT_GE(*document->root->find("modules")->elements()[0].find("steps_ok")->as_u64(), 1u);
}

TEST_F(EdgeRunTest, TheExitStatusSaysWhatEndedAModule) {
  deploy(kSpin);
  const Finished stopped = run({"--for", "100ms"});
  EXPECT_EQ(stopped.status, 124);
  EXPECT_THAT(stopped.err, HasSubstr("fusebox: module \"m\": QUOTA_EXCEEDED; --log shows what led there"));
  deploy(kTrap);
  const Finished trapped = run({"--for", "100ms"});
  EXPECT_EQ(trapped.status, 134);
  EXPECT_THAT(trapped.err, HasSubstr("module \"m\": TRAPPED: unreachable"));
  deploy(kPin);
  const Finished denied = run({"--for", "100ms", "--log"});
  EXPECT_EQ(denied.status, 126);
  EXPECT_THAT(denied.err, HasSubstr("FATAL  SECURITY: module 0 policy violation cap=GPIO\n"));
}

TEST_F(EdgeRunTest, ARestartedModuleIsHealthy) {
  deploy(kTrap, R"(,"fusebox":{"on_fault":{"restart":"always"}})");
  const Finished ended = run({"--for", "100ms", "--json"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const auto document = json::parse(ended.out);
  ASSERT_TRUE(document);
  EXPECT_GE(*document->root->find("modules")->elements()[0].find("restarts")->as_u64(), 1u);
}

// Interrupts the run once, when its module is said to run.
ProcessOptions interrupting() {
  ProcessOptions options;
  options.on_error_output = [sent = false](int pid, const std::string& said) mutable {
    if (!sent && said.find("module 0 running") != std::string::npos) {
      sent = true;
      ::kill(pid, SIGINT);
    }
  };
  return options;
}

TEST_F(EdgeRunTest, AnInterruptEndsTheRunWithItsReport) {
  deploy(kIdle);
  const Finished ended = run({"--log"}, interrupting());
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.out, HasSubstr("log entries, interrupted\n"));
}

TEST_F(EdgeRunTest, AnInterruptAlsoEndsAStepThatNobodyBounded) {
  deploy(kSpin);
  write("app_config.json", [&] {
    std::string text = *base::read_file(folder_->path() / "app_config.json", 10'000);
    text.replace(text.find("20000"), 5, "0");
    return text;
  }());
  // Nothing is said when a step begins: now and then the signal comes before it, and the run ends without one.
  constexpr int kTries = 10;
  bool in_a_step = false;
  for (int i = 0; i < kTries && !in_a_step; ++i) {
    const Finished ended = run({"--log"}, interrupting());
    EXPECT_EQ(ended.status, 130) << ended.err;
    in_a_step = ended.out.find("QUOTA_EXCEEDED") != std::string::npos;
  }
  EXPECT_TRUE(in_a_step);
}

TEST_F(EdgeRunTest, ATraceIsWritten) {
  deploy(kIdle);
  EXPECT_EQ(run({"--for", "50ms", "--trace", "trace.json"}).status, 0);
  const auto document = json::parse(*base::read_file(folder_->path() / "trace.json", 1u << 24));
  ASSERT_TRUE(document);
  bool stepped = false;
  for (const auto& event : document->root->find("traceEvents")->elements()) {
    stepped = stepped || (event.find("ph")->string() == "X" && event.find("name")->string() == "step");
  }
  EXPECT_TRUE(stepped);
}

TEST_F(EdgeRunTest, WhatCannotRunIsSaidWithItsPlace) {
  deploy(kIdle, R"(,"cpu_quota":5)");
  const Finished config = run({});
  EXPECT_EQ(config.status, 125);
  EXPECT_THAT(config.err, HasSubstr("app_config.json:1:"));
  EXPECT_THAT(config.err, HasSubstr("cpu_quota"));

  deploy(kIdle);
  std::filesystem::remove(folder_->path() / "m.wat");
  const Finished missing = run({"--module-dir", "elsewhere"});
  EXPECT_EQ(missing.status, 125);
  EXPECT_THAT(missing.err, HasSubstr("fusebox: app_config.json: module \"m\": "));
  EXPECT_THAT(missing.err, HasSubstr("elsewhere/m.wat"));

  deploy("(module (memory 3) (func (export \"module_step\")))");
  const Finished refused = run({"--json"});
  EXPECT_EQ(refused.status, 125);
  EXPECT_THAT(refused.err, HasSubstr("is refused: instantiate failed: memory min 3 pages exceeds policy max 2"));
  const auto document = json::parse(refused.out);
  ASSERT_TRUE(document) << refused.out;
  EXPECT_EQ(document->root->find("exit_code")->as_u64(), 125u);

  deploy(kIdle);
  EXPECT_THAT(run({"--hal", "camera=generator"}).err, HasSubstr("camera is not among the hal_groups"));
  EXPECT_THAT(run({"--for", "10"}).err, HasSubstr("fusebox: --for: "));
  EXPECT_THAT(run({"--post", "x=1s"}).err, HasSubstr("write EVENT=PERIOD"));
  EXPECT_THAT(run({"--trace", "no/such/folder/t.json"}).err, HasSubstr("No such file"));
}

std::string committed(const std::string& file) {
  return base::read_file(std::string(FUSEBOX_SOURCE_DIR) + "/" + file, 1u << 20).value_or("(cannot read " + file + ")");
}

std::string printed(const char* form) {
  return run_process({FUSEBOX_COMMAND, "edge", "imports", form}).out;
}

TEST(EdgeImports, TheGuestsHeaderIsWhatIsPrinted) {
  EXPECT_EQ(committed("guest/fuse_guest.h"), printed("--header"))
      << "write it anew: fusebox edge imports --header > guest/fuse_guest.h";
}

TEST(EdgeImports, TheTableOfTheGuideIsWhatIsPrinted) {
  EXPECT_THAT(committed("docs/edge.md"), HasSubstr("<!-- fusebox edge imports --markdown -->\n" +
                                                   printed("--markdown") + "<!-- end of fusebox edge imports -->\n"));
}

// docs/examples/edge is what tests/install builds.
TEST(EdgeGuide, ShowsTheExampleThatIsBuilt) {
  const std::string guide = committed("docs/edge.md");
  for (const auto& [block, file] :
       std::vector<std::pair<std::string, std::string>>{{"c beat.c", "beat.edge.c"},
                                                        {"c main.c", "main.c"},
                                                        {"json app_config.json", "app_config.json"},
                                                        {"cmake CMakeLists.txt", "CMakeLists.txt"}}) {
    EXPECT_THAT(guide, HasSubstr("```" + block + "\n" + committed("docs/examples/edge/" + file) + "```\n"));
  }
}

TEST(EdgeImports, JsonIsOneObjectWithEveryGroup) {
  const auto document = json::parse(printed("--json"));
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root->find("groups")->elements().size(), 7u);
  EXPECT_THAT(run_process({FUSEBOX_COMMAND, "edge", "imports"}).out,
              HasSubstr("  env.camera_last_frame   (i32, i32) -> i64 "));
}

}  // namespace
}  // namespace fusebox::testing
