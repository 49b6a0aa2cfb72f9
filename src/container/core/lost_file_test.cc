// An image of the store whose file its own user makes shorter while containers run from it.
#include <gtest/gtest.h>

#include <filesystem>

#include "container/container_test_support.h"
#include "image/oci/package.h"
#include "image/store/image_store.h"

namespace fusebox::container {
namespace {

namespace fs = std::filesystem;

// The image of `tools` with a large file beside its module, in a store of its own.
std::shared_ptr<const image::Image> stored_tools(image::ImageStore& store) {
  const auto module = base::read_file(fs::path(FUSEBOX_GUEST_DIR) / "tools.wasi.wasm", 16u << 20);
  EXPECT_TRUE(module.has_value());
  const std::string tar =
      image::test::TarText().file("app.wasm", *module).file("large", std::string(1u << 20, 'x')).end().text();
  const base::ByteView bytes = base::as_bytes(tar);
  auto package = image::oci::load_package(image::keep_bytes({bytes.begin(), bytes.end()}), {});
  EXPECT_TRUE(package.has_value());
  const auto entry = store.add(*package, {"tools", "1"});
  EXPECT_TRUE(entry.has_value());
  auto opened = store.open(*entry, {});
  EXPECT_TRUE(opened.has_value());
  return *opened;
}

void truncate_all(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    fs::permissions(entry.path(), fs::perms::owner_all);
    fs::resize_file(entry.path(), 0);
  }
}

TEST(LostFile, AGuestGetsAnErrorAndTheEngineGoesOn) {
  World world;
  world.add_guest("hello");
  image::ImageStoreOptions options;
  options.root = world.root() / "images";
  auto store = std::move(*image::ImageStore::create(options));
  StartOptions start;
  start.opened = stored_tools(*store);
  const auto run = [&](std::vector<std::string> args) {
    EXPECT_TRUE(world->launch("t", with_image("", std::move(args)), start).has_value());
    return world.ended("t");
  };
  EXPECT_EQ(run({"wc", "-c", "/large"}).exit_code, 0);
  EXPECT_TRUE(world.log("t").starts_with("1048576")) << world.log("t");

  truncate_all(world.root() / "images" / "blobs");
  truncate_all(world.root() / "images" / "unpacked");
  const Status failed = run({"wc", "-c", "/large"});
  EXPECT_EQ(failed.state, State::exited) << failed.reason;
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_NE(world.log("t").find("I/O error"), std::string::npos) << world.log("t");
  EXPECT_EQ(world.run("h", with_image("hello")).exit_code, 0);
}

TEST(LostFile, AModuleThatIsGoneIsAReasonAndNoFault) {
  World world;
  image::ImageStoreOptions options;
  options.root = world.root() / "images";
  auto store = std::move(*image::ImageStore::create(options));
  StartOptions start;
  start.opened = stored_tools(*store);
  truncate_all(world.root() / "images" / "blobs");
  truncate_all(world.root() / "images" / "unpacked");
  ASSERT_TRUE(world->launch("t", with_image(""), start).has_value());
  const Status failed = world.ended("t");
  EXPECT_EQ(failed.state, State::failure);
  EXPECT_TRUE(failed.reason.starts_with("bad-wasm:")) << failed.reason;
}

}  // namespace
}  // namespace fusebox::container
