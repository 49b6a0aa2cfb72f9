// What an image's own configuration and its signature mean to the containers that run from it (contract 18.4, 3.1).
#include <gtest/gtest.h>

#include "container/container_test_support.h"
#include "image/oci/layout_test_support.h"
#include "image/store/signature.h"

namespace fusebox::container {
namespace {

namespace fs = std::filesystem;
using image::testing::NamedFiles;

std::string guest(const std::string& name) {
  const auto module = base::read_file(fs::path(FUSEBOX_GUEST_DIR) / (name + ".wasi.wasm"), 16u << 20);
  EXPECT_TRUE(module.has_value()) << name;
  return module.value_or("");
}

// The image "i:1" of these files with this `config` object.
struct Configured : World {
  Configured(const NamedFiles& files, std::string_view settings) {
    image::testing::LayoutFiles layout;
    const std::string manifest = layout.image({image::testing::tar_of(files)}, settings);
    add_file("i", layout.index({manifest}).tar());
  }
};

constexpr std::string_view kSettings =
    R"({"Entrypoint":["/bin/tools.wasm","env"],"Env":["A=1","B=2"],"WorkingDir":"/srv"})";

TEST(ImageConfig, EntrypointEnvironmentAndWorkingDirApplyUnlessTheLaunchSaysOtherwise) {
  Configured world({{"bin/tools.wasm", guest("tools")}}, kSettings);
  EXPECT_EQ(world.run("plain", with_image("i")).exit_code, 0);
  EXPECT_EQ(world.log("plain"), "A=1\nB=2\nPWD=/srv\n");

  LaunchConfig config = with_image("i");
  config.envs = {"B=3", "C=4", "PWD=/tmp"};
  EXPECT_EQ(world.run("over", config).exit_code, 0);
  EXPECT_EQ(world.log("over"), "A=1\nB=3\nC=4\nPWD=/tmp\n");

  EXPECT_EQ(world.run("args", with_image("i", {"echo", "given"})).exit_code, 0);
  EXPECT_EQ(world.log("args"), "given\n") << "the launch's arguments take the place of the image's";
  EXPECT_EQ(world.run("echo", with_image("i", {"its", "name"})).exit_code, 0);
  EXPECT_EQ(world.log("echo"), "its name\n") << "argv[0] is the instance's name, not the entry's";
}

TEST(ImageConfig, CommandAloneAndLinksLeadToTheModule) {
  Configured world({{"bin/tools.wasm", guest("tools")}, {"entry", "->bin/tools.wasm"}},
                   R"({"Cmd":["/entry","echo","by","link"]})");
  EXPECT_EQ(world.run("c", with_image("i")).exit_code, 0);
  EXPECT_EQ(world.log("c"), "by link\n");
}

TEST(ImageConfig, WithoutAnEntryItIsTheModuleAtTheRoot) {
  Configured world({{"app.wasm", guest("hello")}}, "{}");
  EXPECT_EQ(world.run("c", with_image("i")).exit_code, 0);
  EXPECT_EQ(world.log("c"), "Hello from a nanocontainer\n");
}

TEST(ImageConfig, AnEntryThatIsNoModuleIsNeverRun) {
  Configured world({{"run.sh", "#!/bin/sh\n"}, {"app.wasm", guest("hello")}}, R"({"Entrypoint":["/run.sh"]})");
  const Status status = world.run("c", with_image("i"));
  EXPECT_EQ(status.state, State::failure);
  EXPECT_EQ(world.log("c"), "(no log)");
}

TEST(ImageConfig, LimitsOfALabelLowerButNeverRaise) {
  const NamedFiles files{{"app.wasm", guest("spin")}};
  Configured low(files, R"({"Labels":{"dev.fusebox.limits":"{\"cpuMs\":20}"}})");
  LaunchConfig config = with_image("i");
  config.limits.cpu_ms = 600'000;
  EXPECT_EQ(low.run("c", config).reason, "cpu-limit");

  Configured high(files, R"({"Labels":{"dev.fusebox.limits":"{\"cpuMs\":600000}"}})");
  config.limits.cpu_ms = 20;
  EXPECT_EQ(high.run("c", config).reason, "cpu-limit");
}

TEST(ImageConfig, WhatInspectShowsGrantsNothing) {
  Configured world({{"app.wasm", guest("tools")}},
                   R"({"User":"root","Volumes":{"/data":{}},"ExposedPorts":{"80/tcp":{}},"StopSignal":"SIGKILL"})");
  EXPECT_NE(world.run("c", with_image("i", {"ls", "/data"})).exit_code, 0);
  EXPECT_EQ(world.run("d", with_image("i", {"ls", "/net"})).exit_code, 0);
  EXPECT_EQ(world.log("d"), "(no log)") << "nothing is there to list";
}

// A registry whose images must be signed by one key.
class Signed : public World {
 public:
  explicit Signed(const base::Ed25519Key& key)
      : World(Options{.change = [&key](ContainersOptions& options) {
          image::RegistryFolderOptions registry;
          registry.root = options.registry_dir;
          registry.keys = {key.public_key()};
          options.library = std::make_shared<image::RegistryFolder>(registry, *options.clock);
        }}) {}
  void sign(const std::string& name, const base::Ed25519Key& key) const {
    const fs::path file = root() / "registry" / (name + "@1.wapp");
    const auto bytes = base::read_file(file, 16u << 20);
    ASSERT_TRUE(bytes.has_value());
    ASSERT_TRUE(image::write_signature(file.string() + ".sig", base::sha256(base::as_bytes(*bytes)), key).has_value());
  }
};

TEST(ImageKeys, OnlyAnImageWithASignatureOfTheKeyRuns) {
  base::SeededRandom random(7);
  const auto key = std::move(*base::Ed25519Key::generate(random));
  const auto other = std::move(*base::Ed25519Key::generate(random));
  Signed world(key);
  world.add_guest("hello");
  const auto refused = [&] {
    const Status status = world.run("h", with_image("hello"));
    EXPECT_EQ(status.state, State::failure);
    EXPECT_EQ(status.exit_code, -1);
    return status.reason;
  };
  EXPECT_EQ(refused(), "bad-image:signature") << "it has none";
  world.sign("hello", other);
  EXPECT_EQ(refused(), "bad-image:signature") << "another key's";
  world.sign("hello", key);
  EXPECT_EQ(world.run("h", with_image("hello")).reason, "exit");
  EXPECT_EQ(world.log("h"), "Hello from a nanocontainer\n");
  world.add_guest("tools");
  fs::copy_file(world.root() / "registry" / "tools@1.wapp", world.root() / "registry" / "hello@1.wapp",
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(refused(), "bad-image:signature") << "the signature is of what was there before";
}

}  // namespace
}  // namespace fusebox::container
