// `fusebox image` as scripts see it.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "image/oci/layout_test_support.h"
#include "image_tools/tools.h"
#include "support/process.h"

namespace fusebox::image_tools {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ImageCommand : public Workshop {
 protected:
  void SetUp() override {
    Workshop::SetUp();
    write("hello.wapp", image::testing::simple_layer());
  }
  Finished image(std::vector<std::string> arguments, std::string input = {}) const {
    arguments.insert(arguments.begin(), {FUSEBOX_COMMAND, "image"});
    testing::ProcessOptions options;
    options.folder = folder_->path().string();
    options.input = std::move(input);
    options.environment = {"XDG_DATA_HOME=" + at("data"), "HOME=" + at("home"),
                           "DOCKER_CONFIG=", "REGISTRY_AUTH_FILE="};
    return testing::run_process(arguments, options);
  }
  // What it prints when it succeeds, else what it says.
  std::string said(std::vector<std::string> arguments) const {
    const Finished finished = image(std::move(arguments));
    EXPECT_EQ(finished.status, 0) << finished.err;
    return finished.out;
  }
};

TEST_F(ImageCommand, AnImageGoesInIsListedShownAndComesOut) {
  EXPECT_EQ(said({"import", "hello.wapp", "--name", "hello", "--tag", "1.0"}), "hello:1.0\n");
  EXPECT_THAT(said({"ls"}), StartsWith("hello:1.0  "));
  EXPECT_THAT(said({"ls", "--json"}),
              AllOf(StartsWith("[{\"name\":\"hello\",\"version\":\"1.0\""), HasSubstr("\"digest\":\"sha256:")));
  const std::string shown = said({"inspect", "hello"});
  EXPECT_TRUE(base::json::is_valid(shown));
  EXPECT_THAT(shown, AllOf(HasSubstr("\"entrypoint\":[\"/app.wasm\"]"), HasSubstr("\"chain_id\":\"sha256:"),
                           HasSubstr("\"module\":{\"path\":\"/app.wasm\",\"size\":8}")));
  EXPECT_EQ(said({"export", "hello:1.0", "oci-archive:out.tar"}), "");
  EXPECT_EQ(said({"import", "out.tar", "--name", "again"}), "again:1.0\n");
  EXPECT_EQ(said({"verify"}), "verified: 2 images, 6 blobs\n");
  EXPECT_EQ(said({"rm", "hello"}), "removed hello:1.0\n");
  EXPECT_THAT(said({"gc", "--json"}), HasSubstr("\"files\":0"));
  EXPECT_EQ(said({"rm", "again"}), "removed again:1.0\n");
  EXPECT_THAT(said({"gc", "--json"}), HasSubstr("\"files\":3"));
  EXPECT_EQ(said({"ls"}), "no images; add one: fusebox image import FILE\n");
}

TEST_F(ImageCommand, ARegistryFolderHoldsFilesThatEnginesRun) {
  EXPECT_EQ(said({"import", "hello.wapp", "--registry", "registry", "--name", "hello", "--tag", "1.0"}), "hello:1.0\n");
  EXPECT_EQ(*base::read_file(at("registry/hello@1.0.wapp"), 1 << 20), image::testing::simple_layer());
  make_with_umoci("layout");
  EXPECT_EQ(said({"import", "oci:layout:1", "--registry", "registry", "--name", "layers"}), "layers:1\n");
  EXPECT_THAT(run({"tar", "-tf", at("registry/layers@1.wapp")}), HasSubstr("oci-layout\n"));
  EXPECT_EQ(said({"ls", "--registry", "registry"}).substr(0, 9), "hello:1.0");
  EXPECT_THAT(said({"inspect", "layers", "--registry", "registry"}),
              HasSubstr("\"entrypoint\":[\"/app.wasm\",\"-v\"]"));
  EXPECT_THAT(said({"verify", "--registry", "registry"}), HasSubstr("2 images"));
  EXPECT_EQ(said({"import", at("registry/hello@1.0.wapp")}), "hello:1.0\n");
  EXPECT_EQ(said({"rm", "layers", "--registry", "registry"}), "removed layers:1\n");
  EXPECT_FALSE(fs::exists(at("registry/layers@1.wapp")));
}

TEST_F(ImageCommand, RefusalsSayWhatToDo) {
  const auto refused = [&](std::vector<std::string> arguments) {
    const Finished finished = image(std::move(arguments));
    EXPECT_EQ(finished.status, 125);
    EXPECT_THAT(finished.out, IsEmpty());
    return finished.err;
  };
  write("odd", image::testing::simple_layer());
  write("text.wapp", "text");
  EXPECT_EQ(refused({"import", "odd"}),
            "fusebox: the image does not say what it is called; give --name, and --tag for its version\n");
  EXPECT_EQ(
      refused({"import", "odd", "--name", "a/b"}),
      "fusebox: --name \"a/b\" is not 1 to 63 bytes of letters, digits, '_', '.' and '-' with no '.' or '-' at the "
      "start\n");
  EXPECT_THAT(refused({"import", "gone.wapp"}), HasSubstr("gone.wapp"));
  EXPECT_EQ(refused({"import", "localhost:5000/hello:1"}),
            "fusebox: localhost:5000/hello:1 is an image in a registry: fusebox image pull localhost:5000/hello:1\n");
  EXPECT_EQ(refused({"pull", "hello"}),
            "fusebox: \"hello\": no registry is named; write HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]\n");
  EXPECT_EQ(refused({"inspect", "nobody"}), "fusebox: no image \"nobody\" is stored\n");
  EXPECT_EQ(said({"ls", "--json"}), "[]\n");
}

TEST_F(ImageCommand, EveryVerbHasAnExample) {
  for (const char* verb : {"import", "export", "ls", "inspect", "verify", "rm", "gc", "sign", "pull", "push"})
    EXPECT_THAT(said({verb, "--help"}), HasSubstr(std::string("Example: fusebox image ") + verb)) << verb;
}

TEST_F(ImageCommand, DamageIsFoundAndSaid) {
  said({"import", "hello.wapp", "--name", "hello", "--tag", "1"});
  for (const auto& blob : fs::directory_iterator(at("data/fusebox/images/blobs/sha256"))) {
    fs::permissions(blob.path(), fs::perms::owner_all);
    std::ofstream(blob.path(), std::ios::app) << "!";
    break;
  }
  const Finished finished = image({"verify"});
  EXPECT_EQ(finished.status, 1);
  EXPECT_THAT(finished.err, HasSubstr("hello:1: "));
  const Finished json = image({"verify", "--json"});
  EXPECT_EQ(json.status, 1);
  EXPECT_TRUE(base::json::is_valid(json.out)) << json.out;
}

TEST_F(ImageCommand, SignedImagesOpenUnderTheirKeyAlone) {
  said({"import", "hello.wapp", "--name", "hello", "--tag", "1", "--registry", "registry"});
  run({FUSEBOX_COMMAND, "module", "keygen", at("key")});
  const std::string signed_by = said({"sign", "hello", "--key", "key", "--registry", "registry"});
  ASSERT_THAT(signed_by, StartsWith("signed hello:1; image key "));
  const std::string key = signed_by.substr(signed_by.size() - 65, 64);
  EXPECT_EQ(fs::file_size(at("registry/hello@1.wapp.sig")), 64u);
  EXPECT_EQ(image({"inspect", "hello", "--registry", "registry", "--image-key", key}).status, 0);
  const Finished other = image({"inspect", "hello", "--registry", "registry", "--image-key", std::string(64, '0')});
  EXPECT_EQ(other.status, 125);
  EXPECT_EQ(other.err, "fusebox: hello:1: its signature is not by any of the image keys\n");
}

TEST_F(ImageCommand, PushesToARegistryAndPullsFromIt) {
  const LocalRegistry server(folder_->path());
  ASSERT_TRUE(server.ready());
  said({"import", "hello.wapp", "--name", "hello", "--tag", "1"});
  EXPECT_THAT(said({"push", "hello", server.authority() + "/team/hello:2"}),
              StartsWith(server.authority() + "/team/hello:2  sha256:"));
  EXPECT_EQ(said({"pull", server.authority() + "/team/hello:2"}), "hello:2\n");
  EXPECT_EQ(said({"pull", server.authority() + "/team/hello:2", "--registry", "registry", "--name", "mine"}),
            "mine:2\n");
  EXPECT_TRUE(fs::exists(at("registry/mine@2.wapp")));
  // Nothing but the answer where standard error is no terminal.
  EXPECT_THAT(image({"pull", server.authority() + "/team/hello:2", "--json"}).err, IsEmpty());
}

}  // namespace
}  // namespace fusebox::image_tools
