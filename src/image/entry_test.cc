// What an image's configuration means for running it: contract 18.4.
#include "image/entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/oci/layout_test_support.h"

namespace fusebox::image {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

base::Result<std::shared_ptr<const Image>> open_with(
    std::string_view settings, const NamedFiles& files,
    std::string_view platform = R"("os":"wasip1","architecture":"wasm")", std::string_view annotations = {}) {
  LayoutFiles layout;
  const std::string tar = tar_of(files);
  const auto layer = layout.blob(oci::kTarLayer, tar);
  const auto config = layout.blob(oci::kOciConfig, config_json({tar}, settings, platform));
  layout.index({layout.blob(oci::kOciManifest, manifest_json(config, {layer}, annotations))});
  return open_image(layer_bytes(layout.tar()), {});
}

std::string module_of(std::string_view settings, const NamedFiles& files) {
  const auto image = open_with(settings, files);
  return image ? std::string((*image)->module_path()) : image.error().name + ": " + image.error().message;
}

const std::string kWasm(kModule);

TEST(Entry, TheFirstWordOfEntrypointAndCmdNamesTheModule) {
  const NamedFiles files = {{"app.wasm", kWasm}, {"bin/tool.wasm", kWasm}};
  EXPECT_EQ(module_of("{}", files), "/app.wasm");
  EXPECT_EQ(module_of("null", files), "/app.wasm");
  EXPECT_EQ(module_of(R"({"Entrypoint":null,"Cmd":[]})", files), "/app.wasm");
  EXPECT_EQ(module_of(R"({"Entrypoint":["/bin/tool.wasm"]})", files), "/bin/tool.wasm");
  EXPECT_EQ(module_of(R"({"Cmd":["/bin/tool.wasm","-v"]})", files), "/bin/tool.wasm");
  EXPECT_EQ(module_of(R"({"Entrypoint":["tool.wasm"],"WorkingDir":"/bin"})", files), "/bin/tool.wasm");
  EXPECT_EQ(module_of(R"({"Entrypoint":["app.wasm"],"WorkingDir":"/bin"})", files), "/app.wasm");
  EXPECT_EQ(module_of(R"({"Entrypoint":["/../bin/./tool.wasm"]})", files), "/bin/tool.wasm");
}

TEST(Entry, TheRestAreDefaultArguments) {
  const auto image = open_with(R"({"Entrypoint":["/app.wasm","--a"],"Cmd":["b","c"]})", {{"app.wasm", kWasm}});
  ASSERT_TRUE(image);
  EXPECT_THAT((*image)->default_args(), ElementsAre("--a", "b", "c"));
  const auto none = open_with("{}", {{"app.wasm", kWasm}});
  ASSERT_TRUE(none);
  EXPECT_THAT((*none)->default_args(), IsEmpty());
}

TEST(Entry, LinksAreFollowedInsideTheImage) {
  const auto at = [](const std::string& target) {
    return module_of(R"({"Entrypoint":["/run"]})",
                     {{"run", "->" + target}, {"lib/real.wasm", kWasm}, {"lib2", "->lib"}});
  };
  EXPECT_EQ(at("lib/real.wasm"), "/lib/real.wasm");
  EXPECT_EQ(at("/lib/real.wasm"), "/lib/real.wasm");
  EXPECT_EQ(at("../../../lib/real.wasm"), "/lib/real.wasm");
  EXPECT_EQ(at("lib2/real.wasm"), "/lib/real.wasm");
  EXPECT_EQ(at("/run"), "NO_ENTRY: /run absent from the image");
  EXPECT_EQ(at("/etc/passwd"), "NO_ENTRY: /run absent from the image");
  EXPECT_EQ(at("lib"), "NO_ENTRY: /run absent from the image");
}

TEST(Entry, FortyLinksAreFollowedAndNoMore) {
  for (const int links : {40, 41}) {
    NamedFiles files = {{"app.wasm", kWasm}, {"l0", "->app.wasm"}};
    for (int i = 1; i < links; ++i) files.push_back({"l" + std::to_string(i), "->l" + std::to_string(i - 1)});
    const auto image = open_with(R"({"Entrypoint":["/l)" + std::to_string(links - 1) + R"("]})", files);
    EXPECT_EQ(image.has_value(), links == 40);
  }
}

TEST(Entry, WhatIsNoModuleIsRefused) {
  EXPECT_EQ(module_of("{}", {{"other", "x"}}), "NO_ENTRY: app.wasm absent from the image");
  EXPECT_EQ(module_of(R"({"Entrypoint":["/gone.wasm"]})", {{"app.wasm", kWasm}}),
            "NO_ENTRY: /gone.wasm absent from the image");
  EXPECT_EQ(module_of("{}", {{"app.wasm", "#!/bin/sh"}}), "BAD_IMAGE: app.wasm is not a wasm module");
  EXPECT_EQ(module_of("{}", {{"app.wasm", std::string(kComponent)}}),
            "COMPONENT: component modules are not supported by the container engine");
}

TEST(Entry, AForeignPlatformIsRefusedUnlessItsEntryIsAModule) {
  constexpr std::string_view kLinux = R"("os":"linux","architecture":"amd64")";
  EXPECT_TRUE(open_with("{}", {{"app.wasm", kWasm}}, kLinux));
  const auto shell = open_with(R"({"Cmd":["/bin/sh"]})",
                               {{"bin/sh",
                                 "\x7f"
                                 "ELF"}},
                               kLinux);
  ASSERT_FALSE(shell);
  EXPECT_EQ(shell.error().name, "BAD_IMAGE");
  EXPECT_EQ(shell.error().message, "the image is for linux/amd64 and its entry file /bin/sh is not a wasm module");
}

TEST(Entry, WasiTwoIsRefusedByItsConfiguration) {
  const auto image = open_with("{}", {{"app.wasm", kWasm}}, R"("os":"wasip2","architecture":"wasm")");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().name, "COMPONENT");
}

TEST(Config, EverythingTheContractNamesIsKept) {
  const auto image = open_with(
      R"({"Env":["A=1","B"],"WorkingDir":"/srv","User":"1000:1000","Volumes":{"/data":{}},"ExposedPorts":{"80/tcp":{}},
          "Labels":{"k":"v","dev.fusebox.limits":"{\"memoryPages\":2}"},"StopSignal":"TERM","Healthcheck":{"Test":[]}})",
      {{"app.wasm", kWasm}}, R"("os":"wasip1","architecture":"wasm")", R"(,"annotations":{"k":"other","note":"n"})");
  ASSERT_TRUE(image) << image.error().message;
  const Config& config = (*image)->config();
  EXPECT_THAT(config.env, ElementsAre("A=1", "B"));
  EXPECT_EQ(config.working_dir, "/srv");
  EXPECT_EQ(config.user, "1000:1000");
  EXPECT_THAT(config.volumes, ElementsAre("/data"));
  EXPECT_THAT(config.exposed_ports, ElementsAre("80/tcp"));
  EXPECT_EQ(config.limits_json, R"({"memoryPages":2})");
  EXPECT_EQ(config.os, "wasip1");
  EXPECT_EQ(config.architecture, "wasm");
  EXPECT_THAT(config.labels, UnorderedElementsAre(Pair("k", "v"), Pair("note", "n"),
                                                  Pair("dev.fusebox.limits", R"({"memoryPages":2})")));
}

TEST(Config, LimitsMayStandInAnAnnotation) {
  const auto image = open_with("{}", {{"app.wasm", kWasm}}, R"("os":"wasip1","architecture":"wasm")",
                               R"(,"annotations":{"dev.fusebox.limits":"{}"})");
  ASSERT_TRUE(image);
  EXPECT_EQ((*image)->config().limits_json, "{}");
}

}  // namespace
}  // namespace fusebox::image
