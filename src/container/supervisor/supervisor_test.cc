// Boot, respawn, roll-back and live update of the supervisor: contract 17.1-17.3.
#include "container/supervisor/supervisor.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

constexpr std::string_view kTraps = R"((module (func (export "_start") unreachable)))";
constexpr std::string_view kEnds = R"((module (func (export "_start"))))";
constexpr std::string_view kSpins = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";

std::shared_ptr<const image::Image> image_of(std::string_view wat) {
  const base::Bytes module = test::wat(wat);
  const std::string tar = image::test::TarText().file("app.wasm", base::as_text(module)).end().text();
  auto image = image::open_image(image::test::layer_of(tar), {});
  EXPECT_TRUE(image.has_value());
  return image.value_or(nullptr);
}

// A supervisor loop on a thread, whose image files live in a map.
class Loop {
 public:
  explicit Loop(World& world) : world_(world) {}
  ~Loop() {
    if (thread_.joinable()) end();
  }
  void put(const std::string& path, std::string_view wat) {
    const std::lock_guard lock(mutex_);
    files_[path] = image_of(wat);
  }
  void begin(const std::string& image_path, std::vector<std::filesystem::path> built_in) {
    SupervisorOptions options;
    options.image_path = image_path;
    options.built_in = std::move(built_in);
    options.message = [this](std::string_view text) {
      const std::lock_guard lock(mutex_);
      messages_.emplace_back(text);
    };
    options.open = [this](const std::filesystem::path& path) -> base::Result<std::shared_ptr<const image::Image>> {
      const std::lock_guard lock(mutex_);
      ++opens_[path.string()];
      const auto found = files_.find(path.string());
      if (found == files_.end()) return base::fail(base::Errc::not_found, "no such file");
      return found->second;
    };
    supervisor_ = std::make_unique<Supervisor>(*world_, std::move(options));
    thread_ = std::thread([this] { ended_ = supervisor_->run(); });
  }
  Supervisor::Ended join() {
    thread_.join();
    return ended_;
  }
  Supervisor::Ended end() {
    supervisor_->request(Supervisor::Ended::poweroff);
    return join();
  }
  Supervisor& operator*() { return *supervisor_; }
  int opens(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return opens_[path];
  }
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

 private:
  World& world_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const image::Image>> files_;
  std::map<std::string, int> opens_;
  std::vector<std::string> messages_;
  std::unique_ptr<Supervisor> supervisor_;
  std::thread thread_;
  Supervisor::Ended ended_ = Supervisor::Ended::gave_up;
};

std::uint64_t run_number(World& world) {
  const auto status = world->status(kSupervisorName);
  return status ? status->run : 0;
}

TEST(Supervisor, AnExitedOneIsRespawnedFromMemory) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("s", kEnds);
  loop.begin("s", {});
  world.until([&] { return run_number(world) >= 4; });
  EXPECT_EQ(loop.opens("s"), 1);
  EXPECT_EQ(loop.end(), Supervisor::Ended::poweroff);
  EXPECT_TRUE(loop.messages().empty());
}

TEST(Supervisor, AStopIsARespawn) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("s", kSpins);
  loop.begin("s", {});
  world.until([&] { return run_number(world) == 1; });
  world.until_running("supervisor");
  ASSERT_TRUE(world->stop(kSupervisorName).has_value());
  world.until([&] { return run_number(world) == 2; });
  EXPECT_EQ(world->status(kSupervisorName)->id, 0u);
}

TEST(Supervisor, ThreeFailuresRollBackOnceAndThenGiveUp) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("new", kTraps);
  loop.put("old", kTraps);
  loop.begin("new", {"missing", "old"});
  EXPECT_EQ(loop.join(), Supervisor::Ended::gave_up);
  EXPECT_EQ(
      loop.messages(),
      (std::vector<std::string>{
          "staged supervisor failed to launch 3 times in a row (trap:unreachable); falling back to the built-in image",
          "supervisor failed to launch 3 times in a row (trap:unreachable); aborting \xe2\x80\x94 check the "
          "supervisor config"}));
  EXPECT_EQ(run_number(world), 6u);
}

TEST(Supervisor, ABrokenBuiltInIsNotTriedTwice) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("old", kTraps);
  loop.begin("", {"old"});
  EXPECT_EQ(loop.join(), Supervisor::Ended::gave_up);
  EXPECT_EQ(run_number(world), 3u);
  ASSERT_EQ(loop.messages().size(), 1u);
}

TEST(Supervisor, AConfiguredImageOfTheListIsNotTriedTwiceEither) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("./first", kTraps);
  loop.put("first", kTraps);
  loop.put("second", kTraps);
  loop.begin("./first", {"first", "second"});
  EXPECT_EQ(loop.join(), Supervisor::Ended::gave_up);
  EXPECT_EQ(run_number(world), 6u);
  EXPECT_EQ(loop.opens("first"), 0);
  EXPECT_EQ(loop.opens("second"), 1);
}

TEST(Supervisor, AMissingImageAtBootMeansTheListAtOnce) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("old", kSpins);
  loop.begin("gone", {"missing", "old"});
  world.until([&] { return run_number(world) == 1; });
  EXPECT_EQ(loop.messages(), std::vector<std::string>{"supervisor image gone: no such file; using the built-in image"});
  world.until_running("supervisor");
}

TEST(Supervisor, NothingToStartEndsWithAMessage) {
  World world({.supervised = true});
  Loop loop(world);
  loop.begin("gone", {});
  EXPECT_EQ(loop.join(), Supervisor::Ended::gave_up);
  EXPECT_EQ(
      loop.messages().back(),
      "supervisor failed to launch 3 times in a row (no image); aborting \xe2\x80\x94 check the supervisor config");
}

TEST(Supervisor, AReloadIsReadOnlyWhenArmed) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("s", kSpins);
  loop.begin("s", {});
  world.until([&] { return run_number(world) == 1; });
  world.until_running("supervisor");
  loop.put("s", kTraps);  // staged, not armed
  ASSERT_TRUE(world->stop(kSupervisorName).has_value());
  world.until([&] { return run_number(world) == 2; });
  world.until_running("supervisor");
  EXPECT_EQ(loop.opens("s"), 1);
  loop.put("s", R"((module (memory (export "memory") 3) (func (export "_start") (loop br 0))))");
  (*loop).arm_reload();
  ASSERT_TRUE(world->stop(kSupervisorName).has_value());
  world.until([&] {
    const auto status = world->status(kSupervisorName);
    return status->run == 3 && status->memory_bytes == 3 * 65536;
  });
  EXPECT_EQ(loop.opens("s"), 2);
}

TEST(Supervisor, ANewImageThatFailsThreeTimesIsRolledBackForGood) {
  World world({.supervised = true});
  Loop loop(world);
  loop.put("s", kSpins);
  loop.put("old", R"((module (memory (export "memory") 2) (func (export "_start") (loop br 0))))");
  loop.begin("s", {"old"});
  world.until([&] { return run_number(world) == 1; });
  world.until_running("supervisor");
  loop.put("s", kTraps);
  (*loop).arm_reload();
  ASSERT_TRUE(world->stop(kSupervisorName).has_value());
  const auto runs_old = [&] {
    const auto status = world->status(kSupervisorName);
    return status->state == State::running && status->memory_bytes == 2 * 65536;
  };
  world.until(runs_old);
  ASSERT_EQ(loop.messages().size(), 1u);
  EXPECT_TRUE(loop.messages()[0].starts_with("staged supervisor failed to launch 3 times in a row ("));
  const int opens = loop.opens("s");
  (*loop).arm_reload();  // pinned
  const std::uint64_t before = run_number(world);
  ASSERT_TRUE(world->stop(kSupervisorName).has_value());
  world.until([&] { return run_number(world) > before; });
  world.until(runs_old);
  EXPECT_EQ(loop.opens("s"), opens);
}

TEST(Supervisor, ChildrenAreUntouchedByItsEnd) {
  World world({.supervised = true});
  world.add_guest("sleeper");
  Loop loop(world);
  loop.put("s", kEnds);
  loop.begin("s", {});
  ASSERT_TRUE(world->launch("child", with_image("sleeper")).has_value());
  world.until([&] { return run_number(world) >= 4; });
  world.until_running("child");
  EXPECT_EQ(world->status("child")->id, 1u);
}

}  // namespace
}  // namespace fusebox::container
