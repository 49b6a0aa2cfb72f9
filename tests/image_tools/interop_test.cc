// Images of skopeo, umoci and buildah open here; what is written here opens there.
#include <gmock/gmock.h>

#include <fstream>

#include "image/oci/layout_test_support.h"
#include "image_tools/tools.h"

namespace fusebox::image_tools {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Interop = Workshop;

TEST_F(Interop, ALayoutOfUmociOpens) {
  make_with_umoci("layout");
  const image::Entry entry = import("oci:" + at("layout") + ":1", "hello");
  EXPECT_EQ(file_of(entry, "/app.wasm"), kModule);
  EXPECT_EQ(file_of(entry, "/etc/motd"), "changed");
  EXPECT_EQ(file_of(entry, "/etc/link"), "changed");
  EXPECT_EQ(file_of(entry, "/etc/hard"), "changed");  // one file, two names
  EXPECT_EQ(file_of(entry, "/etc/gone"), "(absent)");
  const auto opened = store_->open(entry, {});
  EXPECT_EQ((*opened)->layer_count(), 2u);
  EXPECT_THAT((*opened)->default_args(), ElementsAre("-v"));
  EXPECT_THAT((*opened)->config().env, ::testing::Contains("A=1"));
  EXPECT_EQ((*opened)->config().working_dir, "/srv");
}

TEST_F(Interop, EveryFormSkopeoWritesOpens) {
  make_with_umoci("layout");
  const image::Entry direct = import("oci:" + at("layout") + ":1", "direct");
  const auto copy = [&](const std::string& to, const std::string& name, std::vector<std::string> more = {}) {
    skopeo_copy("oci:layout:1", to, std::move(more));
    const std::string from = to.substr(0, to.find(':') + 1) + at(to.substr(to.find(':') + 1));
    const image::Entry entry = import(from, name);
    EXPECT_EQ(file_of(entry, "/app.wasm"), kModule) << to;
    EXPECT_EQ(file_of(entry, "/etc/motd"), "changed") << to;
    EXPECT_EQ(file_of(entry, "/etc/gone"), "(absent)") << to;
    return entry;
  };
  EXPECT_EQ(copy("oci-archive:archive:hello:1", "archive").digest, direct.digest);
  copy("docker-archive:docker:hello:1", "docker");
  copy("oci:zstd:1", "zstd", {"--dest-compress", "--dest-compress-format", "zstd"});
}

TEST_F(Interop, ImagesOfBuildahOpenInBothArchiveForms) {
  make_with_buildah();
  buildah({"commit", "made", "oci-archive:" + at("oci") + ":hello:1"});
  buildah({"commit", "made", "docker-archive:" + at("docker") + ":hello:1"});
  for (const std::string form : {"oci", "docker"}) {
    const image::Entry entry = import(form + "-archive:" + at(form), form);
    EXPECT_EQ(file_of(entry, "/app.wasm"), kModule);
    const auto opened = store_->open(entry, {});
    EXPECT_EQ((*opened)->config().architecture, "wasm");
    EXPECT_THAT((*opened)->config().env, ::testing::Contains("B=2"));
  }
}

TEST_F(Interop, SkopeoReadsEveryFormWrittenHere) {
  make_with_umoci("layout");
  const image::Entry entry = import("oci:" + at("layout") + ":1", "hello");
  const std::string digest = "sha256:" + entry.digest.hex();
  for (const std::string form : {"oci", "oci-archive", "docker-archive"}) {
    export_to(entry, form + ":" + at(form));
    const std::string reference = form + ":" + at(form) + (form == "docker-archive" ? ":hello:1" : ":1");
    const std::string shown = run({"skopeo", "--insecure-policy", "inspect", reference});
    EXPECT_THAT(shown, HasSubstr("\"Architecture\": \"wasm\"")) << form;
    if (form != "docker-archive") {
      EXPECT_THAT(shown, HasSubstr(digest)) << form;
    }
    // Through skopeo and back: the layers are what they were.
    skopeo_copy(reference, "oci:back-" + form + ":1");
    const image::Entry back = import("oci:" + at("back-" + form) + ":1", "back");
    EXPECT_EQ(file_of(back, "/etc/motd"), "changed");
    if (form != "docker-archive") {
      EXPECT_EQ(back.digest, entry.digest);
    }
  }
}

TEST_F(Interop, SkopeoAndUmociReadTheStoreItself) {
  make_with_umoci("layout");
  const image::Entry entry = import("oci:" + at("layout") + ":1", "hello");
  EXPECT_THAT(run({"skopeo", "--insecure-policy", "inspect", "oci:" + at("store") + ":hello:1"}),
              HasSubstr(entry.digest.hex()));
}

TEST_F(Interop, UmociUnpacksWhatIsWrittenHere) {
  image::testing::LayoutFiles files;
  const std::string base = image::testing::tar_of({{"app.wasm", std::string(kModule)}, {"a", "old"}, {"b", "gone"}});
  const std::string top = image::testing::tar_of({{"a", "new"}, {".wh.b", ""}});
  files.index({files.image({base, top})}).write(at("made"));
  export_to(import("oci:" + at("made"), "hello"), "oci:" + at("ours"));
  // "raw": it makes no runtime configuration, which it knows for other systems alone.
  run({"umoci", "raw", "unpack", "--rootless", "--image", "ours:1", "files"});
  EXPECT_EQ(base::read_file(at("files/app.wasm"), 100).value_or(""), kModule);
  EXPECT_EQ(base::read_file(at("files/a"), 100).value_or(""), "new");
  EXPECT_FALSE(fs::exists(at("files/b")));
}

TEST_F(Interop, BuildahBuildsOnWhatIsWrittenHere) {
  write("in.tar", image::testing::simple_layer());
  const image::Entry entry = import("tar:" + at("in.tar"), "hello");
  for (const std::string form : {"oci-archive", "docker-archive"}) {
    export_to(entry, form + ":" + at(form));
    buildah({"from", "--name", form, form + ":" + at(form)});
    buildah({"copy", form, "app.wasm", "/second.wasm"});
    buildah({"commit", form, "oci-archive:" + at("next-" + form) + ":next:1"});
    const image::Entry next = import("oci-archive:" + at("next-" + form), "next");
    EXPECT_EQ(file_of(next, "/app.wasm"), kModule);
    EXPECT_EQ(file_of(next, "/second.wasm"), kModule);
  }
}

TEST_F(Interop, ARootFileSystemOfAnotherToolIsAnImage) {
  make_with_umoci("layout");
  run({"tar", "-C", at("second/rootfs"), "-cf", at("root.tar"), "."});
  const image::Entry entry = import("tar:" + at("root.tar"), "root");
  EXPECT_EQ(file_of(entry, "/app.wasm"), kModule);
  EXPECT_EQ(file_of(entry, "/etc/link"), "changed");
}

TEST_F(Interop, TarReadsTheSquashedForms) {
  make_with_umoci("layout");
  const image::Entry entry = import("oci:" + at("layout") + ":1", "hello");
  export_to(entry, "wapp:" + at("hello.wapp"));
  export_to(entry, "tar:" + at("hello.tar"));
  for (const std::string file : {"hello.wapp", "hello.tar"}) {
    const std::string names = run({"tar", "-tf", at(file)});
    EXPECT_THAT(names, HasSubstr("app.wasm\n"));
    EXPECT_THAT(names, HasSubstr("etc/motd\n"));
    EXPECT_THAT(names, ::testing::Not(HasSubstr("gone")));
  }
  EXPECT_EQ(run({"tar", "-xOf", at("hello.wapp"), "etc/motd"}), "changed");
}

}  // namespace
}  // namespace fusebox::image_tools
