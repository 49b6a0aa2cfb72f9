// /dev/wanted, node by node and verb by verb: contract section 9, scoping of section 6, and abuse of it.
#include "container/wanted/wanted_mount.h"

#include <gtest/gtest.h>

#include <thread>

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

Nodes holder(World& world, std::string_view options = "") {
  WantedHolder holder;
  holder.options = *parse_wanted_options(options);
  holder.proc = ProcView::none;
  return Nodes(make_wanted_mount(world.core(), holder, "/dev/wanted"));
}

TEST(Wanted, TheTreeHasItsNodesTypesAndOrder) {
  World world;
  world.add_guest("hello");
  Nodes nodes = holder(world);
  EXPECT_EQ(nodes.list(""), (std::vector<std::string>{"config/2", "reg/3", "ctl/2", "wapps/3", "events/2"}));
  EXPECT_EQ(nodes.list("reg"), std::vector<std::string>{"hello:1/4"});
  EXPECT_EQ(nodes.list("wapps"), std::vector<std::string>{});
  EXPECT_EQ(*nodes.read("config"), R"({"config_file":"/proc/wapps","debug":false})");
  EXPECT_EQ(nodes.stat("config")->size, 43u);
  EXPECT_EQ(nodes.stat("reg")->size, 1u);
  EXPECT_EQ(nodes.stat("")->device, vfs::device_code("Virt"));
  EXPECT_EQ(nodes.stat("ctl")->device, vfs::device_code("Wctl"));
  EXPECT_EQ(nodes.stat("reg/hello")->device, vfs::device_code("Wreg"));
  EXPECT_EQ(nodes.stat("wapps")->device, vfs::device_code("Wapp"));
}

TEST(Wanted, ADescriptorSaysTheSameAsItsPath) {
  World world;
  world.add_guest("hello");
  world.add_guest("crash");
  Nodes nodes = holder(world);
  for (const char* const path : {"", "config", "reg", "reg/hello", "ctl", "wapps", "events"}) {
    SCOPED_TRACE(path);
    const auto file = nodes.open(path);
    ASSERT_TRUE(file.has_value());
    const auto by_path = nodes.stat(path);
    const auto by_descriptor = (*file)->stat();
    EXPECT_EQ(by_descriptor->size, by_path->size);
    EXPECT_EQ(by_descriptor->inode, by_path->inode);
    EXPECT_EQ(by_descriptor->device, by_path->device);
  }
  EXPECT_EQ((*nodes.open("reg"))->stat()->size, 2u);
}

TEST(Wanted, TheUsualSequenceWorks) {
  World world;
  world.add_guest("sleeper");
  Nodes nodes = holder(world);
  EXPECT_EQ(*nodes.write("ctl", "create a\n"), 9u);
  EXPECT_EQ(*nodes.read("wapps/a/state"), "created");
  EXPECT_EQ(nodes.list("wapps/a"), (std::vector<std::string>{"ctl/2", "state/2", "config/2"}));
  EXPECT_EQ(*nodes.write("wapps/a/config", R"({"image":"sleeper"})"), 19u);
  EXPECT_EQ(*nodes.read("wapps/a/state"), "not_started");
  EXPECT_EQ(*nodes.write("wapps/a/ctl", "start"), 5u);
  world.until([&] { return *nodes.read("wapps/a/state") == "running"; });
  EXPECT_EQ(nodes.list("wapps"), std::vector<std::string>{"a/3"});
  EXPECT_EQ(*nodes.read("wapps/a/image"), "sleeper");
  EXPECT_EQ(*nodes.read("wapps/a/version"), "1");
  EXPECT_EQ(*nodes.read("wapps/a/id"), "0");
  EXPECT_EQ(*nodes.read("wapps/a/exit_code"), "-1");
  EXPECT_EQ(*nodes.read("wapps/a/log"), "");
  EXPECT_EQ(code_of(nodes.write("ctl", "delete a")), Errno::busy);
  EXPECT_EQ(*nodes.write("wapps/a/ctl", "stop"), 4u);
  world.until([&] { return *nodes.read("wapps/a/state") == "exited"; });
  EXPECT_EQ(*nodes.write("ctl", "delete a \r\n"), 11u);
  EXPECT_EQ(code_of(nodes.read("wapps/a/state")), Errno::noent);
}

struct NodeCase {
  const char* path;
  const char* text;  // null = read
  Errno want;
};

TEST(Wanted, EveryRefusalHasItsNumber) {
  World world({.supervised = true});
  world.add_guest("hello");
  Nodes nodes = holder(world);
  ASSERT_TRUE(nodes.write("ctl", "create a").has_value());
  const std::string long_verb = "create " + std::string(249, 'x');
  const std::string long_config(70'000, ' ');
  const NodeCase cases[] = {
      {"ctl", nullptr, Errno::inval},
      {"ctl", "", Errno::inval},
      {"ctl", "create", Errno::inval},
      {"ctl", "create ", Errno::inval},
      {"ctl", "create a/b", Errno::inval},
      {"ctl", "create abcdefghijklmno", Errno::inval},
      {"ctl", " create b", Errno::inval},
      {"ctl", "CREATE b", Errno::inval},
      {"ctl", "start a", Errno::inval},
      {"ctl", "poweroff now", Errno::inval},
      {"ctl", "delete", Errno::inval},
      {"ctl", "delete nobody", Errno::noent},
      {"ctl", long_verb.c_str(), Errno::msgsize},
      {"ctl", "poweroff", Errno::perm},  // nobody takes the verb in this engine
      {"config", "x", Errno::rofs},
      {"events", "x", Errno::rofs},
      {"nothing", nullptr, Errno::noent},
      {"ctl/below", nullptr, Errno::noent},
      {"wapps", "x", Errno::isdir},
      {"reg", "x", Errno::rofs},
      {"wapps/nobody", nullptr, Errno::noent},
      {"wapps/nobody/ctl", "start", Errno::noent},
      {"wapps/abcdefghijklmno/ctl", "start", Errno::nametoolong},
      {"wapps/a/nothing", nullptr, Errno::noent},
      {"wapps/a/state/x", nullptr, Errno::noent},
      {"wapps/a/ctl", nullptr, Errno::inval},
      {"wapps/a/config", nullptr, Errno::inval},
      {"wapps/a/state", "x", Errno::rofs},
      {"wapps/a/ctl", " start", Errno::inval},
      {"wapps/a/ctl", "restart", Errno::inval},
      {"wapps/a/ctl", "stop now", Errno::inval},
      {"wapps/a/ctl", "start", Errno::inval},
      {"wapps/a/ctl", "stop", Errno::noent},
      {"wapps/a/ctl", "start x:y:z", Errno::inval},
      {"wapps/a/config", "{", Errno::inval},
      {"wapps/a/config", long_config.c_str(), Errno::msgsize},
      {"reg/nothing", nullptr, Errno::noent},
      {"reg/hell", nullptr, Errno::noent},
      {"reg/hello:2", nullptr, Errno::noent},
      {"reg/a:b:c", "x", Errno::inval},
      {"reg/:1", "x", Errno::inval},
      {"reg/a:", "x", Errno::inval},
      {"reg/abcdefghijklmno", "x", Errno::inval},
      {"reg/hello/x", nullptr, Errno::noent},
  };
  for (const NodeCase& c : cases) {
    SCOPED_TRACE(std::string(c.path) + " " + (c.text == nullptr ? "(read)" : std::string(c.text).substr(0, 30)));
    EXPECT_EQ(c.text == nullptr ? code_of(nodes.read(c.path)) : code_of(nodes.write(c.path, c.text)), c.want);
  }
  EXPECT_EQ(*nodes.read("wapps/a/state"), "created");
}

TEST(Wanted, TheSupervisorIsStoppableAndNothingElse) {
  World world({.supervised = true});
  Nodes nodes = holder(world);
  EXPECT_EQ(code_of(nodes.write("ctl", "create supervisor")), Errno::success);
  EXPECT_EQ(nodes.list("wapps"), std::vector<std::string>{});  // without effect
  world.add_guest("sleeper");
  image::OpenOptions open;
  const auto image = image::open_image_file(world.root() / "registry" / "sleeper@1.wapp", open);
  ASSERT_TRUE(image.has_value());
  ASSERT_TRUE(world->launch_supervisor({}, *image).has_value());
  EXPECT_EQ(code_of(nodes.write("wapps/supervisor/ctl", "start")), Errno::busy);
  EXPECT_EQ(code_of(nodes.write("wapps/supervisor/config", "{}")), Errno::rofs);
  EXPECT_EQ(code_of(nodes.write("ctl", "delete supervisor")), Errno::busy);
  EXPECT_EQ(*nodes.read("wapps/supervisor/image"), "");
  EXPECT_EQ(*nodes.read("wapps/supervisor/id"), "0");
  EXPECT_EQ(code_of(nodes.write("wapps/supervisor/ctl", "stop")), Errno::success);
  EXPECT_EQ(world.ended("supervisor").reason, "stopped");
  EXPECT_EQ(code_of(nodes.write("ctl", "delete supervisor")), Errno::busy);
}

TEST(Wanted, AnInstallIsVisibleAfterCloseAndNotBefore) {
  World world;
  world.add_guest("hello");
  Nodes nodes = holder(world);
  const auto bytes = base::read_file(world.root() / "registry" / "hello@1.wapp", 10u << 20);
  ASSERT_TRUE(bytes.has_value());
  vfs::OpenRequest request;
  request.write = true;
  request.create = true;
  request.truncate = true;
  auto file = nodes.open("reg/meter", request);
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(*nodes.write(**file, bytes->substr(0, 1000)), 1000u);
  EXPECT_EQ(*nodes.write(**file, bytes->substr(1000)), bytes->size() - 1000);
  EXPECT_EQ(nodes.list("reg"), std::vector<std::string>{"hello:1/4"});
  EXPECT_EQ(code_of(nodes.close(**file)), Errno::success);
  EXPECT_EQ(nodes.list("reg"), (std::vector<std::string>{"hello:1/4", "meter:latest/4"}));
  const std::string descriptor = *nodes.read("reg/meter");
  EXPECT_TRUE(descriptor.starts_with(R"({"name":"meter","version":"latest","size":)" + std::to_string(bytes->size()) +
                                     R"(,"init_pages":)"))
      << descriptor;
  EXPECT_NE(descriptor.find(R"("digest":"sha256:)"), std::string::npos);
  EXPECT_TRUE(descriptor.ends_with(R"("layers":1})")) << descriptor;
  EXPECT_EQ(nodes.stat("reg/meter")->size, bytes->size());
  EXPECT_EQ(code_of(nodes.unlink("reg/meter:latest")), Errno::success);
  EXPECT_EQ(code_of(nodes.unlink("reg/meter:latest")), Errno::noent);
  EXPECT_EQ(nodes.list("reg"), std::vector<std::string>{"hello:1/4"});
}

TEST(Wanted, ABadOrEmptyOrAbandonedInstallChangesNothing) {
  World world;
  Nodes nodes = holder(world);
  vfs::OpenRequest request;
  request.write = true;
  {
    auto file = nodes.open("reg/bad:1", request);
    ASSERT_TRUE(nodes.write(**file, "no archive at all").has_value());
    EXPECT_EQ(code_of(nodes.close(**file)), Errno::inval);
  }
  {
    auto file = nodes.open("reg/empty:1", request);
    EXPECT_EQ(code_of(nodes.close(**file)), Errno::success);
  }
  {
    auto file = nodes.open("reg/left:1", request);
    ASSERT_TRUE(nodes.write(**file, "x").has_value());
  }
  EXPECT_EQ(nodes.list("reg"), std::vector<std::string>{});
  for (const auto& entry : std::filesystem::directory_iterator(world.root() / "registry"))
    ADD_FAILURE() << "left behind: " << entry.path();
}

// Takes so many pieces and then has no space.
class FullLibrary final : public image::Library {
 public:
  explicit FullLibrary(int pieces) : pieces_(pieces) {}
  base::Result<std::vector<image::Entry>> list() override { return std::vector<image::Entry>{}; }
  base::Result<image::Entry> find(const image::Reference&) override {
    return base::fail(base::Errc::not_found, "no such image");
  }
  base::Result<std::shared_ptr<const image::Image>> open(const image::Entry&, const image::OpenOptions&) override {
    return base::fail(base::Errc::not_found, "no such image");
  }
  base::Result<std::unique_ptr<image::Install>> install(const image::Reference&) override {
    struct Full final : image::Install {
      explicit Full(int pieces) : left(pieces) {}
      base::Result<void> write(base::ByteView) override {
        if (left-- > 0) return {};
        return base::fail(base::Errc::exhausted, "the disk is full", "NO_SPACE");
      }
      base::Result<void> commit() override { return {}; }
      int left;
    };
    return std::make_unique<Full>(pieces_);
  }
  base::Result<void> remove(const image::Entry&) override { return {}; }
  std::uint64_t version() const noexcept override { return 0; }

 private:
  int pieces_;
};

TEST(Wanted, AnInstallThatMeetsAFullDiskSaysWhatItTookAndThenWhy) {
  World world({.change = [](ContainersOptions& options) { options.library = std::make_shared<FullLibrary>(2); }});
  Nodes nodes = holder(world);
  vfs::OpenRequest request;
  request.read = false;
  request.write = true;
  const auto file = nodes.open("reg/meter", request);
  ASSERT_TRUE(file.has_value());
  const base::ByteView piece = base::as_bytes("12345");
  const std::array three{piece, piece, piece};
  EXPECT_EQ(*nodes.write(**file, three), 10u);
  EXPECT_EQ(code_of(nodes.write(**file, three)), Errno::nospc);
  EXPECT_EQ(code_of(nodes.close(**file)), Errno::nospc);
}

TEST(Wanted, ADescriptorSaysWhatTheModulesMemoryIs) {
  World world({.profile = "constrained"});
  world.add_wat("fixed", R"((module (memory 1 1) (func (export "_start"))))");
  world.add_wat("grows", R"((module (memory 2) (func (export "_start"))))");
  world.add_wat("none", R"((module (func (export "_start"))))");
  Nodes nodes = holder(world);
  EXPECT_NE(nodes.read("reg/fixed")->find(R"("init_pages":1,"can_grow":false,"max_pages":1,"over_cap":false,"digest")"),
            std::string::npos);
  EXPECT_NE(
      nodes.read("reg/grows")->find(R"("init_pages":2,"can_grow":true,"max_pages":null,"over_cap":true,"digest")"),
      std::string::npos);
  EXPECT_EQ(nodes.read("reg/none")->find("pages"), std::string::npos);
}

TEST(Wanted, EventsComeAsLinesAndWaitForTheNext) {
  World world;
  Nodes nodes = holder(world);
  auto events = nodes.open("events");
  ASSERT_TRUE(events.has_value());
  EXPECT_EQ(code_of(nodes.read_once(**events, 100)), Errno::again);
  EXPECT_EQ(code_of(nodes.read_once(**events, 100, false)), Errno::would_block);
  ASSERT_EQ(nodes.waits().changes().size(), 1u);
  const auto wait = nodes.waits().changes()[0];
  EXPECT_EQ(wait.list->version(), wait.seen);
  ASSERT_TRUE(world->create_name("a").has_value());
  EXPECT_NE(wait.list->version(), wait.seen);
  std::string line;
  while (const auto piece = nodes.read_once(**events, 7)) line += *piece;  // small pieces make one line
  EXPECT_TRUE(line.ends_with(" a - created -\n")) << line;
}

TEST(WantedScope, AnObserverSeesAllAndChangesNothing) {
  World world;
  world.add_guest("hello");
  ASSERT_TRUE(world->create_name("a").has_value());
  Nodes nodes = holder(world, "observe");
  EXPECT_EQ(*nodes.read("wapps/a/state"), "created");
  EXPECT_EQ(code_of(nodes.write("ctl", "create b")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("ctl", "delete a")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("ctl", "poweroff")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("wapps/a/ctl", "start hello")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("wapps/a/ctl", "stop")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("wapps/a/config", "{}")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("reg/x", "x")), Errno::perm);
  EXPECT_EQ(code_of(nodes.unlink("reg/hello")), Errno::perm);
  EXPECT_EQ(world->status("a")->state, State::created);
}

TEST(WantedScope, OtherNamesDoNotExistForAScopedHolder) {
  World world;
  ASSERT_TRUE(world->create_name("mine1").has_value());
  ASSERT_TRUE(world->create_name("other").has_value());
  Nodes nodes = holder(world, "names=mine*");
  auto events = nodes.open("events");
  EXPECT_EQ(nodes.list("wapps"), std::vector<std::string>{"mine1/3"});
  EXPECT_EQ(code_of(nodes.read("wapps/other/state")), Errno::noent);
  EXPECT_EQ(code_of(nodes.write("ctl", "delete other")), Errno::noent);
  EXPECT_EQ(code_of(nodes.write("ctl", "create other2")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("ctl", "create mine2")), Errno::success);
  ASSERT_TRUE(world->remove("other").has_value());
  const auto line = nodes.read_once(**events, 200);
  EXPECT_NE(line->find("mine2"), std::string::npos);
  EXPECT_EQ(code_of(nodes.read_once(**events, 200)), Errno::again);  // nothing of `other`
}

struct ScopeCase {
  const char* holder;
  const char* config;
  Errno want;
};

TEST(WantedScope, NoConfigurationGivesMoreThanItsWriterHolds) {
  const ScopeCase cases[] = {
      {"", R"({"console":{"out":{"name":"platform"}},"drivers":[{"name":"wanted"}],"proc":"all"})", Errno::success},
      {"nohost", R"({"console":{"out":{"name":"platform"}}})", Errno::perm},
      {"nohost", R"({"mounts":[{"name":"platform","path":"/h"}]})", Errno::perm},
      {"nohost", R"({"mounts":[{"name":"volume","path":"/h"}]})", Errno::success},
      {"nohost", R"({"drivers":[{"name":"wanted"}]})", Errno::perm},
      {"nohost", R"({"drivers":[{"name":"wanted","options":"nohost"}]})", Errno::success},
      {"nohost", R"({"mounts":[{"name":"wanted","path":"/w"}]})", Errno::perm},
      {"nohost", R"({"proc":"all"})", Errno::perm},
      {"nohost", R"({"proc":"self"})", Errno::success},
      {"names=a*", R"({"drivers":[{"name":"wanted","options":"names=b"}]})", Errno::perm},
      {"names=a*", R"({"drivers":[{"name":"wanted","options":"names=ab"}]})", Errno::success},
      {"names=a*", R"({"mounts":[{"name":"log","path":"/l"}]})", Errno::perm},
      {"names=a*", R"({"mounts":[{"name":"log","path":"/l","options":"name=b"}]})", Errno::perm},
      {"names=a*", R"({"mounts":[{"name":"log","path":"/l","options":"name=a,name=b"}]})", Errno::perm},
      {"names=a*", R"({"mounts":[{"name":"log","path":"/l","options":"name=ab"}]})", Errno::success},
      {"nohost", R"({"mounts":[{"name":"log","path":"/l"}]})", Errno::success},
      {"noreg", R"({"drivers":[{"name":"wanted","options":"nopower"}]})", Errno::perm},
      {"noreg", R"({"drivers":[{"name":"wanted","options":"noreg"}]})", Errno::success},
  };
  for (const ScopeCase& c : cases) {
    SCOPED_TRACE(std::string(c.holder) + " " + c.config);
    World world;
    ASSERT_TRUE(world->create_name("a").has_value());
    Nodes nodes = holder(world, c.holder);
    EXPECT_EQ(code_of(nodes.write("wapps/a/config", c.config)), c.want);
  }
}

TEST(WantedScope, WhatAnotherHolderWroteIsNotStartedByAScopedOne) {
  World world;
  world.add_guest("hello");
  ASSERT_TRUE(world->create_name("a").has_value());
  Nodes full = holder(world);
  Nodes scoped = holder(world, "nohost");
  ASSERT_TRUE(full.write("wapps/a/config", R"({"image":"hello","console":{"out":{"name":"platform"}}})").has_value());
  EXPECT_EQ(code_of(scoped.write("wapps/a/ctl", "start")), Errno::perm);
  EXPECT_EQ(world->status("a")->state, State::not_started);
}

TEST(WantedScope, TheShortFormStartsWithinWhatItsHolderHas) {
  World world({.privileged = true});
  world.add_guest("sleeper");
  WantedHolder scoped;
  scoped.options.no_host = true;
  scoped.pipes_read = scoped.pipes_write = {"mine.*"};
  Nodes nodes(make_wanted_mount(world.core(), scoped, "/dev/wanted"));
  constexpr std::string_view kNarrowed = R"({"proc":"none","pipes":{"read":["mine.*"],"write":["mine.*"]}})";
  ASSERT_TRUE(nodes.write("ctl", "create a").has_value());
  EXPECT_EQ(code_of(nodes.write("wapps/a/ctl", "start sleeper")), Errno::success);
  EXPECT_EQ(world->config_json("a"), kNarrowed);
  ASSERT_TRUE(nodes.write("wapps/a/ctl", "stop").has_value());
  world.ended("a");
  EXPECT_EQ(code_of(nodes.write("wapps/a/ctl", "start sleeper")), Errno::success) << "a terminal run, no reservation";
  EXPECT_EQ(world->config_json("a"), kNarrowed);
}

TEST(WantedScope, PipeGlobsOfAHolderNarrowThoseOfItsChildren) {
  World world;
  ASSERT_TRUE(world->create_name("a").has_value());
  WantedHolder narrow_holder;
  narrow_holder.pipes_read = {"mine.*"};
  Nodes nodes(make_wanted_mount(world.core(), narrow_holder, "/dev/wanted"));
  ASSERT_TRUE(nodes.write("wapps/a/config", "{}").has_value());
  EXPECT_EQ(world->config_json("a"), R"({"pipes":{"read":["mine.*"]}})");
  EXPECT_EQ(code_of(nodes.write("wapps/a/config", R"({"pipes":{"read":["theirs"]}})")), Errno::perm);
  EXPECT_EQ(code_of(nodes.write("wapps/a/config", R"({"pipes":{"read":["mine.x"]}})")), Errno::success);
}

TEST(WantedScope, AConsoleIsNoWayToAPipeThatItsHolderDoesNotHave) {
  World world;
  ASSERT_TRUE(world->create_name("a").has_value());
  WantedHolder narrow_holder;
  narrow_holder.pipes_read = {"mine.in"};
  narrow_holder.pipes_write = {"mine.out"};
  Nodes nodes(make_wanted_mount(world.core(), narrow_holder, "/dev/wanted"));
  const struct {
    const char* slot;
    const char* pipe;
    Errno want;
  } cases[] = {
      {"out", "victim.in", Errno::perm}, {"err", "victim.in", Errno::perm},   {"in", "victim.out", Errno::perm},
      {"in", "mine.out", Errno::perm},   {"out", "mine.in", Errno::perm},     {"in", "mine.in", Errno::success},
      {"out", "a.in", Errno::perm},      {"err", "mine.out", Errno::success}, {"out", "a.out", Errno::success},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.slot) + " " + c.pipe);
    const std::string config =
        std::string(R"({"console":{")") + c.slot + R"(":{"name":"pipe","options":"name=)" + c.pipe + R"("}}})";
    EXPECT_EQ(code_of(nodes.write("wapps/a/config", config)), c.want);
  }
  EXPECT_EQ(code_of(nodes.write("wapps/a/config", R"({"console":{"in":{"name":"pipe"},"out":{"name":"pipe"}}})")),
            Errno::success);
}

TEST(WantedHostile, HoldersDoNotDisturbEachOther) {
  World world;
  auto first = std::make_unique<Nodes>(holder(world));
  Nodes second = holder(world);
  ASSERT_TRUE(first->write("ctl", "create a").has_value());
  vfs::OpenRequest request;
  request.write = true;
  auto one = first->open("reg/x:1", request);
  auto two = second.open("reg/x:1", request);
  ASSERT_TRUE(one.has_value() && two.has_value());
  first.reset();
  EXPECT_EQ(*second.read("wapps/a/state"), "created");
}

TEST(WantedHostile, PollingAnyStateDuringChurnIsSafe) {
  World world;
  world.add_wat("fine", R"((module (memory (export "memory") 1) (func (export "_start"))))");
  Nodes nodes = holder(world);
  Over poller;
  poller.run([&] {
    for (const char* leaf : {"state", "memory", "id", "exit_code"}) {
      const auto text = nodes.read(std::string("wapps/a/") + leaf);
      if (!text) {
        EXPECT_EQ(text.error(), Errno::noent);
      }
    }
    nodes.list("wapps");
    for (const Status& status : world->list()) EXPECT_EQ(status.name, "a");
  });
  for (int i = 0; i < 300; ++i) {
    const auto launched = world->launch("a", with_image("fine"));
    ASSERT_TRUE(launched.has_value()) << launched.error().message;
    if (i % 3 == 0) (void)world->stop("a");
    world.ended("a");
    ASSERT_TRUE(world->remove("a").has_value());
  }
}

}  // namespace
}  // namespace fusebox::container
