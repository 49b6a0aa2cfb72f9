// What an engine was told to run is never forgotten because it cannot run now.
#include "container/daemon/service.h"

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

constexpr std::string_view kFine = R"((module (memory (export "memory") 1) (func (export "_start"))))";
constexpr std::string_view kSpin = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";

Definition always(const std::string& name, const std::string& image) {
  return {name, image, "", R"({"image":")" + image + R"(","restart":{"policy":"always"}})"};
}

class ServiceTest : public testing::Test {
 protected:
  base::Result<void> launch(const Definition& definition) {
    return service_.launch(definition, *parse_launch_config(definition.config, world_->options().profile));
  }
  std::vector<Definition> kept() {
    std::vector<std::string> problems;
    return service_.definitions().load(problems);
  }
  void keep(const Definition& definition) {
    Definitions earlier(world_.root() / "containers");
    ASSERT_TRUE(earlier.keep(definition).has_value());
  }
  std::string state(const std::string& name) {
    const auto status = world_->status(name);
    return status ? std::string(to_string(status->state)) : "absent";
  }
  void fill_all_slots() {
    world_.add_wat("spin", kSpin);
    ASSERT_TRUE(world_->launch("s0", with_image("spin")).has_value());
    ASSERT_TRUE(world_->launch("s1", with_image("spin")).has_value());
  }

  bool memory_ = true;
  World world_{{.profile = "tiny", .change = [this](ContainersOptions& options) {
                  options.has_memory = [this](std::uint64_t) { return memory_; };
                }}};
  Service service_{*world_, world_.root() / "containers", [] {}};
};

TEST_F(ServiceTest, AnUpdateThatCannotStartLeavesWhatWasKeptBefore) {
  world_.add_wat("fine", kFine);
  const Definition web{"web", "fine:1", "", "{}"};
  ASSERT_TRUE(launch(web).has_value());
  world_.ended("web");
  const auto refused = launch({"web", "absent:2", "", R"({"image":"absent:2"})"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().name, "NOENT");
  EXPECT_EQ(kept(), std::vector<Definition>{web});
}

TEST_F(ServiceTest, ANewContainerThatCannotStartLeavesNothing) {
  EXPECT_FALSE(launch(always("web", "absent")).has_value());
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(state("web"), "absent");
  const auto bad = launch({"../web", "absent", "", "{}"});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().message, R"("../web" is no name of a container)");
}

TEST_F(ServiceTest, ADamagedDefinitionIsPutBackAsItWas) {
  std::filesystem::create_directories(world_.root() / "containers");
  const std::filesystem::path torn = world_.root() / "containers" / "web.json";
  ASSERT_TRUE(base::write_file_atomic(torn, base::as_bytes(R"({"name":"we)")).has_value());
  EXPECT_FALSE(launch(always("web", "absent")).has_value());
  EXPECT_EQ(base::read_file(torn, 100).value(), R"({"name":"we)");
}

struct ObstacleCase {
  const char* name;
  std::function<void()> obstruct;
  const char* problem;  // how the message begins
};

TEST_F(ServiceTest, WhatCannotBeBroughtBackIsKeptAndWaitsForItsStart) {
  const ObstacleCase cases[] = {
      {"image", [] {}, R"(not brought back: web: image "fine:1": )"},
      {"memory",
       [this] {
         world_.add_wat("fine", kFine);
         memory_ = false;
       },
       "not brought back: web: there is no memory for one more container"},
      {"slots",
       [this] {
         memory_ = true;
         fill_all_slots();
       },
       "not brought back: web: all 2 slots are in use"},
  };
  const Definition web = always("web", "fine:1");
  keep(web);
  for (const ObstacleCase& c : cases) {
    SCOPED_TRACE(c.name);
    c.obstruct();
    service_.restore();
    EXPECT_EQ(kept(), std::vector<Definition>{web});
    EXPECT_EQ(state("web"), "not_started");
    ASSERT_FALSE(world_.messages().empty());
    EXPECT_TRUE(world_.messages().back().starts_with(c.problem)) << world_.messages().back();
  }
  ASSERT_TRUE(world_->stop("s0").has_value());
  world_.ended("s0");
  EXPECT_TRUE(launch(web).has_value());
}

TEST_F(ServiceTest, AStartThatIsRefusedLeavesTheContainerToBeStartedLater) {
  const Definition web = always("web", "fine:1");
  keep(web);
  const auto refused = launch(web);  // as the verb `start` does
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(kept(), std::vector<Definition>{web});
  EXPECT_EQ(state("web"), "not_started");
  world_.add_wat("fine", kFine);
  EXPECT_TRUE(launch(web).has_value());
}

TEST_F(ServiceTest, AKeptContainerIsRemovedAlsoWhereTheEngineDoesNotKnowIt) {
  keep({"file", "", "/nowhere/image.wapp", "not even JSON"});
  service_.restore();
  EXPECT_EQ(state("file"), "absent");
  EXPECT_TRUE(service_.remove("file", false).has_value());
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(service_.remove("file", false).error().name, "NOENT");
}

TEST_F(ServiceTest, AContainerOfAFileThatIsGoneIsKept) {
  const Definition web{"web", "", "/nowhere/image.wapp", R"({"restart":{"policy":"always"}})"};
  keep(web);
  service_.restore();
  EXPECT_EQ(kept(), std::vector<Definition>{web});
  EXPECT_EQ(state("web"), "not_started");
  EXPECT_TRUE(service_.remove("web", false).has_value());
  EXPECT_TRUE(kept().empty());
}

}  // namespace
}  // namespace fusebox::container
