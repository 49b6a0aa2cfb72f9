// What the build packs: images that open, whose modules ask for nothing but WASI and fit the profiles they are meant for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "container/supervisor/builtin_image.h"
#include "engine/inspect.h"
#include "image/archive.h"
#include "image/image.h"

namespace fusebox {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const image::Image> open_image(const std::string& name) {
  auto opened = image::open_image_file(std::filesystem::path(FUSEBOX_IMAGE_DIR) / (name + ".wapp"), {});
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? *opened : nullptr;
}

struct ImageCase {
  const char* name;
  std::uint64_t pages;
  std::optional<std::uint64_t> pages_max;
};

class EveryImage : public ::testing::TestWithParam<ImageCase> {};

TEST_P(EveryImage, HoldsACommandThatFitsItsProfile) {
  const auto image = open_image(GetParam().name);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->module_path(), "/app.wasm");
  EXPECT_EQ(image->layer_count(), 1u);
  const auto info = engine::inspect(image->module());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_NE(info->find_export("_start"), nullptr);
  EXPECT_NE(info->find_export("memory"), nullptr);
  ASSERT_EQ(info->memories.size(), 1u);
  EXPECT_EQ(info->memories[0].pages_min, GetParam().pages);
  EXPECT_EQ(info->memories[0].pages_max, GetParam().pages_max);
  for (const engine::Import& import : info->imports) {
    EXPECT_EQ(import.kind, engine::ExternKind::function);
    if (std::string_view(GetParam().name) == "crash" && import.module == "nowhere") continue;
    EXPECT_EQ(import.module, "wasi_snapshot_preview1") << import.field;
  }
}

INSTANTIATE_TEST_SUITE_P(Guests, EveryImage,
                         ::testing::Values(ImageCase{"hello", 1, 1}, ImageCase{"sleeper", 1, 1}, ImageCase{"fib", 1, 1},
                                           ImageCase{"pipe_source", 1, 1}, ImageCase{"pipe_sink", 1, 1},
                                           ImageCase{"spin", 1, 1}, ImageCase{"counter", 1, 1},
                                           ImageCase{"writer", 1, 1}, ImageCase{"opener", 1, 1}, ImageCase{"wsh", 1, 1},
                                           ImageCase{"crash", 1, 1}, ImageCase{"grow", 1, std::nullopt},
                                           ImageCase{"tools", 1, std::nullopt}, ImageCase{"http", 1, std::nullopt},
                                           ImageCase{"js", 16, std::nullopt}),
                         [](const auto& image) { return std::string(image.param.name); });

// What the build embeds is the image of wsh, byte for byte.
TEST(BuiltinSupervisor, IsTheShell) {
  const base::ByteView bytes = container::builtin_supervisor_image();
  auto embedded = image::open_image(image::keep_bytes(base::Bytes(bytes.begin(), bytes.end())), {});
  ASSERT_TRUE(embedded) << embedded.error().message;
  const auto packed = open_image("wsh");
  ASSERT_TRUE(packed);
  EXPECT_EQ((*embedded)->digest(), packed->digest());
  EXPECT_THAT(std::string(base::as_text((*embedded)->module())), HasSubstr("Exiting Wsh. Bye"));
}

TEST(Images, OfOthersCodeCarryItsLicence) {
  const auto image = open_image("js");
  ASSERT_TRUE(image);
  const auto found = image->tree()->find("licenses/quickjs");
  ASSERT_EQ(found.how, image::Tree::Found::How::node);
  EXPECT_THAT(std::string(base::as_text(image->tree()->node(found.node).content)), HasSubstr("The MIT License"));
}

}  // namespace
}  // namespace fusebox
