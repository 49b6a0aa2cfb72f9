#include "edge/config/generate.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "base/files.h"
#include "edge/config/config_test_tools.h"

namespace fusebox::edge::config {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::string golden_source(const char* name) {
  std::ifstream in(std::string(FUSEBOX_SOURCE_DIR) + "/src/edge/config/testdata/" + name);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

// Contract 14.3 and 14.4, written out by hand.
constexpr std::string_view kCompressHeader =
    R"(/* Auto-generated from app_config.json by tools/gen_app_config.py — DO NOT EDIT */
/* Source: /srv/camera_compress/app_config.json */
#pragma once

/* Application-level constants */
#define FUSE_APP_NAME            "camera_compress"
#define FUSE_APP_MAX_MODULES      1U
#define FUSE_APP_WAMR_POOL_BYTES  8388608U
#define FUSE_APP_LOG_POOL_BYTES   65536U

/* HAL groups enabled on this platform */
#define FUSE_HAL_ENABLE_TIMER  1
#define FUSE_HAL_ENABLE_CAMERA  1

/* ---- Module: camera_compress --------------------------------------------- */
/* policy capabilities bitmask: TIMER | CAMERA | LOG = 0x0E */
#define FUSE_POLICY_CAMERA_COMPRESS_CAPABILITIES      14U
#define FUSE_POLICY_CAMERA_COMPRESS_MEMORY_PAGES_MAX  62U
#define FUSE_POLICY_CAMERA_COMPRESS_STACK_SIZE        8192U
#define FUSE_POLICY_CAMERA_COMPRESS_HEAP_SIZE         262144U
#define FUSE_POLICY_CAMERA_COMPRESS_CPU_QUOTA_US      1000U
#define FUSE_POLICY_CAMERA_COMPRESS_STEP_INTERVAL_US  10000000U
/* activation: INTERVAL = 0x01 */
#define FUSE_POLICY_CAMERA_COMPRESS_ACTIVATION_MASK   0x01U
#define FUSE_POLICY_CAMERA_COMPRESS_EVENT_SUBSCRIBE   0x00000000U
#define FUSE_POLICY_CAMERA_COMPRESS_BINARY            "out/camera_compress.aot"
)";

constexpr std::string_view kFilterHeader =
    R"(/* Auto-generated from app_config.json by tools/gen_app_config.py — DO NOT EDIT */
/* Source: /a */
#pragma once

/* Application-level constants */
#define FUSE_APP_NAME            "camera_filter_compress"
#define FUSE_APP_MAX_MODULES      2U
#define FUSE_APP_WAMR_POOL_BYTES  16777216U
#define FUSE_APP_LOG_POOL_BYTES   65536U

/* HAL groups enabled on this platform */
#define FUSE_HAL_ENABLE_TIMER  1
#define FUSE_HAL_ENABLE_CAMERA  1

/* ---- Application-defined events ---- */
#define FUSE_EVENT_CAMERA_FRAME_READY  0u
#define FUSE_EVENT_DATA_CAPTURED  1u

/* ---- Module: frame_filter ------------------------------------------------ */
/* policy capabilities bitmask: CAMERA | LOG | EVENT_POST = 0x1C */
#define FUSE_POLICY_FRAME_FILTER_CAPABILITIES      28U
#define FUSE_POLICY_FRAME_FILTER_MEMORY_PAGES_MAX  6U
#define FUSE_POLICY_FRAME_FILTER_STACK_SIZE        8192U
#define FUSE_POLICY_FRAME_FILTER_HEAP_SIZE         8192U
#define FUSE_POLICY_FRAME_FILTER_CPU_QUOTA_US      5000U
#define FUSE_POLICY_FRAME_FILTER_STEP_INTERVAL_US  0U
/* activation: EVENT = 0x02 */
#define FUSE_POLICY_FRAME_FILTER_ACTIVATION_MASK   0x02U
#define FUSE_POLICY_FRAME_FILTER_EVENT_SUBSCRIBE   0x00000001U
#define FUSE_POLICY_FRAME_FILTER_BINARY            "out/frame_filter.aot"

/* ---- Module: frame_compress ---------------------------------------------- */
/* policy capabilities bitmask: CAMERA | LOG = 0x0C */
#define FUSE_POLICY_FRAME_COMPRESS_CAPABILITIES      12U
#define FUSE_POLICY_FRAME_COMPRESS_MEMORY_PAGES_MAX  20U
#define FUSE_POLICY_FRAME_COMPRESS_STACK_SIZE        8192U
#define FUSE_POLICY_FRAME_COMPRESS_HEAP_SIZE         8192U
#define FUSE_POLICY_FRAME_COMPRESS_CPU_QUOTA_US      5000U
#define FUSE_POLICY_FRAME_COMPRESS_STEP_INTERVAL_US  0U
/* activation: EVENT = 0x02 */
#define FUSE_POLICY_FRAME_COMPRESS_ACTIVATION_MASK   0x02U
#define FUSE_POLICY_FRAME_COMPRESS_EVENT_SUBSCRIBE   0x00000002U
#define FUSE_POLICY_FRAME_COMPRESS_BINARY            "out/frame_compress.aot"
)";

constexpr std::string_view kFlags =
    "# Auto-generated from app_config.json by tools/gen_app_config.py \xe2\x80\x94 DO NOT EDIT\n"
    "set(FUSE_HAL_ENABLE_TIMER  1)\n"
    "set(FUSE_HAL_ENABLE_CAMERA  1)\n";

std::string hex_of(const OutputFile& file) {
  return base::to_hex(base::as_bytes(file.bytes));
}

TEST(Generate, CameraCompressToTheByte) {
  const AppConfig config = read_demo(golden_source("camera_compress.json"));
  const auto files = render(config, "/srv/camera_compress/app_config.json");
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].name, "fuse_app_config.h");
  EXPECT_EQ(files[0].bytes, kCompressHeader);
  EXPECT_EQ(files[1].name, "fuse_hal_flags.cmake");
  EXPECT_EQ(files[1].bytes, kFlags);
  EXPECT_EQ(files[2].name, "camera_compress_policy.bin");
  EXPECT_EQ(hex_of(files[2]),
            "0e0000003e0000000020000000000400e80300008096980001000000"
            "00000000");
}

TEST(Generate, CameraFilterCompressToTheByte) {
  const AppConfig config = read_demo(golden_source("camera_filter_compress.json"));
  const auto files = render(config, "/a");
  ASSERT_EQ(files.size(), 4u);
  EXPECT_EQ(files[0].bytes, kFilterHeader);
  EXPECT_EQ(files[1].bytes, kFlags);
  EXPECT_EQ(files[2].name, "frame_filter_policy.bin");
  EXPECT_EQ(hex_of(files[2]), "1c00000006000000002000000020000088130000000000000200000001000000")
      << "the worked example of contract 6.1";
  EXPECT_EQ(files[3].name, "frame_compress_policy.bin");
  EXPECT_EQ(hex_of(files[3]), "0c00000014000000002000000020000088130000000000000200000002000000");
}

TEST(Generate, MasksAreListedByNameLowestFirstAndListsAsWritten) {
  std::string text = demo_with(R"(["CAMERA", "LOG"])", "14");
  EXPECT_THAT(render(read_demo(text), "/a")[0].bytes, HasSubstr("bitmask: TIMER | CAMERA | LOG = 0x0E */\n"));
  text = demo_with(R"(["CAMERA", "LOG"])", R"(["LOG", "CAMERA", "LOG"])");
  EXPECT_THAT(render(read_demo(text), "/a")[0].bytes, HasSubstr("bitmask: LOG | CAMERA | LOG = 0x0C */\n"));
  text = demo_with(R"(["CAMERA", "LOG"])", "[]");
  EXPECT_THAT(render(read_demo(text), "/a")[0].bytes, HasSubstr("/* policy capabilities bitmask:  = 0x00 */\n"));
  text = demo_with(R"(["EVENT"])", "3");
  EXPECT_THAT(render(read_demo(text), "/a")[0].bytes, HasSubstr("/* activation: INTERVAL | EVENT = 0x03 */\n"));
  text = demo_with(R"(["EVENT"])", "[]");
  const std::string header = render(read_demo(text), "/a")[0].bytes;
  EXPECT_THAT(header, HasSubstr("/* activation:  = 0x00 */\n"));
  EXPECT_THAT(header, HasSubstr("ACTIVATION_MASK   0x00U\n"));
}

TEST(Generate, SpellingsOfOnePolicyGiveOneHeader) {
  const std::string expected = render(read_demo(kDemo), "/a")[0].bytes;
  for (const char* same : {R"("activation_mask": ["EVENT"])", R"("activation": 2)", R"("activation_mask": 2)"})
    EXPECT_EQ(render(read_demo(demo_with(R"("activation": ["EVENT"])", same)), "/a")[0].bytes, expected) << same;
  EXPECT_EQ(render(read_demo(demo_with(R"(["CAMERA", "LOG"])", "12")), "/a")[0].bytes, expected);
  EXPECT_EQ(render(read_demo(demo_with(R"(["FRAME"])", "1")), "/a")[0].bytes, expected);
}

TEST(Generate, EventsGoByBitAndGroupsByTheirList) {
  const std::string text = demo_with(R"({"FRAME": 0, "DONE": 31})", R"({"z-last": 31, "FRAME": 7, "a.b": 0})");
  EXPECT_THAT(render(read_demo(text), "/a")[0].bytes,
              HasSubstr("\n/* ---- Application-defined events ---- */\n#define FUSE_EVENT_A_B  0u\n"
                        "#define FUSE_EVENT_FRAME  7u\n#define FUSE_EVENT_Z_LAST  31u\n\n/* ---- Module"));
  const std::string groups = demo_with(R"(["timer", "camera"])", R"(["uart", "camera", "uart"])");
  EXPECT_THAT(render(read_demo(groups), "/a")[1].bytes,
              EndsWith("EDIT\nset(FUSE_HAL_ENABLE_UART  1)\nset(FUSE_HAL_ENABLE_CAMERA  1)\n"
                       "set(FUSE_HAL_ENABLE_UART  1)\n"));
}

TEST(Generate, PlatformOnlyEndsAfterTheGroups) {
  const auto files = render(
      read_demo(
          R"({"application":{"name":"n","max_modules":8,"wamr_pool_bytes":1,"log_pool_bytes":144,"hal_groups":[],"events":{}}})"),
      "/a");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_THAT(files[0].bytes, EndsWith("LOG_POOL_BYTES   144U\n\n/* HAL groups enabled on this platform */\n"));
  EXPECT_EQ(files[1].bytes, "# Auto-generated from app_config.json by tools/gen_app_config.py — DO NOT EDIT\n");
}

TEST(Generate, LongNamesKeepTheirRule) {
  for (const auto& [length, dashes] : {std::pair{59u, 1u}, std::pair{60u, 0u}, std::pair{61u, 0u}}) {
    const std::string name(length, 'm');
    const std::string text = demo_with("\"filter\"", "\"" + name + "\"");
    EXPECT_THAT(render(read_demo(text), "/a")[0].bytes,
                HasSubstr("/* ---- Module: " + name + " " + std::string(dashes, '-') + " */\n"));
  }
}

TEST(Generate, StringsCannotLeaveTheirLiteralOrComment) {
  EXPECT_EQ(c_escaped("a\"b\\c"), R"(a\"b\\c)");
  EXPECT_EQ(c_escaped("a\nb\x7f"), R"(a\012b\177)");
  EXPECT_EQ(c_escaped("what??"), "what??");
  EXPECT_EQ(c_escaped("?"
                      "?/x"),
            R"(?\?/x)");
  EXPECT_EQ(c_escaped("\xc3\xa9"), "\xc3\xa9");
  const std::string name = demo_with(R"("demo")", R"("say \"hi\" \\ é")");
  EXPECT_THAT(render(read_demo(name), "/a")[0].bytes, HasSubstr(R"(FUSE_APP_NAME            "say \"hi\" \\ é")"));
  EXPECT_THAT(render(read_demo(kDemo), "/x*/y\nz")[0].bytes, HasSubstr("/* Source: /x*\\/y\\012z */\n"));
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

TEST(WriteOutputs, MakesTheFolderAndReplacesWhatIsThere) {
  const auto temp = base::TempDir::create("fusebox-generate");
  ASSERT_TRUE(temp);
  const fs::path folder = temp->path() / "a" / "b";
  ASSERT_TRUE(write_outputs({{"one", "1"}, {"two", "2"}}, folder));
  ASSERT_TRUE(write_outputs({{"one", "new"}}, folder));
  EXPECT_THAT(names_in(folder), UnorderedElementsAre("one", "two"));
  EXPECT_EQ(text_of(folder / "one"), "new");
  struct stat status{};
  ASSERT_EQ(::stat((folder / "one").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0644u);
}

TEST(WriteOutputs, AFailureLeavesEverythingAsItWas) {
  const auto temp = base::TempDir::create("fusebox-generate");
  ASSERT_TRUE(temp);
  const fs::path folder = temp->path() / "out";
  ASSERT_TRUE(write_outputs({{"one", "old"}}, folder));
  fs::create_directory(folder / "two");
  const auto failed = write_outputs({{"one", "new"}, {"two", "2"}}, folder);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, base::Errc::io);
  EXPECT_THAT(failed.error().message, HasSubstr("two"));
  EXPECT_EQ(text_of(folder / "one"), "old");
  EXPECT_THAT(names_in(folder), UnorderedElementsAre("one", "two"));

  std::ofstream(temp->path() / "file") << "x";
  EXPECT_FALSE(write_outputs({{"one", "1"}}, temp->path() / "file"));
  EXPECT_FALSE(write_outputs({{"one", "1"}}, temp->path() / "file" / "below"));
  EXPECT_FALSE(write_outputs({{"no/such", "1"}}, temp->path() / "fresh" / "deep"));
  EXPECT_FALSE(fs::exists(temp->path() / "fresh")) << "folders made for nothing are removed";
}

}  // namespace
}  // namespace fusebox::edge::config
