#include "image/oci/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/image.h"
#include "image/oci/layout_test_support.h"

namespace fusebox::image::oci {
namespace {

using namespace image::testing;
using ::testing::HasSubstr;

std::vector<Descriptor> entries_of(const std::vector<std::string>& platforms) {
  std::vector<Descriptor> out;
  for (const std::string& platform : platforms) {
    Descriptor entry;
    entry.artifact_type = platform;  // to tell them apart
    if (!platform.empty()) entry.platform = *parse_platform(platform);
    out.push_back(entry);
  }
  return out;
}

std::string chosen(const std::vector<std::string>& platforms, std::string_view wanted = {}) {
  const auto entries = entries_of(platforms);
  const auto found = choose_platform(entries, wanted);
  return found ? "<" + (*found)->artifact_type + ">" : found.error().message;
}

TEST(ChoosePlatform, FollowsTheOrderOfTheContract) {
  EXPECT_EQ(chosen({"linux/amd64", "", "js/wasm", "wasi/wasm32", "wasi/wasm", "wasip1/wasm"}), "<wasip1/wasm>");
  EXPECT_EQ(chosen({"linux/amd64", "", "js/wasm", "wasi/wasm32", "wasi/wasm"}), "<wasi/wasm32>");
  EXPECT_EQ(chosen({"linux/amd64", "", "js/wasm"}), "<js/wasm>");
  EXPECT_EQ(chosen({"linux/amd64", ""}), "<>");
  EXPECT_EQ(chosen({"linux/amd64"}), "<linux/amd64>");
  EXPECT_EQ(chosen({"linux/amd64", "linux/arm64/v8"}),
            "no image for platform \"wasm\"; there is \"linux/amd64\", \"linux/arm64/v8\"");
  EXPECT_EQ(chosen({}), "no image for platform \"wasm\"; there is nothing");
}

TEST(ChoosePlatform, TakesTheOneThatIsAskedForAndNoOther) {
  EXPECT_EQ(chosen({"wasip1/wasm", "linux/amd64", "linux/arm64/v8"}, "linux/amd64"), "<linux/amd64>");
  EXPECT_EQ(chosen({"wasip1/wasm", "linux/arm64/v8"}, "linux/arm64"), "<linux/arm64/v8>");
  EXPECT_EQ(chosen({"linux/arm64/v7", "linux/arm64/v8"}, "linux/arm64/v8"), "<linux/arm64/v8>");
  EXPECT_EQ(chosen({"wasip1/wasm"}, "linux/amd64"), "no image for platform \"linux/amd64\"; there is \"wasip1/wasm\"");
  EXPECT_EQ(chosen({""}, "linux/amd64"), "<>");
  EXPECT_EQ(chosen({"", ""}, "linux/amd64"), "no image for platform \"linux/amd64\"; there is \"(none)\", \"(none)\"");
  EXPECT_EQ(chosen({"wasip1/wasm"}, "linux"), "platform \"linux\" is not os/arch, such as wasip1/wasm");
  EXPECT_EQ(chosen({"wasip1/wasm"}, "/wasm"), "platform \"/wasm\" is not os/arch, such as wasip1/wasm");
}

TEST(IsCalled, ByNameTagOrDigest) {
  Descriptor entry;
  entry.digest = Digest::of(base::as_bytes("x"));
  entry.annotations = {{std::string(kRefName), "v1"}, {std::string(kContainerdName), "host:5000/team/hello:1.2"}};
  EXPECT_TRUE(is_called(entry, "v1"));
  EXPECT_TRUE(is_called(entry, "host:5000/team/hello:1.2"));
  EXPECT_TRUE(is_called(entry, "1.2"));
  EXPECT_TRUE(is_called(entry, digest_of("x")));
  EXPECT_FALSE(is_called(entry, "v"));
  EXPECT_FALSE(is_called(entry, "5000/team/hello:1.2"));
  EXPECT_FALSE(is_called(Descriptor{}, ""));
}

class Nested : public ::testing::Test {
 protected:
  std::string open(const std::string& entry, std::string_view platform = {}) {
    files_.index({entry});
    OpenOptions options;
    options.platform = platform;
    const auto image = open_image(layer_bytes(files_.tar()), options);
    return image ? "opened" : image.error().message;
  }
  LayoutFiles files_;
};

TEST_F(Nested, FourDeepIsFollowedAndFiveIsNot) {
  std::string entry = files_.image({simple_layer()});
  for (int depth = 1; depth <= 5; ++depth) {
    entry = files_.blob(kOciIndex, index_json({entry}));
    EXPECT_EQ(open(entry), depth <= 4 ? "opened" : "indexes are nested more than 4 deep") << depth;
  }
}

TEST_F(Nested, ThePlatformIsChosenAtEveryLevel) {
  const auto wasm = files_.image({simple_layer()}, "{}", for_platform("wasi", "wasm"));
  const auto linux = files_.image({tar_of({{"bin/sh", "#!"}})}, "{}", for_platform("linux", "amd64"));
  const auto index = files_.blob(kOciIndex, index_json({linux, wasm}));
  EXPECT_EQ(open(index), "opened");
  EXPECT_EQ(open(index, "wasi/wasm"), "opened");
  EXPECT_EQ(open(index, "linux/amd64"), "app.wasm absent from the image");
  EXPECT_EQ(open(index, "linux/arm64"),
            "no image for platform \"linux/arm64\"; there is \"linux/amd64\", \"wasi/wasm\"");
}

TEST_F(Nested, AnIndexThatHoldsItselfCannotBeMade) {
  // A digest cannot be known before its content; the nearest thing is one that lies about it.
  const std::string lie =
      R"({"mediaType":"application/vnd.oci.image.index.v1+json","digest":")" + digest_of("x") + R"(","size":2})";
  files_.files()["blobs/sha256/" + digest_of("x").substr(7)] = "{}";
  EXPECT_THAT(open(lie), HasSubstr("has other content than its digest says"));
}

TEST(Names, OneOfSeveralImagesMustBeNamed) {
  LayoutFiles files;
  const auto one = files.image({simple_layer()}, R"({"Env":["N=1"]})", named("one"));
  const auto two = files.image({simple_layer()}, R"({"Env":["N=2"]})", named("x/y:two"));
  files.index({one, two});
  const auto env = [&](std::string_view reference) {
    OpenOptions options;
    options.reference = reference;
    const auto image = open_image(layer_bytes(files.tar()), options);
    return image ? (*image)->config().env.at(0) : image.error().message;
  };
  EXPECT_EQ(env("one"), "N=1");
  EXPECT_EQ(env("x/y:two"), "N=2");
  EXPECT_EQ(env("two"), "N=2");
  EXPECT_EQ(env(""), "several images are in the layout; name one of \"one\", \"x/y:two\"");
  EXPECT_EQ(env("three"), "no image is called \"three\"; there is \"one\", \"x/y:two\"");
}

}  // namespace
}  // namespace fusebox::image::oci
