// The demos as a visitor runs them: one command each, and what they print.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/process.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;

Finished demo(const std::string& name, std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.begin(),
                   {std::string(FUSEBOX_SOURCE_DIR) + "/demos/" + name + "/run.sh", std::string(FUSEBOX_BINARY_DIR)});
  return run_process(arguments);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// Contract edge.md 14.3.
TEST(Demos, CameraCompressMakesFiveSteps) {
  const Finished ended = demo("camera_compress", {"--interval-us", "20000"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("=== FUSE camera-compress demo ===\nmodule: "));
  EXPECT_THAT(ended.out,
              HasSubstr("camera_compress_policy.bin\ncapabilities=0x0E pages=62 quota_us=1000\nmodule id: 0\n"));
  EXPECT_THAT(ended.out, HasSubstr("[step 1/5] completed\n[step 2/5] completed\n[step 3/5] completed\n"
                                   "[step 4/5] completed\n[step 5/5] completed\n"
                                   "=== Summary: ok=5 quota_exceeded=0 trap/other=0 ===\n"));
  EXPECT_EQ(count(ended.err, "comp orig=262144 out=4096 us="), 5u) << ended.err;
}

TEST(Demos, CameraCompressRefusesAPolicyThatIsNone) {
  const std::string build = FUSEBOX_BINARY_DIR;
  const std::string module = build + "/guests/camera_compress.wasm";
  const Finished ended = run_process({build + "/demos/camera_compress", module, module});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("bytes; a policy has 32"));
}

// Contract edge.md 14.4.
TEST(Demos, CameraFilterCompressKeepsEveryOtherFrame) {
  const Finished ended = demo("camera_filter_compress");
  EXPECT_EQ(ended.status, 0) << ended.err;
  std::string expected = "=== FUSE camera-filter-compress demo ===\n";
  for (int i = 0; i < 8; ++i) {
    expected += "[frame  " + std::to_string(i) + "] posting CAMERA_FRAME_READY (" +
                (i % 2 == 0 ? "varied/high-MAD)\n-> compressed\n" : "uniform/MAD=0)\n-> rejected by filter\n");
  }
  EXPECT_EQ(ended.out, expected + "=== Summary: frames=8 accepted+compressed=4 rejected=4 ===\n");
  EXPECT_EQ(count(ended.err, "filter: accept frame=262144 mad=64"), 4u);
  EXPECT_EQ(count(ended.err, "filter: reject frame=262144 mad=0"), 4u);
  EXPECT_EQ(count(ended.err, "compress: orig=262144 out=524288"), 4u);
}

TEST(Demos, ARunawayIsStoppedAndItsNeighboursGoOn) {
  const Finished ended = demo("runaway", {"--milliseconds", "300"});
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("A step that never ends was stopped at its quota each time"));
  EXPECT_THAT(ended.out,
              ::testing::ContainsRegex(
                  "=== Summary: periods kept alone=[0-9]+% beside=[0-9]+% runaway stopped=[0-9]+/[0-9]+ ==="));
}

}  // namespace
}  // namespace fusebox::testing
