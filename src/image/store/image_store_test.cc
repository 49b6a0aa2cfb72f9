#include "image/store/image_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"
#include "image/entry.h"
#include "image/oci/layout_test_support.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;
using namespace testing;
using oci::Digest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ImageStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-store");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    options_.root = folder_->path() / "images";
    open_store();
  }
  void open_store() {
    auto store = ImageStore::create(options_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }
  static oci::Package package_of(const std::string& bytes) {
    auto package = oci::load_package(layer_bytes(bytes), {});
    EXPECT_TRUE(package) << package.error().message;
    return std::move(*package);
  }
  static std::string layout_of(const std::vector<std::string>& tars, std::string_view type = oci::kTarLayer,
                               std::string (*pack)(std::string_view) = nullptr) {
    LayoutFiles files;
    std::vector<std::string> layers;
    for (const std::string& tar : tars) layers.push_back(files.blob(type, pack == nullptr ? tar : pack(tar)));
    const auto config = files.blob(oci::kOciConfig, config_json(tars));
    files.index({files.blob(oci::kOciManifest, manifest_json(config, layers))});
    return files.tar();
  }
  Entry add(const std::string& reference, const std::string& bytes) {
    const auto entry = store_->add(package_of(bytes), *parse_reference(reference, 63));
    EXPECT_TRUE(entry) << entry.error().message;
    return entry ? *entry : Entry{};
  }
  std::string read(const Entry& entry, std::string_view path) {
    const auto image = store_->open(entry, {});
    if (!image) return image.error().message;
    const auto file = find_file(*(*image)->tree(), path);
    return file ? std::string(base::as_text((*image)->tree()->node(file->node).content)) : "(absent)";
  }
  std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> out;
    for (const auto& file : fs::directory_iterator(options_.root / folder)) out.push_back(file.path().filename());
    std::ranges::sort(out);
    return out;
  }
  std::vector<std::string> listed() {
    std::vector<std::string> out;
    const auto entries = store_->list();
    for (const Entry& entry : *entries) out.push_back(entry.name + ":" + entry.version);
    return out;
  }
  void damage(const fs::path& file) {
    fs::permissions(file, fs::perms::owner_all);
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.put('!');
  }

  std::optional<base::TempDir> folder_;
  ImageStoreOptions options_;
  std::unique_ptr<ImageStore> store_;
};

TEST_F(ImageStoreTest, WhatIsAddedIsFoundAndOpened) {
  const Entry entry = add("hello:1.0", simple_layer());
  EXPECT_THAT(listed(), ElementsAre("hello:1.0"));
  const auto found = store_->find({"hello", ""});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->digest, entry.digest);
  EXPECT_EQ(found->stored_bytes, entry.stored_bytes);
  const auto image = store_->open(*found, {});
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(base::as_text((*image)->module()), kModule);
  EXPECT_EQ((*image)->digest(), entry.digest);
  EXPECT_EQ((*image)->stored_bytes(), entry.stored_bytes);
}

TEST_F(ImageStoreTest, AnotherProcessSeesIt) {
  const Entry entry = add("hello:1.0", simple_layer());
  open_store();
  EXPECT_THAT(listed(), ElementsAre("hello:1.0"));
  EXPECT_EQ(read(entry, "/app.wasm"), kModule);
}

TEST_F(ImageStoreTest, AnEntryOfAnImageIsSharedWhileItIsOpen) {
  const Entry entry = add("hello:1.0", simple_layer());
  EXPECT_EQ(*store_->open(entry, {}), *store_->open(entry, {}));
}

TEST_F(ImageStoreTest, LayersOfTheSameContentAreStoredOnce) {
  const std::string base = simple_layer();
  add("a:1", layout_of({base, tar_of({{"x", "1"}})}));
  add("b:1", layout_of({base, tar_of({{"x", "2"}})}));
  EXPECT_EQ(files_in("blobs/sha256").size(), 3u + 2u + 2u);  // layers, configurations, manifests
  EXPECT_THAT(files_in("unpacked"), IsEmpty());
}

TEST_F(ImageStoreTest, CompressedLayersAreKeptBothWays) {
  const std::string tar = simple_layer();
  for (const auto& [type, pack] : std::vector<std::pair<std::string_view, std::string (*)(std::string_view)>>{
           {oci::kGzipLayer, gzip_of}, {oci::kZstdLayer, zstd_of}}) {
    const Entry entry = add("app:1", layout_of({tar}, type, pack));
    const fs::path unpacked = options_.root / "unpacked" / ("sha256-" + digest_of(pack(tar)).substr(7));
    EXPECT_EQ(*base::read_file(unpacked, 1 << 20), tar);
    EXPECT_EQ(read(entry, "/app.wasm"), kModule);
    // Gone, it is made again from the blob.
    fs::remove(unpacked);
    open_store();
    EXPECT_EQ(read(entry, "/app.wasm"), kModule);
    EXPECT_TRUE(fs::exists(unpacked));
  }
}

TEST_F(ImageStoreTest, ANameMeansTheImageAddedLast) {
  add("app:1", tar_of({{"app.wasm", std::string(kModule)}, {"who", "old"}}));
  const Entry entry = add("app:1", tar_of({{"app.wasm", std::string(kModule)}, {"who", "new"}}));
  EXPECT_THAT(listed(), ElementsAre("app:1"));
  EXPECT_EQ(read(entry, "/who"), "new");
}

TEST_F(ImageStoreTest, DigestsOfManifestConfigurationAndLayersStay) {
  const std::string source = layout_of({simple_layer()}, oci::kGzipLayer, gzip_of);
  const oci::Package before = package_of(source);
  const auto after = store_->package(add("app:1", source));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->manifest.descriptor.digest, before.manifest.descriptor.digest);
  EXPECT_EQ(after->config.descriptor.digest, before.config.descriptor.digest);
  EXPECT_EQ(after->layers.front().descriptor.digest, before.layers.front().descriptor.digest);
}

TEST_F(ImageStoreTest, InstallTakesEveryForm) {
  for (const std::string& form :
       {simple_layer(), gzip_of(simple_layer()), layout_of({simple_layer()}), std::string(kModule)}) {
    auto install = store_->install({"app", ""});
    ASSERT_TRUE(install);
    ASSERT_TRUE((*install)->write(base::as_bytes(form)));
    const auto done = (*install)->commit();
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(read(*store_->find({"app", "latest"}), "/app.wasm"), kModule);
  }
}

TEST_F(ImageStoreTest, WhatIsNoImageIsRefusedAndNamesNothing) {
  for (const std::string& bad : {std::string("text"), tar_of({{"other", "x"}}), simple_layer(kComponent),
                                 tar_of({{"app.wasm", std::string(kModule)}, {"../x", ""}})}) {
    auto install = store_->install({"app", "1"});
    ASSERT_TRUE((*install)->write(base::as_bytes(bad)));
    const auto done = (*install)->commit();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().name, "BAD_IMAGE");
    EXPECT_EQ(done.error().code, base::Errc::invalid);
  }
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_THAT(files_in("blobs/sha256"), IsEmpty());
  EXPECT_THAT(files_in("tmp"), IsEmpty());
}

TEST_F(ImageStoreTest, RemovingANameFreesTheImageAtTheNextCollection) {
  const std::string shared = simple_layer();
  const Entry gone = add("a:1", layout_of({shared, tar_of({{"x", "1"}})}, oci::kGzipLayer, gzip_of));
  add("b:1", layout_of({shared}, oci::kGzipLayer, gzip_of));
  const auto running = store_->open(gone, {});
  ASSERT_TRUE(store_->remove(gone));
  EXPECT_THAT(listed(), ElementsAre("b:1"));
  EXPECT_EQ(store_->remove(gone).error().code, base::Errc::not_found);
  const auto swept = store_->collect();
  ASSERT_TRUE(swept) << swept.error().message;
  EXPECT_EQ(swept->files, 4u);  // layer, unpacked layer, configuration, manifest
  EXPECT_EQ(files_in("blobs/sha256").size(), 3u);
  EXPECT_EQ(files_in("unpacked").size(), 1u);
  EXPECT_EQ(read(*store_->find({"b", ""}), "/app.wasm"), kModule);
  EXPECT_EQ(base::as_text((*running)->module()), kModule);  // its files are gone, its mappings are not
  EXPECT_EQ(store_->collect()->files, 0u);
}

TEST_F(ImageStoreTest, CollectionWaitsForNobodyAndTouchesNothingInUse) {
  add("a:1", simple_layer());
  const auto lock = store_->blobs().lock(BlobStore::Lock::shared);
  ASSERT_TRUE(lock);
  const auto swept = store_->collect();
  ASSERT_FALSE(swept);
  EXPECT_EQ(swept.error().code, base::Errc::unavailable);
  EXPECT_EQ(swept.error().message, "the image store is in use: an import or a pull is under way");
}

TEST_F(ImageStoreTest, CollectionTakesLeftoversAndLeavesStrangers) {
  add("a:1", simple_layer());
  std::ofstream(options_.root / "tmp" / "new-dead") << "half a blob";
  std::ofstream(options_.root / "partial" / ("sha256-" + std::string(64, 'a'))) << "half a download";
  std::ofstream(options_.root / "blobs" / "sha256" / std::string(64, 'b')) << "nobody's";
  std::ofstream(options_.root / "blobs" / "sha256" / "README") << "a stranger";
  ASSERT_TRUE(store_->collect());
  EXPECT_THAT(files_in("tmp"), IsEmpty());
  EXPECT_THAT(files_in("partial"), IsEmpty());
  EXPECT_EQ(files_in("blobs/sha256").size(), 4u);
}

TEST_F(ImageStoreTest, ADamagedManifestStopsCollection) {
  const Entry entry = add("a:1", simple_layer());
  damage(options_.root / "blobs/sha256" / entry.digest.hex());
  const auto swept = store_->collect();
  ASSERT_FALSE(swept);
  EXPECT_EQ(swept.error().code, base::Errc::corrupt);
  EXPECT_THAT(swept.error().message, HasSubstr("nothing was removed"));
}

TEST_F(ImageStoreTest, VerifyFindsEveryKindOfDamageAndAddingAgainHeals) {
  const std::string source = layout_of({simple_layer()}, oci::kGzipLayer, gzip_of);
  const Entry entry = add("a:1", source);
  const auto clean = store_->verify();
  ASSERT_TRUE(clean);
  EXPECT_EQ(clean->images, 1u);
  EXPECT_EQ(clean->blobs, 3u);
  EXPECT_THAT(clean->findings, IsEmpty());
  std::vector<fs::path> all;
  for (const char* folder : {"blobs/sha256", "unpacked"})
    for (const auto& file : fs::directory_iterator(options_.root / folder)) all.push_back(file.path());
  ASSERT_EQ(all.size(), 4u);
  for (const fs::path& file : all) {
    damage(file);
    const auto check = store_->verify(entry);
    ASSERT_TRUE(check);
    ASSERT_EQ(check->findings.size(), 1u) << file;
    EXPECT_EQ(check->findings.front().subject, "a:1");
    add("a:1", source);
    EXPECT_THAT(store_->verify()->findings, IsEmpty()) << file;
  }
}

TEST_F(ImageStoreTest, ADamagedOrCutLayerNeverRuns) {
  const Entry entry = add("a:1", layout_of({simple_layer()}));
  const fs::path layer = options_.root / "blobs/sha256" / digest_of(simple_layer()).substr(7);
  fs::permissions(layer, fs::perms::owner_all);
  fs::resize_file(layer, 700);
  const auto image = store_->open(entry, {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, base::Errc::corrupt);
  EXPECT_EQ(image.error().name, "INTEGRITY");
}

TEST_F(ImageStoreTest, AnUnreadableIndexIsReportedAndLeftAsItIs) {
  add("a:1", simple_layer());
  std::ofstream(options_.root / "index.json") << "{";
  EXPECT_EQ(store_->list().error().code, base::Errc::corrupt);
  EXPECT_EQ(store_->add(package_of(simple_layer()), {"b", "1"}).error().code, base::Errc::corrupt);
  EXPECT_EQ(*base::read_file(options_.root / "index.json", 100), "{");
}

TEST_F(ImageStoreTest, WithImageKeysOnlySignedImagesOpen) {
  base::SeededRandom random(1);
  const auto key = base::Ed25519Key::generate(random);
  options_.keys = {key->public_key()};
  open_store();
  const Entry entry = add("a:1", simple_layer());
  EXPECT_EQ(store_->open(entry, {}).error().name, "BAD_SIGNATURE");
  ASSERT_TRUE(store_->sign(entry, *key));
  EXPECT_TRUE(store_->open(entry, {}));
  ASSERT_TRUE(store_->collect());
  EXPECT_TRUE(store_->open(entry, {}));
  const Entry other = add("a:1", simple_layer(std::string(kModule) + "x"));
  EXPECT_EQ(store_->open(other, {}).error().name, "BAD_SIGNATURE");
}

TEST_F(ImageStoreTest, NamesFollowTheGrammar) {
  for (const Reference& bad : {Reference{"a/b", "1"}, Reference{"", "1"}, Reference{std::string(64, 'a'), "1"}})
    EXPECT_EQ(store_->add(package_of(simple_layer()), bad).error().name, "BAD_NAME");
  EXPECT_TRUE(store_->add(package_of(simple_layer()), {std::string(63, 'a'), std::string(63, 'b')}));
}

}  // namespace
}  // namespace fusebox::image
