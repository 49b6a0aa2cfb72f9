// Every form of contract 18.1, in and out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"
#include "image/entry.h"
#include "image/oci/layout_test_support.h"
#include "image/transfer/export.h"
#include "image/transfer/import.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;
using namespace testing;
using oci::Package;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Transfer : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-transfer");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  std::string at(const std::string& name) const { return (folder_->path() / name).string(); }
  std::string put(const std::string& name, const std::string& content) const {
    std::ofstream(at(name), std::ios::binary) << content;
    return at(name);
  }
  static base::Result<Package> read(const std::string& location) {
    FB_TRY(const Location from, parse_location(location));
    return import_package(from, {});
  }
  base::Result<void> write(const Package& package, const std::string& location) {
    FB_TRY(const Location to, parse_location(location));
    warnings_.clear();
    return export_package(package, to, {{"hello", "1.0"}, {}, &warnings_});
  }
  static std::shared_ptr<const Image> open(const Package& package) {
    const auto layers = oci::unpack_layers(package, {});
    EXPECT_TRUE(layers) << layers.error().message;
    auto image = oci::open_package(package, *layers, {});
    EXPECT_TRUE(image) << image.error().message;
    return image ? *image : nullptr;
  }
  static std::string content(const Image& image, std::string_view path) {
    const auto found = find_file(*image.tree(), path);
    return found ? std::string(base::as_text(image.tree()->node(found->node).content)) : "(absent)";
  }
  static Package several_layers() {
    LayoutFiles files;
    const std::string base = tar_of({{"bin/tool.wasm", std::string(kModule)}, {"a", "old"}, {"gone", "x"}});
    const std::string top = tar_of({{"a", "new"}, {".wh.gone", ""}, {"link", "->a"}, {"empty/", ""}});
    const std::vector<std::string> layers = {files.blob(oci::kGzipLayer, gzip_of(base)),
                                             files.blob(oci::kZstdLayer, zstd_of(top))};
    const auto config = files.blob(oci::kOciConfig,
                                   config_json({base, top}, R"({"Entrypoint":["/bin/tool.wasm","-v"],"Env":["A=1"]})"));
    files.index({files.blob(oci::kOciManifest, manifest_json(config, layers, R"(,"annotations":{"kept":"yes"})"))});
    auto package = oci::load_package(layer_bytes(files.tar()), {});
    EXPECT_TRUE(package) << package.error().message;
    return std::move(*package);
  }
  static void expect_same_digests(const Package& a, const Package& b) {
    EXPECT_EQ(a.config.descriptor.digest, b.config.descriptor.digest);
    ASSERT_EQ(a.layers.size(), b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i)
      EXPECT_EQ(a.layers[i].descriptor.digest, b.layers[i].descriptor.digest);
  }
  std::optional<base::TempDir> folder_;
  std::vector<std::string> warnings_;
};

TEST(ParseLocation, ReadsEveryForm) {
  const auto parts = [](std::string_view text) {
    const auto location = parse_location(text);
    if (!location) return location.error().message;
    return std::to_string(static_cast<int>(location->form)) + " " + location->path.string() + " " + location->reference;
  };
  EXPECT_EQ(parts("oci:dir:v1"), "1 dir v1");
  EXPECT_EQ(parts("oci:dir"), "1 dir ");
  EXPECT_EQ(parts("oci-archive:/a/b.tar:host:5000/x:1"), "2 /a/b.tar host:5000/x:1");
  EXPECT_EQ(parts("docker-archive:b.tar"), "3 b.tar ");
  EXPECT_EQ(parts("tar:b:c"), "4 b:c ");
  EXPECT_EQ(parts("wapp:b"), "5 b ");
  EXPECT_EQ(parts("wasm:b"), "6 b ");
  EXPECT_EQ(parts("some/file.wapp"), "0 some/file.wapp ");
  EXPECT_EQ(parts("a:b"), "0 a:b ");
  EXPECT_THAT(parts("oci:"), HasSubstr("names no file"));
  EXPECT_THAT(parts(""), HasSubstr("names no file"));
}

TEST_F(Transfer, LayoutsAndArchivesKeepEveryDigest) {
  const Package before = several_layers();
  for (const std::string form : {"oci", "oci-archive", "docker-archive"}) {
    const std::string place = form + ":" + at(form);
    const auto wrote = write(before, place);
    ASSERT_TRUE(wrote) << wrote.error().message;
    EXPECT_THAT(warnings_, IsEmpty());
    const auto after = read(place);
    ASSERT_TRUE(after) << form << ": " << after.error().message;
    expect_same_digests(before, *after);
    if (form != "docker-archive") {
      EXPECT_EQ(before.manifest.descriptor.digest, after->manifest.descriptor.digest);
      EXPECT_EQ(after->document.annotations.at("kept"), "yes");
    }
    const auto image = open(*after);
    EXPECT_EQ(content(*image, "/a"), "new");
    EXPECT_EQ(content(*image, "/gone"), "(absent)");
    EXPECT_THAT(image->default_args(), ElementsAre("-v"));
  }
}

TEST_F(Transfer, CompressedArchivesAreReadToo) {
  const Package before = several_layers();
  ASSERT_TRUE(write(before, "oci-archive:" + at("plain")));
  const std::string plain = *base::read_file(at("plain"), 1 << 20);
  for (const std::string& packed : {gzip_of(plain), zstd_of(plain)}) {
    const auto after = read("oci-archive:" + put("packed", packed));
    ASSERT_TRUE(after) << after.error().message;
    expect_same_digests(before, *after);
  }
}

TEST_F(Transfer, ABarePathIsWhatLiesThere) {
  const Package before = several_layers();
  ASSERT_TRUE(write(before, "oci:" + at("dir")));
  ASSERT_TRUE(write(before, "oci-archive:" + at("a")));
  ASSERT_TRUE(write(before, "docker-archive:" + at("d")));
  for (const char* name : {"dir", "a", "d"}) expect_same_digests(before, *read(at(name)));
  EXPECT_EQ(read(put("m", std::string(kModule)))->artifact, true);
  EXPECT_EQ(read(put("t", simple_layer()))->layers.size(), 1u);
}

TEST_F(Transfer, AFolderGainsImagesAndReplacesThoseOfTheSameName) {
  const Package one = several_layers();
  auto two = oci::load_package(layer_bytes(simple_layer()), {});
  ASSERT_TRUE(write(one, "oci:" + at("dir") + ":one"));
  ASSERT_TRUE(write(*two, "oci:" + at("dir") + ":two"));
  EXPECT_EQ(read("oci:" + at("dir") + ":one")->manifest.descriptor.digest, one.manifest.descriptor.digest);
  EXPECT_EQ(read("oci:" + at("dir") + ":two")->manifest.descriptor.digest, two->manifest.descriptor.digest);
  ASSERT_TRUE(write(*two, "oci:" + at("dir") + ":one"));
  EXPECT_EQ(read("oci:" + at("dir") + ":one")->manifest.descriptor.digest, two->manifest.descriptor.digest);
}

TEST_F(Transfer, AFolderOfSomethingElseIsLeftAlone) {
  fs::create_directory(at("home"));
  put("home/letter", "dear");
  const auto wrote = write(several_layers(), "oci:" + at("home"));
  ASSERT_FALSE(wrote);
  EXPECT_EQ(wrote.error().code, base::Errc::exists);
  EXPECT_THAT(wrote.error().message, HasSubstr("is neither empty nor an image layout"));
  EXPECT_FALSE(fs::exists(at("home/blobs")));
}

TEST_F(Transfer, AWappIsOneArchiveWithTheModuleAtItsPlace) {
  ASSERT_TRUE(write(several_layers(), "wapp:" + at("w")));
  EXPECT_THAT(warnings_, ElementsAre("default arguments are lost: this form has no place for them",
                                     "environment variables are lost: this form has no place for them"));
  const auto package = read("wapp:" + at("w"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->layers.size(), 1u);
  const auto image = open(*package);
  EXPECT_EQ(image->module_path(), "/app.wasm");
  EXPECT_EQ(base::as_text(image->module()), kModule);
  EXPECT_EQ(content(*image, "/bin/tool.wasm"), kModule);
  EXPECT_EQ(content(*image, "/link"), "new");
  EXPECT_EQ(content(*image, "/gone"), "(absent)");
  const std::string bytes = *base::read_file(at("w"), 1 << 20);
  EXPECT_EQ(bytes.substr(257, 6), std::string("ustar\0", 6));
  EXPECT_EQ(bytes.substr(0, 8), "app.wasm");
  ASSERT_TRUE(write(several_layers(), "wapp:" + at("again")));
  EXPECT_EQ(*base::read_file(at("again"), 1 << 20), bytes);
}

TEST_F(Transfer, ATarHoldsTheFilesAndTheirLinks) {
  const std::string tar = [] {
    std::string out;
    oci::TarWriter writer([&out](base::ByteView piece) -> base::Result<void> {
      out += base::as_text(piece);
      return {};
    });
    (void)writer.file("app.wasm", base::as_bytes(kModule), 7'000'000'000);
    (void)writer.hard_link("copy.wasm", "app.wasm");
    (void)writer.directory("empty");
    (void)writer.finish();
    return out;
  }();
  ASSERT_TRUE(write(*read(put("in", tar)), "tar:" + at("out")));
  const auto package = read("tar:" + at("out"));
  ASSERT_TRUE(package) << package.error().message;
  const auto image = open(*package);
  const auto first = find_file(*image->tree(), "/app.wasm");
  const auto second = find_file(*image->tree(), "/copy.wasm");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(image->tree()->node(first->node).inode, image->tree()->node(second->node).inode);
  EXPECT_EQ(image->tree()->node(first->node).modified_ns, 7'000'000'000u);
  EXPECT_EQ(image->tree()->find("empty").how, Tree::Found::How::node);
}

TEST_F(Transfer, TheModuleAloneBecomesAnArtifact) {
  ASSERT_TRUE(write(several_layers(), "wasm:" + at("art")));
  EXPECT_THAT(warnings_, ::testing::Contains("the image's other files are lost: an artifact holds the module alone"));
  const auto package = read("oci-archive:" + at("art") + ":1.0");
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_TRUE(package->artifact);
  EXPECT_EQ(package->document.config.media_type, oci::kWasmConfig);
  EXPECT_EQ(package->layers.front().descriptor.media_type, oci::kWasmLayer);
  EXPECT_EQ(base::as_text(package->layers.front().bytes.bytes), kModule);
  EXPECT_EQ(package->settings.layer_digests.front(), package->layers.front().descriptor.digest);
  EXPECT_EQ(package->name, "hello:1.0");
}

TEST_F(Transfer, AnArtifactBecomesALayerWhereOnlyThoseAreKnown) {
  const auto artifact = read("wasm:" + put("m", std::string(kModule)));
  ASSERT_TRUE(artifact);
  ASSERT_TRUE(write(*artifact, "docker-archive:" + at("d")));
  const auto package = read("docker-archive:" + at("d") + ":hello:1.0");
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_FALSE(package->artifact);
  EXPECT_EQ(base::as_text(open(*package)->module()), kModule);
}

TEST_F(Transfer, WhatCannotBeReadSaysWhere) {
  const auto missing = read(at("nothing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr(at("nothing")));
  const auto docker = read("docker-archive:" + put("t", simple_layer()));
  ASSERT_FALSE(docker);
  EXPECT_EQ(docker.error().message, at("t") + ": no docker archive: \"manifest.json\" is missing from the image");
  const auto layout = read("oci-archive:" + at("t"));
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().message, at("t") + ": no image layout: \"oci-layout\" is missing from the image");
  EXPECT_EQ(write(several_layers(), at("x")).error().code, base::Errc::invalid);
}

}  // namespace
}  // namespace fusebox::image
