#include "image/store/registry_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/files.h"
#include "image/entry.h"
#include "image/oci/layout_test_support.h"
#include "image/store/signature.h"
#include "image/store/staging.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;
using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RegistryFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-registry");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    options_.root = folder_->path() / "registry";
    options_.warn = [this](std::string_view sentence) { warnings_.emplace_back(sentence); };
  }
  RegistryFolder& registry() {
    if (!registry_) registry_ = std::make_unique<RegistryFolder>(options_, clock_);
    return *registry_;
  }
  void write(const std::string& name, const std::string& content = simple_layer()) {
    fs::create_directories(options_.root);
    std::ofstream(options_.root / name, std::ios::binary) << content;
  }
  std::vector<std::string> listed() {
    std::vector<std::string> out;
    const auto entries = registry().list();
    if (!entries) return {entries.error().message};
    for (const Entry& entry : *entries) out.push_back(entry.name + ":" + entry.version);
    return out;
  }
  std::string installed(const std::string& reference, const std::string& content) {
    auto parsed = parse_reference(reference, 14);
    if (!parsed) return parsed.error().name;
    auto install = registry().install(*parsed);
    if (!install) return install.error().name + ": " + install.error().message;
    if (auto wrote = (*install)->write(base::as_bytes(content)); !wrote) return wrote.error().name;
    const auto done = (*install)->commit();
    return done ? "installed" : done.error().name + ": " + done.error().message;
  }
  std::vector<std::string> files() {
    std::vector<std::string> out;
    for (const auto& file : fs::directory_iterator(options_.root)) out.push_back(file.path().filename());
    std::ranges::sort(out);
    return out;
  }
  std::string opened(const std::string& reference, OpenOptions options = {}) {
    const auto entry = registry().find(*parse_reference(reference, 14));
    if (!entry) return entry.error().message;
    const auto image = registry().open(*entry, options);
    return image ? std::string(base::as_text((*image)->module())) : image.error().name + ": " + image.error().message;
  }

  std::optional<base::TempDir> folder_;
  RegistryFolderOptions options_;
  base::RealClock clock_;
  std::unique_ptr<RegistryFolder> registry_;
  std::vector<std::string> warnings_;
};

TEST_F(RegistryFolderTest, TheFolderIsMadeWhenItIsFirstListed) {
  EXPECT_FALSE(fs::exists(options_.root));
  EXPECT_THAT(listed(), IsEmpty());
  struct stat info{};
  ASSERT_EQ(::stat(options_.root.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0755u);
}

TEST_F(RegistryFolderTest, EverySpellingIsReadAndListedInOrderOfFileNames) {
  write("b@1.0.wapp");
  write("a:2.wapp");
  write("a@10.wapp");
  write("plain.wapp");
  write("a@b@c.wapp");  // split at the first '@': version "b@c" breaks the grammar
  write("notes.txt");
  write("_tempab12");
  fs::create_directories(options_.root / "dir@1.wapp");
  EXPECT_THAT(listed(), ElementsAre("a:2", "a:10", "b:1.0", "plain:latest"));
}

TEST_F(RegistryFolderTest, ABrokenNameIsSkippedWithOneLine) {
  write("a-name-far-too-long@1.wapp");
  write(".hidden@1.wapp");
  write("ok@1.wapp");
  EXPECT_THAT(listed(), ElementsAre("ok:1"));
  EXPECT_THAT(listed(), ElementsAre("ok:1"));
  EXPECT_THAT(warnings_,
              ::testing::UnorderedElementsAre(
                  "registry: \"a-name-far-too-long@1.wapp\" is skipped: its name is not <name>@<version>.wapp",
                  "registry: \".hidden@1.wapp\" is skipped: its name is not <name>@<version>.wapp"));
}

TEST_F(RegistryFolderTest, MoreThanFiftyImagesAreListed) {
  for (int i = 0; i < 120; ++i) write("app" + std::to_string(i) + "@1.wapp");
  EXPECT_EQ(listed().size(), 120u);
}

TEST_F(RegistryFolderTest, ABareNameIsTheNewestVersionOrTheLowestFileName) {
  write("app@1.9.wapp");
  write("app@1.10.wapp");
  EXPECT_EQ(registry().find({"app", ""})->version, "1.10");
  EXPECT_EQ(registry().find({"app", "1.9"})->version, "1.9");
  write("app@1.2.wapp");
  write("app@0.9.wapp");
  registry_.reset();
  options_.resolve_first = true;
  EXPECT_EQ(registry().find({"app", ""})->version, "0.9");
  EXPECT_EQ(registry().find({"ap", ""}).error().code, base::Errc::not_found);
}

TEST_F(RegistryFolderTest, InstallingMakesTheImageVisibleAtOnceAndWhole) {
  const std::uint64_t before = registry().version();
  auto install = registry().install({"meter", "0.0.1-1"});
  ASSERT_TRUE(install) << install.error().message;
  const std::string tar = simple_layer();
  ASSERT_TRUE((*install)->write(base::as_bytes(tar.substr(0, 100))));
  EXPECT_THAT(listed(), IsEmpty());
  ASSERT_TRUE((*install)->write(base::as_bytes(tar.substr(100))));
  ASSERT_TRUE((*install)->commit());
  install->reset();
  EXPECT_THAT(listed(), ElementsAre("meter:0.0.1-1"));
  EXPECT_THAT(files(), ElementsAre("meter@0.0.1-1.wapp"));
  EXPECT_NE(registry().version(), before);
  EXPECT_EQ(opened("meter"), kModule);
  EXPECT_EQ(registry().find({"meter", ""})->stored_bytes, tar.size());
}

TEST_F(RegistryFolderTest, EveryFormOfAnImageInstalls) {
  LayoutFiles layout;
  const auto image = layout.image({simple_layer()});
  layout.index({image});
  const std::string tar = simple_layer();
  for (const std::string& form :
       {tar, gzip_of(tar), zstd_of(tar), layout.tar(), gzip_of(layout.tar()), std::string(kModule)}) {
    EXPECT_EQ(installed("app:1", form), "installed");
    EXPECT_EQ(opened("app:1"), kModule);
  }
}

TEST_F(RegistryFolderTest, WithoutAVersionItIsLatest) {
  EXPECT_EQ(installed("app", simple_layer()), "installed");
  EXPECT_THAT(files(), ElementsAre("app@latest.wapp"));
}

TEST_F(RegistryFolderTest, WhatIsNoImageChangesNothing) {
  ASSERT_EQ(installed("app:1", simple_layer()), "installed");
  EXPECT_EQ(installed("app:1", tar_of({{"other", "x"}})), "BAD_IMAGE: app.wasm absent from the image");
  EXPECT_EQ(installed("app:1", simple_layer(kComponent)),
            "BAD_IMAGE: component modules are not supported by the container engine");
  EXPECT_EQ(installed("app:1", simple_layer().substr(0, 515)).substr(0, 10), "BAD_IMAGE:");
  EXPECT_EQ(installed("app:1", tar_of({{"app.wasm", std::string(kModule)}, {"../out", "x"}})).substr(0, 10),
            "BAD_IMAGE:");
  EXPECT_EQ(installed("new:1", "text").substr(0, 10), "BAD_IMAGE:");
  EXPECT_THAT(files(), ElementsAre("app@1.wapp"));
  EXPECT_EQ(opened("app:1"), kModule);
}

TEST_F(RegistryFolderTest, NothingWrittenInstallsNothing) {
  EXPECT_EQ(installed("app:1", ""), "installed");
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RegistryFolderTest, ImagesUpToTheLimitAndNoMore) {
  const std::string tar = simple_layer();
  options_.limits.image_bytes_max = tar.size();
  EXPECT_EQ(installed("app:1", tar), "installed");
  EXPECT_EQ(installed("app:2", tar + "x"), "TOO_LARGE");
  EXPECT_THAT(files(), ElementsAre("app@1.wapp"));
}

TEST_F(RegistryFolderTest, AbandonedInstallsLeaveNothing) {
  auto install = registry().install({"app", "1"});
  ASSERT_TRUE(install);
  ASSERT_TRUE((*install)->write(base::as_bytes("half")));
  install->reset();
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RegistryFolderTest, InstallsAreIndependentAndTheLastOneCounts) {
  auto one = registry().install({"app", "1"});
  auto two = registry().install({"app", "1"});
  ASSERT_TRUE(one && two);
  const std::string first = tar_of({{"app.wasm", std::string(kModule)}, {"who", "one"}});
  const std::string second = tar_of({{"app.wasm", std::string(kModule)}, {"who", "two"}});
  ASSERT_TRUE((*two)->write(base::as_bytes(second.substr(0, 700))));
  ASSERT_TRUE((*one)->write(base::as_bytes(first)));
  ASSERT_TRUE((*two)->write(base::as_bytes(second.substr(700))));
  ASSERT_TRUE((*two)->commit());
  ASSERT_TRUE((*one)->commit());
  const auto image = registry().open(*registry().find({"app", "1"}), {});
  ASSERT_TRUE(image);
  const auto who = find_file(*(*image)->tree(), "who");
  ASSERT_TRUE(who);
  EXPECT_EQ(base::as_text((*image)->tree()->node(who->node).content), "one");
}

TEST_F(RegistryFolderTest, LeftoversOfTheDeadAreRemovedAtTheStartAndThoseOfTheLivingAreNot) {
  write("_tempdead", "half");
  auto living = Staged::create(options_.root, "_temp", 100);
  ASSERT_TRUE(living);
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_EQ(files().size(), 1u);
  EXPECT_NE(files().front(), "_tempdead");
}

TEST_F(RegistryFolderTest, BadReferencesAreRefused) {
  for (const Reference& bad : {Reference{"", ""}, Reference{"a/b", "1"}, Reference{"..", "1"}, Reference{"a", "a/b"},
                               Reference{"123456789012345", "1"}, Reference{"a", "123456789012345"}}) {
    const auto install = registry().install(bad);
    ASSERT_FALSE(install);
    EXPECT_EQ(install.error().name, "BAD_NAME");
    EXPECT_EQ(registry().open({bad.name, bad.version, 0, {}}, {}).error().code,
              bad.name == "a" && bad.version.empty() ? base::Errc::not_found : base::Errc::invalid);
  }
}

TEST_F(RegistryFolderTest, RemovingTakesEverySpellingAndTheSignature) {
  write("app@latest.wapp");
  write("app.wapp");
  write("app@latest.wapp.sig", "x");
  write("app@2.wapp");
  const auto entry = registry().find({"app", "latest"});
  ASSERT_TRUE(entry);
  const std::uint64_t before = registry().version();
  ASSERT_TRUE(registry().remove(*entry));
  EXPECT_THAT(files(), ElementsAre("app@2.wapp"));
  EXPECT_NE(registry().version(), before);
  EXPECT_EQ(registry().remove(*entry).error().code, base::Errc::not_found);
}

TEST_F(RegistryFolderTest, ARunningImageDoesNotNoticeItsFile) {
  const std::string tar = simple_layer();
  write("app@1.wapp", tar);
  const auto image = registry().open(*registry().find({"app", ""}), {});
  ASSERT_TRUE(image);
  fs::resize_file(options_.root / "app@1.wapp", 0);
  EXPECT_EQ(base::as_text((*image)->module()), kModule);
  write("app@1.wapp", std::string(tar.size(), 'x'));
  EXPECT_EQ(base::as_text((*image)->module()), kModule);
  fs::remove(options_.root / "app@1.wapp");
  EXPECT_EQ(base::as_text((*image)->module()), kModule);
  EXPECT_EQ((*image)->digest(), base::sha256(base::as_bytes(tar)));
}

TEST_F(RegistryFolderTest, AFileThatChangedIsReadAgain) {
  write("app@1.wapp", simple_layer());
  EXPECT_EQ(opened("app"), kModule);
  write("app@1.wapp", simple_layer(std::string(kModule) + "more"));
  EXPECT_EQ(opened("app"), std::string(kModule) + "more");
}

TEST_F(RegistryFolderTest, ImagesOfAnOldFileAreShared) {
  write("app@1.wapp");
  base::ManualClock later(clock_.wall() + std::chrono::hours{1});
  RegistryFolder registry(options_, later);
  const auto entry = registry.find({"app", ""});
  const auto one = registry.open(*entry, {});
  const auto two = registry.open(*entry, {});
  ASSERT_TRUE(one && two);
  EXPECT_EQ(*one, *two);
  OpenOptions other;
  other.limits.entries_max = 10;
  EXPECT_NE(*registry.open(*entry, other), *one);
}

TEST_F(RegistryFolderTest, WithImageKeysOnlySignedImagesOpen) {
  base::SeededRandom random(1);
  const auto key = base::Ed25519Key::generate(random);
  const auto other = base::Ed25519Key::generate(random);
  ASSERT_TRUE(key && other);
  options_.keys = {key->public_key()};
  const std::string tar = simple_layer();
  write("app@1.wapp", tar);
  const fs::path signature = options_.root / "app@1.wapp.sig";
  EXPECT_EQ(opened("app"), "BAD_SIGNATURE: app:1: has no signature, and only signed images are allowed");
  ASSERT_TRUE(write_signature(signature, base::sha256(base::as_bytes(tar)), *other));
  EXPECT_EQ(opened("app"), "BAD_SIGNATURE: app:1: its signature is not by any of the image keys");
  write("app@1.wapp.sig", "short");
  EXPECT_EQ(opened("app"), "BAD_SIGNATURE: app:1: its signature is not 64 bytes");
  ASSERT_TRUE(write_signature(signature, base::sha256(base::as_bytes(tar)), *key));
  EXPECT_EQ(opened("app"), kModule);
  write("app@1.wapp", tar + std::string(512, '\0'));
  EXPECT_EQ(opened("app"), "BAD_SIGNATURE: app:1: its signature is not by any of the image keys");
}

TEST(ImageKeys, AreSixtyFourHexadecimalDigits) {
  const std::string good(64, 'a');
  const auto keys = parse_image_keys(std::vector<std::string>{good});
  ASSERT_TRUE(keys);
  EXPECT_EQ(base::to_hex(keys->front().bytes), good);
  for (const std::string& bad : {std::string(63, 'a'), std::string(66, 'a'), std::string(64, 'g'), std::string()})
    EXPECT_FALSE(parse_image_keys(std::vector<std::string>{bad}));
}

}  // namespace
}  // namespace fusebox::image
