// What an operator sees of volumes, and that none is taken from under a live container.
#include "container/daemon/volumes.h"

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

TEST(Volumes, AWritableLayerIsShownWithItsUserAndKeptWhileItLives) {
  World world;
  world.add_guest("sleeper");
  LaunchConfig config = with_image("sleeper");
  config.writable = "volume:state";
  ASSERT_TRUE(world->launch("web", config).has_value());
  world.until_running("web");
  const auto volumes = list_volumes(*world);
  ASSERT_TRUE(volumes && volumes->size() == 1);
  EXPECT_EQ((*volumes)[0].name, "web/state");
  EXPECT_EQ((*volumes)[0].used_by, std::vector<std::string>{"web"});
  const auto refused = remove_volume(*world, "web/state");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "volume 'web/state' is in use by 'web'; stop it first");
  EXPECT_TRUE(std::filesystem::exists(world.root() / "data/priv/web/state"));
  ASSERT_TRUE(world->stop("web").has_value());
  world.ended("web");
  EXPECT_TRUE(remove_volume(*world, "web/state").has_value());
  EXPECT_FALSE(std::filesystem::exists(world.root() / "data/priv/web/state"));
}

}  // namespace
}  // namespace fusebox::container
