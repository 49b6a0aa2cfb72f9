// What is read from layouts and docker archives, row by row of contract 18.2 and 18.3.
#include "image/oci/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/files.h"
#include "image/entry.h"
#include "image/oci/layout_test_support.h"

namespace fusebox::image::oci {
namespace {

using namespace image::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Opened {
  base::Result<std::shared_ptr<const Image>> image = base::fail(base::Errc::bug, "not opened");
  std::vector<std::string> warnings;
  std::string error() const { return image ? "opened" : image.error().name + ": " + image.error().message; }
};

Opened open_tar(const std::string& tar, std::string reference = {}, std::string platform = {}) {
  Opened out;
  OpenOptions options;
  options.reference = std::move(reference);
  options.platform = std::move(platform);
  options.warnings = &out.warnings;
  out.image = open_image(layer_bytes(tar), options);
  return out;
}

std::string read(const Image& image, std::string_view path) {
  const auto found = find_file(*image.tree(), path);
  return found ? std::string(base::as_text(image.tree()->node(found->node).content)) : "(absent)";
}

Opened open_with(LayoutFiles& files, const std::string& entry) {
  files.index({entry});
  return open_tar(files.tar());
}

TEST(Layout, AnImageOfSeveralLayersOpensBaseFirst) {
  LayoutFiles files;
  const auto base = tar_of({{"app.wasm", std::string(kModule)}, {"a", "old"}, {"b", "gone"}});
  const auto top = tar_of({{"a", "new"}, {".wh.b", ""}});
  const Opened opened = open_with(files, files.image({base, top}));
  ASSERT_TRUE(opened.image) << opened.error();
  EXPECT_EQ(read(**opened.image, "/a"), "new");
  EXPECT_EQ(read(**opened.image, "/b"), "(absent)");
  EXPECT_EQ((*opened.image)->layer_count(), 2u);
  EXPECT_EQ((*opened.image)->module_path(), "/app.wasm");
  EXPECT_THAT(opened.warnings, IsEmpty());
}

TEST(Layout, AFolderOpensLikeItsTarAndIsKnownByItsManifest) {
  const auto folder = base::TempDir::create();
  ASSERT_TRUE(folder);
  LayoutFiles files;
  const std::string entry = files.image({simple_layer()});
  files.index({entry}).write(folder->path());
  const auto image = open_layout_dir(folder->path(), {});
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_THAT(entry, HasSubstr((*image)->digest().hex()));
  const auto none = open_layout_dir(folder->path() / "absent", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Errc::not_found);
}

TEST(Layout, CompressedLayersOpenWhateverTheirTypeSays) {
  const std::string tar = simple_layer();
  struct Case {
    std::string_view type;
    std::string stored;
    std::size_t warnings;
  };
  const Case cases[] = {
      {kTarLayer, tar, 0},
      {kGzipLayer, gzip_of(tar), 0},
      {kZstdLayer, zstd_of(tar), 0},
      {kDockerGzipLayer, gzip_of(tar), 0},
      {kDockerTarLayer, tar, 0},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar", tar, 0},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", gzip_of(tar), 0},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", zstd_of(tar), 0},
      {kGzipLayer, tar, 1},
      {kTarLayer, zstd_of(tar), 1},
      {kZstdLayer, gzip_of(tar), 1},
  };
  for (const Case& c : cases) {
    LayoutFiles files;
    const auto layer = files.blob(c.type, c.stored);
    const auto config = files.blob(kOciConfig, config_json({tar}));
    const Opened opened = open_with(files, files.blob(kOciManifest, manifest_json(config, {layer})));
    ASSERT_TRUE(opened.image) << c.type << ": " << opened.error();
    EXPECT_EQ(opened.warnings.size(), c.warnings) << c.type;
  }
}

TEST(Layout, AMismatchOfCompressionIsToldInOneSentence) {
  LayoutFiles files;
  const std::string tar = simple_layer();
  const auto layer = files.blob(kGzipLayer, tar);
  const auto config = files.blob(kOciConfig, config_json({tar}));
  const Opened opened = open_with(files, files.blob(kOciManifest, manifest_json(config, {layer})));
  EXPECT_THAT(opened.warnings,
              ElementsAre("layer " + digest_of(tar) + " is declared gzip but is uncompressed; its content decides"));
}

TEST(Layout, EveryConfigurationTypeIsRead) {
  const std::string tar = simple_layer();
  for (const std::string_view type : {kOciConfig, kDockerConfig}) {
    LayoutFiles files;
    const auto layer = files.blob(kTarLayer, tar);
    const auto config = files.blob(type, config_json({tar}, R"({"Env":["A=1"]})"));
    const Opened opened = open_with(files, files.blob(kOciManifest, manifest_json(config, {layer})));
    ASSERT_TRUE(opened.image) << opened.error();
    EXPECT_THAT((*opened.image)->config().env, ElementsAre("A=1"));
  }
  LayoutFiles files;
  const auto layer = files.blob(kTarLayer, tar);
  const auto config = files.blob(kEmptyConfig, "{}");
  EXPECT_THAT(config, HasSubstr(kEmptyConfigDigest));
  const Opened opened = open_with(files, files.blob(kOciManifest, manifest_json(config, {layer})));
  ASSERT_TRUE(opened.image) << opened.error();
  EXPECT_THAT((*opened.image)->config().env, IsEmpty());
}

TEST(Layout, DockerManifestsAndListsAreRead) {
  LayoutFiles files;
  const std::string tar = simple_layer();
  const auto config = files.blob(kDockerConfig, config_json({tar}));
  const auto layer = files.blob(kDockerGzipLayer, gzip_of(tar));
  const std::string text = R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)"
                           R"("config":)" +
                           config + R"(,"layers":[)" + layer + "]}";
  const auto manifest = files.blob(kDockerManifest, text, for_platform("wasi", "wasm"));
  const auto list = files.blob(kDockerList, R"({"schemaVersion":2,"manifests":[)" + manifest + "]}");
  const Opened opened = open_with(files, list);
  EXPECT_TRUE(opened.image) << opened.error();
}

TEST(Layout, ContentInADescriptorStandsForItsBlob) {
  LayoutFiles files;
  const std::string tar = simple_layer();
  const auto layer = files.blob(kTarLayer, tar);
  const std::string text = config_json({tar});
  const auto carried = [&](const std::string& content) {
    return descriptor_json(kOciConfig, text, R"(,"data":")" + base::to_base64(base::as_bytes(content)) + "\"");
  };
  const Opened opened = open_with(files, files.blob(kOciManifest, manifest_json(carried(text), {layer})));
  EXPECT_TRUE(opened.image) << opened.error();
  std::string other = text;
  other.back() = ' ';
  const Opened wrong = open_with(files, files.blob(kOciManifest, manifest_json(carried(other), {layer})));
  EXPECT_EQ(wrong.error(), "BAD_IMAGE: blob " + digest_of(text) + " has other content than its digest says");
}

TEST(Layout, Sha512NamesContentToo) {
  LayoutFiles files;
  const std::string tar = simple_layer();
  const std::string hex = base::to_hex(base::sha512(base::as_bytes(tar)));
  files.files()["blobs/sha512/" + hex] = tar;
  const std::string layer = R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha512:)" + hex +
                            R"(","size":)" + std::to_string(tar.size()) + "}";
  const auto config = files.blob(kOciConfig, config_json({tar}));
  const auto manifest = files.blob(kOciManifest, manifest_json(config, {layer}));
  const Opened opened = open_with(files, manifest);
  EXPECT_TRUE(opened.image) << opened.error();
  files.files()["blobs/sha512/" + hex].back() = 'x';
  const Opened wrong = open_with(files, manifest);
  EXPECT_EQ(wrong.error(), "BAD_IMAGE: blob sha512:" + hex + " has other content than its digest says");
}

TEST(Layout, EntriesOfUnknownTypeAndUnreferencedFilesAreIgnored) {
  LayoutFiles files;
  files.files()["blobs/sha256/" + std::string(64, '0')] = "left over";
  files.files()["README"] = "hello";
  const auto image = files.image({simple_layer()});
  files.index({R"({"mediaType":"application/x-sbom","digest":"blake3:aa","size":"many"})",
               R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"blake3:aa","size":1})", image});
  const Opened opened = open_tar(files.tar());
  EXPECT_TRUE(opened.image) << opened.error();
}

TEST(Layout, LayoutVersionsOneDotAnythingAreRead) {
  for (const auto& [text, good] :
       std::vector<std::pair<std::string, bool>>{{R"({"imageLayoutVersion":"1.0.0"})", true},
                                                 {R"({"imageLayoutVersion":"1.7","more":1})", true},
                                                 {R"({"imageLayoutVersion":"2.0.0"})", false},
                                                 {R"({"imageLayoutVersion":1})", false},
                                                 {R"({})", false},
                                                 {"[]", false}}) {
    LayoutFiles files;
    const auto image = files.image({simple_layer()});
    files.files()["oci-layout"] = text;
    EXPECT_EQ(open_with(files, image).image.has_value(), good) << text;
  }
}

TEST(Layout, WhatIsWrongIsNamed) {
  const std::string tar = simple_layer();
  struct Case {
    std::function<std::string(LayoutFiles&)> entry;
    std::string message;
  };
  const auto image_with_config = [&](const std::string& config) {
    return [=](LayoutFiles& files) {
      const auto layer = files.blob(kTarLayer, tar);
      return files.blob(kOciManifest, manifest_json(files.blob(kOciConfig, config), {layer}));
    };
  };
  const std::string other = digest_of("other");
  const std::vector<Case> cases = {
      {[&](LayoutFiles& f) {
         const auto e = f.image({tar});
         f.files().erase("blobs/sha256/" + digest_of(tar).substr(7));
         return e;
       },
       "BAD_IMAGE: blob " + digest_of(tar) + " is missing"},
      {[&](LayoutFiles& f) {
         const auto e = f.image({tar});
         f.files()["blobs/sha256/" + digest_of(tar).substr(7)] += "x";
         return e;
       },
       "has 2,049 bytes; the limit is 2,048"},
      {[&](LayoutFiles& f) {
         const auto e = f.image({tar});
         f.files()["blobs/sha256/" + digest_of(tar).substr(7)].pop_back();
         return e;
       },
       "BAD_IMAGE: blob " + digest_of(tar) + " has 2,047 bytes, its descriptor says 2,048"},
      {[&](LayoutFiles& f) {
         const auto e = f.image({tar});
         f.files()["blobs/sha256/" + digest_of(tar).substr(7)].back() = 'x';
         return e;
       },
       "BAD_IMAGE: blob " + digest_of(tar) + " has other content than its digest says"},
      {[&](LayoutFiles& f) { return f.blob(kOciManifest, manifest_json(f.blob(kOciConfig, config_json({})), {})); },
       "BAD_IMAGE: the manifest has no layers"},
      {[&](LayoutFiles& f) {
         const auto layer = f.blob("application/x-squashfs", tar);
         return f.blob(kOciManifest, manifest_json(f.blob(kOciConfig, config_json({tar})), {layer}));
       },
       "BAD_IMAGE: layer media type \"application/x-squashfs\" is not known"},
      {[&](LayoutFiles& f) {
         return f.blob(kOciManifest, manifest_json(f.blob("application/x-chart", "{}"), {f.blob(kTarLayer, tar)}));
       },
       "BAD_IMAGE: configuration media type \"application/x-chart\" is not known"},
      {image_with_config(config_json({tar, tar})), "BAD_IMAGE: the configuration names 2 diff_ids for 1 layers"},
      {image_with_config(R"({"rootfs":{"type":"layers","diff_ids":[")" + other + R"("]}})"),
       "BAD_IMAGE: layer " + digest_of(tar) + " does not have the diff_id " + other + " that the configuration names"},
      {image_with_config(R"({"rootfs":{"type":"base","diff_ids":[]}})"),
       "BAD_IMAGE: image configuration /rootfs: type \"base\" is not \"layers\""},
      {image_with_config(R"({"rootfs":{"type":"layers","diff_ids":["sha256:00"]}})"),
       "BAD_IMAGE: image configuration /rootfs/diff_ids/0: \"sha256:00\" is no digest: sha256:<64 hex> and sha512:<128 "
       "hex> are known"},
      {image_with_config(R"({"config":{"Env":"A=1"}})"),
       "BAD_IMAGE: image configuration /config/Env: expected array, found string"},
      {image_with_config(R"({"config":{"Labels":{"a":1}}})"),
       "BAD_IMAGE: image configuration /config/Labels/a: expected string"},
      {[&](LayoutFiles& f) { return f.blob(kOciManifest, R"({"schemaVersion":1})"); },
       "BAD_IMAGE: manifest " + digest_of(R"({"schemaVersion":1})") + " /schemaVersion: schemaVersion 2 is needed"},
      {[&](LayoutFiles& f) { return f.blob(kOciManifest, index_json({})); },
       "BAD_IMAGE: manifest " + digest_of(index_json({})) +
           ": its mediaType is \"application/vnd.oci.image.index.v1+json\", not that of a manifest"},
      {[&](LayoutFiles& f) {
         return f.blob(kOciManifest, manifest_json(f.blob(kOciConfig, "{}"), {}, R"(,"manifests":[])"));
       },
       ": has \"manifests\": both index and manifest"},
      {[&](LayoutFiles& f) { return f.blob(kOciManifest, "{"); }, "BAD_IMAGE: manifest"},
  };
  for (const Case& c : cases) {
    LayoutFiles files;
    const auto entry = c.entry(files);
    const Opened opened = open_with(files, entry);
    EXPECT_THAT(opened.error(), HasSubstr(c.message));
  }
}

TEST(Layout, DocumentsOverFourMebibytesAreRefusedAndOneByteLessIsRead) {
  const std::string tar = simple_layer();
  for (const std::size_t over : {0u, 1u}) {
    LayoutFiles files;
    std::string config = config_json({tar});
    config.append(kDocumentBytesMax - config.size() + over, ' ');
    const auto layer = files.blob(kTarLayer, tar);
    const Opened opened =
        open_with(files, files.blob(kOciManifest, manifest_json(files.blob(kOciConfig, config), {layer})));
    EXPECT_EQ(opened.image.has_value(), over == 0) << opened.error();
    if (over == 1) {
      EXPECT_THAT(opened.error(), HasSubstr("has 4,194,305 bytes; the limit is 4,194,304"));
    }
  }
}

TEST(Layout, ADocumentOfTooManyValuesIsRefusedBeforeItIsBuilt) {
  LayoutFiles files;
  std::string list = "[0";
  for (std::size_t i = 0; i < kDocumentValuesMax; ++i) list += ",0";
  const std::string tar = simple_layer();
  std::string config = config_json({tar});
  config.insert(1, "\"more\":" + list + "],");
  const auto layer = files.blob(kTarLayer, tar);
  const Opened opened =
      open_with(files, files.blob(kOciManifest, manifest_json(files.blob(kOciConfig, config), {layer})));
  EXPECT_EQ(opened.error(), "BAD_IMAGE: image configuration has more than 200,000 values");
}

TEST(Layout, LayersUpToTheLimitAndNoMore) {
  for (const std::uint32_t count : {3u, 4u}) {
    LayoutFiles files;
    std::vector<std::string> tars = {simple_layer()};
    while (tars.size() < count) tars.push_back(tar_of({{"f" + std::to_string(tars.size()), "x"}}));
    const auto entry = files.image(tars);
    files.index({entry});
    OpenOptions options;
    options.limits.layers_max = 3;
    const auto image = open_image(layer_bytes(files.tar()), options);
    EXPECT_EQ(image.has_value(), count == 3);
    if (!image) {
      EXPECT_EQ(image.error().message, "the image has 4 layers; the limit is 3");
    }
  }
}

TEST(Layout, LayersTogetherStayWithinTheImageLimitUncompressed) {
  LayoutFiles files;
  const std::string tar = tar_of({{"app.wasm", std::string(kModule)}, {"zeros", std::string(100'000, '\0')}});
  const auto layer = files.blob(kGzipLayer, gzip_of(tar));
  const auto config = files.blob(kOciConfig, config_json({tar}));
  files.index({files.blob(kOciManifest, manifest_json(config, {layer}))});
  const std::string archive = files.tar();
  OpenOptions options;
  options.limits.image_bytes_max = tar.size();
  EXPECT_TRUE(open_image(layer_bytes(archive), options));
  options.limits.image_bytes_max = tar.size() - 1;
  const auto image = open_image(layer_bytes(archive), options);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, base::Errc::exhausted);
  EXPECT_EQ(image.error().name, "BAD_IMAGE");
}

TEST(Artifact, AModuleIsTheFileAppWasm) {
  for (const std::string_view config_type : {kWasmConfig, std::string_view("application/vnd.wasm.config.v1+json"),
                                             kEmptyConfig, std::string_view("application/x-anything")}) {
    for (const std::string_view layer_type :
         {kWasmLayer, std::string_view("application/vnd.wasm.content.layer.v1+wasm")}) {
      LayoutFiles files;
      const auto layer = files.blob(layer_type, std::string(kModule));
      const auto config = files.blob(config_type, "{}");
      const Opened opened = open_with(files, files.blob(kOciManifest, manifest_json(config, {layer})));
      ASSERT_TRUE(opened.image) << config_type << " " << layer_type << ": " << opened.error();
      EXPECT_EQ(base::as_text((*opened.image)->module()), kModule);
      EXPECT_EQ((*opened.image)->module_path(), "/app.wasm");
      EXPECT_THAT((*opened.image)->default_args(), IsEmpty());
    }
  }
}

TEST(Artifact, ItsConfigurationIsChecked) {
  const std::string module(kModule);
  struct Case {
    std::string config;
    std::string message;
  };
  const Case cases[] = {
      {R"({"architecture":"wasm","os":"wasip1","layerDigests":[")" + digest_of(module) + R"("]})", "opened"},
      {R"({"os":"wasip1","layerDigests":[")" + digest_of("other") + R"("]})",
       "BAD_IMAGE: layerDigests of the wasm configuration are not those of the manifest's layers"},
      {R"({"os":"wasip1","layerDigests":[")" + digest_of(module) + R"(",")" + digest_of(module) + R"("]})",
       "BAD_IMAGE: layerDigests of the wasm configuration are not those of the manifest's layers"},
      {R"({"os":"wasip2"})", "COMPONENT: component modules are not supported by the container engine"},
      {R"({"os":"wasip1","component":{"exports":[]}})",
       "COMPONENT: component modules are not supported by the container engine"},
  };
  for (const Case& c : cases) {
    LayoutFiles files;
    const auto layer = files.blob(kWasmLayer, module);
    const auto config = files.blob(kWasmConfig, c.config);
    EXPECT_EQ(open_with(files, files.blob(kOciManifest, manifest_json(config, {layer}))).error(), c.message);
  }
}

TEST(Artifact, SeveralLayersComponentsAndOtherFilesAreRefused) {
  {
    LayoutFiles files;
    const auto layer = files.blob(kWasmLayer, std::string(kModule));
    const auto config = files.blob(kWasmConfig, "{}");
    EXPECT_EQ(open_with(files, files.blob(kOciManifest, manifest_json(config, {layer, layer}))).error(),
              "BAD_IMAGE: a wasm artifact has exactly one layer; this one has 2");
  }
  for (const auto& [content, message] : std::vector<std::pair<std::string, std::string>>{
           {std::string(kComponent), "COMPONENT: component modules are not supported by the container engine"},
           {"text", "BAD_IMAGE: the artifact's layer is not a wasm module"}}) {
    LayoutFiles files;
    const auto layer = files.blob(kWasmLayer, content);
    const auto config = files.blob(kWasmConfig, "{}");
    EXPECT_EQ(open_with(files, files.blob(kOciManifest, manifest_json(config, {layer}))).error(), message);
  }
}

TEST(DockerArchive, OldAndNewFormsOpen) {
  const std::string tar = simple_layer();
  const std::string config = config_json({tar, tar}, R"({"Cmd":["/app.wasm","x"]})");
  const auto manifest = [](const std::string& config_path, const std::string& a, const std::string& b) {
    return R"([{"Config":")" + config_path + R"(","RepoTags":["hello:1"],"Layers":[")" + a + R"(",")" + b + R"("]}])";
  };
  const NamedFiles old_form = {{"abc.json", config},
                               {"0/layer.tar", tar},
                               {"1/layer.tar", "->../0/layer.tar"},
                               {"manifest.json", manifest("abc.json", "0/layer.tar", "1/layer.tar")},
                               {"repositories", "{}"}};
  const NamedFiles new_form = {{"blobs/sha256/c", config},
                               {"blobs/sha256/l", gzip_of(tar)},
                               {"manifest.json", manifest("blobs/sha256/c", "blobs/sha256/l", "blobs/sha256/l")}};
  for (const NamedFiles& files : {old_form, new_form}) {
    const Opened opened = open_tar(tar_of(files));
    ASSERT_TRUE(opened.image) << opened.error();
    EXPECT_EQ((*opened.image)->layer_count(), 2u);
    EXPECT_THAT((*opened.image)->default_args(), ElementsAre("x"));
  }
}

TEST(DockerArchive, OfSeveralImagesOneIsNamed) {
  const std::string tar = simple_layer();
  const auto entry = [&](const std::string& tag, const std::string& config) {
    return R"({"Config":")" + config + R"(","RepoTags":[")" + tag + R"("],"Layers":["l"]})";
  };
  const std::string archive =
      tar_of({{"a.json", config_json({tar}, R"({"Env":["N=a"]})")},
              {"b.json", config_json({tar}, R"({"Env":["N=b"]})")},
              {"l", tar},
              {"manifest.json", "[" + entry("x/one:latest", "a.json") + "," + entry("x/two:2", "b.json") + "]"}});
  EXPECT_EQ(open_tar(archive).error(),
            ": several images are in the archive; name one of \"x/one:latest\", \"x/two:2\"");
  EXPECT_THAT((*open_tar(archive, "x/one").image)->config().env, ElementsAre("N=a"));
  EXPECT_THAT((*open_tar(archive, "two:2").image)->config().env, ElementsAre("N=b"));
  EXPECT_EQ(open_tar(archive, "three").error(),
            ": no image is called \"three\"; there is \"x/one:latest\", \"x/two:2\"");
}

TEST(DockerArchive, WhatIsWrongIsNamed) {
  const std::string tar = simple_layer();
  const auto error = [&](const std::string& manifest, const std::string& config) {
    return open_tar(tar_of({{"c.json", config}, {"l", tar}, {"loop", "->loop"}, {"manifest.json", manifest}})).error();
  };
  const std::string good = config_json({tar});
  EXPECT_EQ(error(R"([{"Config":"c.json","Layers":["l"]}])", good), "opened");
  EXPECT_EQ(error(R"([{"Config":"c.json","Layers":["m"]}])", good), "BAD_IMAGE: \"m\" is missing from the image");
  EXPECT_EQ(error(R"([{"Config":"d.json","Layers":["l"]}])", good), "BAD_IMAGE: \"d.json\" is missing from the image");
  EXPECT_EQ(error(R"([{"Layers":["l"]}])", good), "BAD_IMAGE: manifest.json /0: \"Config\" is missing");
  EXPECT_EQ(error(R"([])", good), "BAD_IMAGE: manifest.json: no image in it");
  EXPECT_EQ(error(R"({})", good), "BAD_IMAGE: manifest.json: an array is needed here");
  EXPECT_EQ(error(R"([{"Config":"c.json","Layers":["loop"]}])", good),
            "BAD_IMAGE: \"loop\" is a link that leads nowhere");
  EXPECT_EQ(error(R"([{"Config":"c.json","Layers":["l"]}])", "{}"),
            "BAD_IMAGE: image configuration: \"rootfs\" is missing");
}

TEST(PlainArchive, AManifestBesideAnAppIsAnOrdinaryFile) {
  const Opened opened = open_tar(tar_of({{"app.wasm", std::string(kModule)}, {"manifest.json", "not even JSON"}}));
  ASSERT_TRUE(opened.image) << opened.error();
  EXPECT_EQ(read(**opened.image, "/manifest.json"), "not even JSON");
}

TEST(PlainArchive, DocumentsMadeForItKeepTheLayersBytes) {
  const std::string tar = simple_layer();
  for (const std::string& stored : {tar, gzip_of(tar), zstd_of(tar)}) {
    const auto package = load_package(layer_bytes(stored), {});
    ASSERT_TRUE(package) << package.error().message;
    ASSERT_EQ(package->layers.size(), 1u);
    EXPECT_EQ(package->layers.front().descriptor.digest.text(), digest_of(stored));
    EXPECT_EQ(package->settings.diff_ids.front().text(), digest_of(tar));
    const auto layers = unpack_layers(*package, {});
    ASSERT_TRUE(layers);
    EXPECT_TRUE(open_package(*package, *layers, {}));
  }
}

TEST(PlainArchive, ABareModuleBecomesAnArtifact) {
  const auto package = load_package(layer_bytes(kModule), {});
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_TRUE(package->artifact);
  EXPECT_EQ(package->layers.front().descriptor.digest.text(), digest_of(kModule));
  const auto component = load_package(layer_bytes(kComponent), {});
  ASSERT_FALSE(component);
  EXPECT_EQ(component.error().name, "COMPONENT");
}

TEST(ChainId, IsThatOfTheImageSpecification) {
  const Digest a = Digest::of(base::as_bytes("a"));
  const Digest b = Digest::of(base::as_bytes("b"));
  EXPECT_EQ(chain_id({}), "");
  EXPECT_EQ(chain_id({a}), a.text());
  EXPECT_EQ(chain_id({a, b}), digest_of(a.text() + " " + b.text()));
}

}  // namespace
}  // namespace fusebox::image::oci
