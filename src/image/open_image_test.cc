// Plain archives, streams of them and bare modules, opened as images. Layouts and docker archives: oci/.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "image/compress_test_support.h"
#include "image/image.h"
#include "image/tree_test_support.h"

namespace fusebox::image {
namespace {

using namespace std::string_literals;
using test::gzip_of;
using test::TarText;
using test::zstd_of;

const std::string kModule = "\0asm\x01\0\0\0"s;

std::string plain() {
  return TarText().file("./app.wasm", kModule).file("data/x", "y").file("manifest.json", "{}").end().text();
}

base::Result<std::shared_ptr<const Image>> open(std::string_view bytes, OpenOptions options = {}) {
  return open_image(test::layer_of(bytes), options);
}

TEST(OpenImage, TakesEveryFormByItsContent) {
  for (const std::string& stored : {plain(), gzip_of(plain()), zstd_of(plain())}) {
    const auto image = open(stored);
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(base::as_text((*image)->module()), kModule);
    EXPECT_EQ((*image)->module_path(), "/app.wasm");
    EXPECT_EQ((*image)->digest(), base::sha256(base::as_bytes(stored)));
    EXPECT_EQ((*image)->stored_bytes(), stored.size());
    EXPECT_EQ((*image)->layer_count(), 1u);
    EXPECT_TRUE((*image)->default_args().empty());
    EXPECT_EQ((*image)->config().entrypoint.size(), 0u);
    EXPECT_EQ(test::lines_of(*(*image)->tree()),
              (std::vector<std::string>{"app.wasm = " + kModule, "data/", "data/x = y", "manifest.json = {}"}));
  }
}

TEST(OpenImage, ABareModuleIsTheImageOfOneFile) {
  const auto image = open(kModule);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(test::lines_of(*(*image)->tree()), (std::vector<std::string>{"app.wasm = " + kModule}));
  EXPECT_EQ((*image)->digest(), base::sha256(base::as_bytes(kModule)));
  EXPECT_EQ((*image)->stored_bytes(), kModule.size());
}

TEST(OpenImage, TheModuleMayBeALinkInsideTheImage) {
  const auto image =
      open(TarText().file("bin/real.wasm", kModule).symlink("app.wasm", "../../bin/real.wasm").end().text());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(base::as_text((*image)->module()), kModule);
  EXPECT_EQ((*image)->module_path(), "/bin/real.wasm");
  const auto hard = open(TarText().file("m", kModule).hard_link("app.wasm", "m").text());
  ASSERT_TRUE(hard);
  EXPECT_EQ((*hard)->module_path(), "/app.wasm");
}

TEST(OpenImage, WithoutItsModuleThereIsNoEntry) {
  const TarText cases[] = {
      TarText().file("other.wasm", kModule).end(),     TarText().file("d/app.wasm", kModule).end(),
      TarText().directory("app.wasm").end(),           TarText().symlink("app.wasm", "missing").end(),
      TarText().symlink("app.wasm", "app.wasm").end(), TarText().end(),
  };
  for (const TarText& tar : cases) {
    const auto image = open(tar.text());
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, base::Errc::not_found);
    EXPECT_EQ(image.error().name, "NO_ENTRY");
    EXPECT_EQ(image.error().message, "app.wasm absent from the image");
  }
}

TEST(OpenImage, AComponentIsRefusedBareAndInAnArchive) {
  const std::string component = "\0asm\x0D\0\x01\0"s;
  for (const std::string& stored : {component, TarText().file("app.wasm", component).end().text()}) {
    const auto image = open(stored);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, base::Errc::unsupported);
    EXPECT_EQ(image.error().name, "COMPONENT");
    EXPECT_EQ(image.error().message, "component modules are not supported by the container engine");
  }
}

TEST(OpenImage, WhatIsNoImageIsRefused) {
  for (const std::string& stored : {"hello"s, ""s, std::string(2000, 'x'), gzip_of("hello"), zstd_of("hello")}) {
    const auto image = open(stored);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, base::Errc::invalid);
    EXPECT_EQ(image.error().name, "BAD_IMAGE");
    EXPECT_EQ(image.error().message, "neither a tar archive, a gzip or zstd stream of one, nor a WebAssembly module");
  }
}

TEST(OpenImage, KeepsTheBoundStoredAndDecompressed) {
  const std::string tar = plain();
  OpenOptions options;
  options.limits.image_bytes_max = tar.size();
  EXPECT_TRUE(open(tar, options));
  EXPECT_TRUE(open(gzip_of(tar), options));
  --options.limits.image_bytes_max;
  for (const std::string& stored : {tar, gzip_of(tar), zstd_of(tar)}) {
    const auto image = open(stored, options);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, base::Errc::exhausted);
    EXPECT_EQ(image.error().name, "BAD_IMAGE");
  }
}

TEST(OpenImage, GivesWarningsToRunAndRefusesToKeep) {
  const std::string tar = TarText().file("app.wasm", kModule).file("../x", "y").end().text();
  std::vector<std::string> warnings;
  OpenOptions options;
  options.warnings = &warnings;
  EXPECT_TRUE(open(tar, options));
  EXPECT_EQ(warnings, (std::vector<std::string>{"byte 1024: \"../x\" has \"..\" in its path: left out"}));
  options.strictness = Tree::Strictness::keep;
  EXPECT_FALSE(open(tar, options));
}

TEST(OpenImage, AnOpenImageDoesNotCareWhatHappensToItsFile) {
  const auto folder = base::TempDir::create();
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "a.wapp";
  ASSERT_TRUE(base::write_file_atomic(path, base::as_bytes(plain())));
  const auto image = open_image_file(path, {});
  ASSERT_TRUE(image) << image.error().message;
  std::filesystem::resize_file(path, 0);
  EXPECT_EQ(base::as_text((*image)->module()), kModule);
  EXPECT_EQ((*image)->digest(), base::sha256(base::as_bytes(plain())));
  EXPECT_EQ(open_image_file(folder->path() / "none", {}).error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace fusebox::image
