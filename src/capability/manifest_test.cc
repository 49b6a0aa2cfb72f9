#include "capability/manifest.h"

#include <gtest/gtest.h>

#include "capability/manifest_test_tools.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

void expect_refused(const std::string& json, std::string_view message, std::string_view name = "MANIFEST_INVALID") {
  const auto manifest = parse_manifest(json, "m.json");
  ASSERT_FALSE(manifest) << json;
  EXPECT_EQ(manifest.error().code, base::Errc::invalid);
  EXPECT_EQ(manifest.error().name, name);
  EXPECT_NE(manifest.error().message.find(message), std::string::npos) << manifest.error().message;
}

TEST(Manifest, ReadsEveryKey) {
  const auto manifest = parse_manifest(
      R"({"id":"text.upper","version":"1.2.3","abi":"FC-ABI-1.4.0","description":"d","type":"capability",
          "permissions":["filesystem.read","log","fs.read"],"arguments":{"type":"object","required":["text"]},"entry":"go"})");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->id, "text.upper");
  EXPECT_EQ(manifest->version.text(), "1.2.3");
  EXPECT_EQ(manifest->abi, "FC-ABI-1.4.0");
  EXPECT_EQ(manifest->description, "d");
  EXPECT_EQ(manifest->permissions, (std::vector<std::string>{"fs.read", "log"}));
  EXPECT_EQ(manifest->arguments_schema, R"({"required":["text"],"type":"object"})");
  EXPECT_EQ(manifest->entry, "go");
}

TEST(Manifest, HasDefaults) {
  const auto manifest = parse_manifest(manifest_json("a.b", "1.0.0"));
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->entry, "run");
  EXPECT_EQ(manifest->arguments_schema, "");
  EXPECT_TRUE(manifest->permissions.empty());
}

TEST(Manifest, ReportsAllProblemsAtOnce) {
  const auto manifest = parse_manifest(
      R"({"id":"Upper","version":"1","abi":"x","type":"tool","permissions":["disk"],"arguments":{"tpye":1},"extra":0})",
      "m.json");
  ASSERT_FALSE(manifest);
  const std::string& text = manifest.error().message;
  for (const char* part : {"m.json:1:7: ", "\"Upper\" is not a capability id", "version \"1\" is not of the form",
                           "\"x\" is not of the form FC-ABI-", "type \"tool\" is not known",
                           "\"disk\" is not a host capability", "tpye", "extra"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(Manifest, RefusesHostNamesAbisAndHostileText) {
  expect_refused(manifest_json("fs.read", "1.0.0"), "\"fs.read\" is a host capability; a module cannot take its name");
  expect_refused(manifest_json("network.request", "1.0.0"), "is a host capability");
  expect_refused(manifest_json("a", "1.0.0", "FC-ABI-2.0.0"),
                 "the module is for FC-ABI-2.0.0; this runtime offers FC-ABI-1", "ABI_MISMATCH");
  expect_refused(manifest_json("a", "1.0.0", "FC-ABI-0.9.0"), "this runtime offers FC-ABI-1", "ABI_MISMATCH");
  for (const char* text : {"", "[]", "7", "{",
                           "{\"id\":1,\"version\":2,\"abi\":3,\"type\":4,\"permissions\":5,\"arguments\":6,\"entry\":7,"
                           "\"description\":8}"}) {
    expect_refused(text, "m.json");
  }
  std::string large = manifest_json("a", "1.0.0");
  large += std::string(kManifestBytesMax - large.size(), ' ');
  EXPECT_TRUE(parse_manifest(large));
  expect_refused(large + " ", "");
}

TEST(Manifest, ComesFromTheSectionOrFromTheSideFileButNotFromBoth) {
  const std::string json = manifest_json("a.b", "1.0.0");
  const base::Bytes plain = module_with_section("name", "x");
  const base::Bytes with_section = module_with_section("femto.manifest", json);
  EXPECT_FALSE(module_manifest(plain, "")->has_value());
  EXPECT_EQ((*module_manifest(with_section, ""))->id, "a.b");
  EXPECT_EQ((*module_manifest(plain, json))->id, "a.b");
  const auto both = module_manifest(with_section, json);
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().name, "MANIFEST_INVALID");
  EXPECT_EQ(both.error().message, "the module has a section femto.manifest and a manifest beside it; only one may be");
  const auto bad = module_manifest(module_with_section("femto.manifest", "{}"), "");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("section femto.manifest:1:1"), std::string::npos) << bad.error().message;
}

}  // namespace
}  // namespace fusebox::capability
