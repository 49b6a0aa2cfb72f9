// What a registry may do to us: every way to be wrong, slow, clever or malicious.
#include "image/registry/transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "base/files.h"
#include "image/oci/layout_test_support.h"
#include "image/registry/limits.h"
#include "support/http_test_server.h"

namespace fusebox::image::registry {
namespace {

using namespace image::testing;
using fusebox::testing::HttpTestServer;
using fusebox::testing::response;
using fusebox::testing::SeenRequest;
using fusebox::testing::TestConnection;
using ::testing::HasSubstr;

// Every name is this machine.
class LoopbackResolver final : public http::Resolver {
 public:
  base::Result<std::vector<http::IpAddress>> resolve(const std::string&, base::Nanos, const http::StopCheck&) override {
    return std::vector{*http::IpAddress::parse("127.0.0.1")};
  }
};

class RegistryPull : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-pull");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    ImageStoreOptions options;
    options.root = folder_->path() / "images";
    auto store = ImageStore::create(options);
    ASSERT_TRUE(store);
    store_ = std::move(*store);
    filler_.assign(200'000, '\0');
    base::SeededRandom random(5);
    random.fill(std::as_writable_bytes(std::span(filler_)));
    layer_ = tar_of({{"app.wasm", std::string(kModule)}, {"filler", filler_}});
    config_ = config_json({layer_});
    manifest_ = manifest_json(descriptor_json(oci::kOciConfig, config_), {descriptor_json(oci::kTarLayer, layer_)});
    server_ = std::make_unique<HttpTestServer>(
        [this](const SeenRequest& request, TestConnection& connection) { return answer(request, connection); });
  }
  void TearDown() override { server_.reset(); }

  // The registry: a test puts its own words in front.
  bool answer(const SeenRequest& request, TestConnection& connection) {
    if (special_) {
      if (auto said = special_(request)) return connection.write(*said) && !hang_up_;
    }
    return connection.write(usual(request));
  }
  std::string usual(const SeenRequest& request) const {
    if (request.target == "/v2/team/hello/manifests/1" ||
        request.target == "/v2/team/hello/manifests/" + digest_of(manifest_))
      return response(200, "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n", manifest_);
    if (request.target == blob_path(config_)) return response(200, "", config_);
    if (request.target != blob_path(layer_)) return response(404, "", R"({"errors":[{"code":"BLOB_UNKNOWN"}]})");
    const std::string range = request.header("range");
    if (range.empty()) return response(200, "", layer_);
    const std::size_t from = std::stoul(range.substr(6));
    return response(206,
                    "Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(layer_.size() - 1) + "/" +
                        std::to_string(layer_.size()) + "\r\n",
                    layer_.substr(from));
  }
  static std::string blob_path(const std::string& blob) { return "/v2/team/hello/blobs/" + digest_of(blob); }
  std::string pull(std::string_view more = ":1") {
    const auto remote =
        parse_remote("http://registry.test:" + std::to_string(server_->port()) + "/team/hello" + std::string(more));
    if (!remote) return remote.error().message;
    TransferOptions options;
    options.session.credentials = credentials_;
    const auto entry = Registry(client_, resolver_).pull(*remote, *store_, {"hello", "1"}, options);
    if (!entry) return entry.error().name + ": " + entry.error().message;
    const auto image = store_->open(*entry, {});
    return image ? "pulled" : image.error().message;
  }
  std::string host() const { return "registry.test:" + std::to_string(server_->port()); }

  std::optional<base::TempDir> folder_;
  std::unique_ptr<ImageStore> store_;
  std::string filler_, layer_, config_, manifest_;
  std::function<std::optional<std::string>(const SeenRequest&)> special_;
  std::atomic<bool> hang_up_ = false;
  LoopbackResolver resolver_;
  http::Client client_;
  std::optional<Credentials> credentials_;
  std::unique_ptr<HttpTestServer> server_;
};

TEST_F(RegistryPull, ByTagAndByDigest) {
  EXPECT_EQ(pull(), "pulled");
  EXPECT_EQ(pull("@" + digest_of(manifest_)), "pulled");
}

TEST_F(RegistryPull, AnotherManifestThanTheDigestSaysIsRefused) {
  const std::string digest = digest_of("something else");
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (!request.target.ends_with(digest)) return std::nullopt;
    return response(200, "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n", manifest_);
  };
  EXPECT_THAT(pull("@" + digest), HasSubstr("INTEGRITY: "));
  special_ = [&](const SeenRequest&) {
    return response(
        200, "Docker-Content-Digest: " + digest + "\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n",
        manifest_);
  };
  EXPECT_EQ(pull(), "INTEGRITY: " + host() + "/team/hello:1: the manifest is not what its digest " + digest + " says");
}

TEST_F(RegistryPull, BlobsOfOtherContentNeverReachTheStore) {
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target != blob_path(layer_)) return std::nullopt;
    std::string other = layer_;
    other[600] = '!';
    return response(200, "", other);
  };
  EXPECT_EQ(pull(), "INTEGRITY: blob " + digest_of(layer_) + " has other content than its digest says");
  EXPECT_FALSE(store_->blobs().has(*oci::Digest::parse(digest_of(layer_)), layer_.size()));
  EXPECT_TRUE(store_->list()->empty());
  special_ = nullptr;
  EXPECT_EQ(pull(), "pulled");
}

TEST_F(RegistryPull, BlobsLongerThanPromisedAreCutOff) {
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target != blob_path(layer_)) return std::nullopt;
    hang_up_ = true;
    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + layer_ + "more";
  };
  EXPECT_THAT(pull(), ::testing::AnyOf(HasSubstr("INTEGRITY"), HasSubstr("TOO_LARGE")));
}

TEST_F(RegistryPull, ALineThatKeepsBreakingIsPickedUpEachTime) {
  std::atomic<int> asked = 0;
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target != blob_path(layer_)) return std::nullopt;
    ++asked;
    const std::string whole = usual(request);
    const std::size_t head = whole.find("\r\n\r\n") + 4;
    hang_up_ = whole.size() - head > 50'000;
    return whole.substr(0, head + std::min<std::size_t>(50'000, whole.size() - head));
  };
  EXPECT_EQ(pull(), "pulled");
  EXPECT_GE(asked, 4);
}

TEST_F(RegistryPull, ALineThatGivesNothingIsGivenUp) {
  std::atomic<int> asked = 0;
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target != blob_path(layer_)) return std::nullopt;
    ++asked;
    hang_up_ = true;
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(layer_.size()) + "\r\n\r\n";
  };
  EXPECT_THAT(pull(), HasSubstr("NETWORK: "));
  EXPECT_EQ(asked, kAttemptsMax);
}

TEST_F(RegistryPull, ARegistryThatIgnoresRangesIsReadFromTheStart) {
  const auto digest = *oci::Digest::parse(digest_of(layer_));
  std::ofstream(store_->blobs().partial_path(digest), std::ios::binary) << layer_.substr(0, 1000);
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target != blob_path(layer_)) return std::nullopt;
    EXPECT_EQ(request.header("range"), "bytes=1000-");
    return response(200, "", layer_);
  };
  EXPECT_EQ(pull(), "pulled");
}

TEST_F(RegistryPull, APartFromTheWrongPlaceIsNotTaken) {
  const auto digest = *oci::Digest::parse(digest_of(layer_));
  std::ofstream(store_->blobs().partial_path(digest), std::ios::binary) << layer_.substr(0, 1000);
  std::atomic<int> asked = 0;
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target != blob_path(layer_) || ++asked > 1) return std::nullopt;
    return response(206, "Content-Range: bytes 0-" + std::to_string(layer_.size() - 1) + "/*\r\n", layer_);
  };
  EXPECT_EQ(pull(), "pulled");
}

TEST_F(RegistryPull, DocumentsAreBounded) {
  special_ = [&](const SeenRequest&) {
    return response(200, "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n",
                    std::string(kDocumentBytesMax + 1, ' '));
  };
  EXPECT_THAT(pull(), HasSubstr("TOO_LARGE: "));
}

TEST_F(RegistryPull, APlatformIsChosenFromAnIndex) {
  const std::string index =
      index_json({descriptor_json(oci::kOciManifest, "not for us", for_platform("linux", "amd64")),
                  descriptor_json(oci::kOciManifest, manifest_, for_platform("wasi", "wasm"))});
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (!request.target.ends_with("/manifests/1")) return std::nullopt;
    return response(200, "Content-Type: application/vnd.oci.image.index.v1+json\r\n", index);
  };
  EXPECT_EQ(pull(), "pulled");
}

TEST_F(RegistryPull, ATokenIsFetchedFromWhereTheRegistrySays) {
  credentials_ = Credentials{"joe", "secret"};
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target.starts_with("/token")) {
      EXPECT_EQ(request.target, "/token?service=shelf&scope=repository%3Ateam%2Fhello%3Apull");
      EXPECT_EQ(request.header("authorization"), "Basic am9lOnNlY3JldA==");
      return response(200, "", R"({"token":"opensesame"})");
    }
    if (request.header("authorization") == "Bearer opensesame") return std::nullopt;
    return response(401,
                    "WWW-Authenticate: Bearer realm=\"http://auth.test:" + std::to_string(server_->port()) +
                        "/token\",service=\"shelf\"\r\n",
                    "");
  };
  EXPECT_EQ(pull(), "pulled");
}

TEST_F(RegistryPull, WithoutAUsableTokenItIsDenied) {
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target.starts_with("/token")) return response(200, "", R"({"token":7})");
    return response(401, "WWW-Authenticate: Bearer realm=\"/token\"\r\n", "");
  };
  EXPECT_EQ(pull(), "BAD_RESPONSE: " + host() + ": its token server sent no token");
  special_ = [&](const SeenRequest&) { return response(401, "WWW-Authenticate: Negotiate\r\n", ""); };
  EXPECT_EQ(pull(), ": " + host() + "/team/hello:1: the registry answers 401; give --username and --password-stdin");
}

TEST_F(RegistryPull, CredentialsDoNotFollowRedirects) {
  credentials_ = Credentials{"joe", "secret"};
  std::atomic<bool> leaked = false;
  special_ = [&](const SeenRequest& request) -> std::optional<std::string> {
    if (request.target.starts_with("/storage/")) {
      leaked = leaked || !request.header("authorization").empty();
      return response(200, "", layer_);
    }
    if (request.header("authorization").empty()) return response(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
    if (request.target == blob_path(layer_))
      return response(307, "Location: http://storage.test:" + std::to_string(server_->port()) + "/storage/layer\r\n",
                      "");
    return std::nullopt;
  };
  EXPECT_EQ(pull(), "pulled");
  EXPECT_FALSE(leaked);
}

TEST_F(RegistryPull, RedirectsEnd) {
  std::atomic<int> asked = 0;
  special_ = [&](const SeenRequest&) {
    ++asked;
    return response(302, "Location: /v2/again\r\n", "");
  };
  EXPECT_EQ(pull(), "BAD_RESPONSE: " + host() + ": more than 5 redirects");
  EXPECT_EQ(asked, kRedirectsMax + 1);
}

TEST_F(RegistryPull, TheRegistrysWordsAreQuoted) {
  special_ = [&](const SeenRequest&) {
    return response(403, "", R"({"errors":[{"code":"DENIED","message":"no\nentry"}]})");
  };
  EXPECT_EQ(pull(), ": " + host() + R"(/team/hello:1: the registry answers 403: "no\nentry")");
  special_ = [&](const SeenRequest&) { return response(500, "", "<html>"); };
  EXPECT_EQ(pull(), ": " + host() + "/team/hello:1: the registry answers 500");
}

TEST(Credentials, AreReadFromAFileOfDocker) {
  const auto folder = base::TempDir::create();
  const auto file = folder->path() / "config.json";
  EXPECT_FALSE(*read_credentials(file, "registry.test"));
  std::ofstream(file) << R"({"auths":{"registry.test":{"auth":"am9lOnNlOmNyZXQ="},"https://other.test":{"auth":"YTpi"},
                             "broken.test":{"auth":"!"},"helper.test":{}}})";
  const auto joe = read_credentials(file, "registry.test");
  ASSERT_TRUE(joe && *joe);
  EXPECT_EQ((*joe)->user, "joe");
  EXPECT_EQ((*joe)->password, "se:cret");
  EXPECT_EQ((**read_credentials(file, "other.test")).user, "a");
  EXPECT_FALSE(*read_credentials(file, "helper.test"));
  EXPECT_FALSE(*read_credentials(file, "unknown.test"));
  EXPECT_FALSE(read_credentials(file, "broken.test"));
}

}  // namespace
}  // namespace fusebox::image::registry
