// Pull and push against the packaged registry server.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "base/clock.h"
#include "image/oci/layout_test_support.h"
#include "image/registry/limits.h"
#include "image/registry/transfer.h"
#include "image_tools/tools.h"

namespace fusebox::image_tools {
namespace {

namespace fs = std::filesystem;
namespace registry = image::registry;
using ::testing::HasSubstr;

class RegistryServer : public Workshop {
 protected:
  void SetUp() override {
    Workshop::SetUp();
    start();
  }
  void start(std::string_view auth = {}) {
    server_.reset();
    server_.emplace(folder_->path(), auth);
    ASSERT_TRUE(server_->ready()) << *base::read_file(at("registry.log"), 1 << 20);
  }
  registry::RemoteReference remote(const std::string& rest) const {
    return *registry::parse_remote(server_->authority() + "/" + rest);
  }
  registry::TransferOptions options() {
    registry::TransferOptions out;
    out.session.credentials = credentials_;
    out.progress = [this](const registry::Progress& progress) { seen_.push_back(progress); };
    return out;
  }
  base::Result<image::Entry> pull(const std::string& rest, const std::string& name) {
    return registry_.pull(remote(rest), *store_, {name, "1"}, options());
  }
  // An image with a layer of that many bytes that do not compress.
  image::Entry make_large(const std::string& name, std::size_t bytes) {
    std::string filler(bytes, '\0');
    base::SeededRandom random(bytes);
    random.fill(std::as_writable_bytes(std::span(filler)));
    write(name + ".tar", image::testing::tar_of({{"app.wasm", std::string(kModule)}, {"filler", filler}}));
    return import("tar:" + at(name + ".tar"), name);
  }
  void forget_everything() {
    const auto entries = store_->list();
    for (const image::Entry& entry : *entries) ASSERT_TRUE(store_->remove(entry));
    ASSERT_TRUE(store_->collect());
  }

  base::RealClock clock_;
  http::SystemResolver resolver_{clock_};
  http::Client client_;
  registry::Registry registry_{client_, resolver_};
  std::optional<LocalRegistry> server_;
  std::optional<registry::Credentials> credentials_;
  std::vector<registry::Progress> seen_;
};

TEST_F(RegistryServer, WhatSkopeoPushedIsPulledWithTheSameDigests) {
  make_with_umoci("layout");
  skopeo_copy("oci:layout:1", "docker://" + server_->authority() + "/team/hello:1", {"--dest-tls-verify=false"});
  const image::Entry direct = import("oci:" + at("layout") + ":1", "direct");
  forget_everything();
  const auto entry = pull("team/hello:1", "hello");
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->digest, direct.digest);
  EXPECT_EQ(file_of(*entry, "/etc/motd"), "changed");
  EXPECT_THAT(store_->verify()->findings, ::testing::IsEmpty());
}

TEST_F(RegistryServer, DockerManifestsArePulledToo) {
  make_with_umoci("layout");
  skopeo_copy("oci:layout:1", "docker://" + server_->authority() + "/team/hello:1",
              {"--dest-tls-verify=false", "--format", "v2s2"});
  const auto entry = pull("team/hello:1", "hello");
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(package_of(*entry).document.media_type, image::oci::kDockerManifest);
  EXPECT_EQ(file_of(*entry, "/app.wasm"), kModule);
}

TEST_F(RegistryServer, WhatWasPushedIsReadBySkopeoAndPulledAgain) {
  make_with_umoci("layout");
  const image::Entry entry = import("oci:" + at("layout") + ":1", "hello");
  const auto digest = registry_.push(package_of(entry), remote("ours/hello:2"), options());
  ASSERT_TRUE(digest) << digest.error().message;
  EXPECT_EQ(digest->hex, entry.digest.hex());
  EXPECT_THAT(run({"skopeo", "--insecure-policy", "inspect", "--tls-verify=false",
                   "docker://" + server_->authority() + "/ours/hello:2"}),
              HasSubstr(digest->text()));
  forget_everything();
  const auto by_digest = pull("ours/hello@" + digest->text(), "again");
  ASSERT_TRUE(by_digest) << by_digest.error().message;
  EXPECT_EQ(by_digest->digest, entry.digest);
}

TEST_F(RegistryServer, ArtifactsTravelToo) {
  const image::Entry entry = import("wasm:" + at("app.wasm"), "module");
  ASSERT_TRUE(registry_.push(package_of(entry), remote("module:1"), options()));
  forget_everything();
  const auto pulled = pull("module:1", "module");
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->digest, entry.digest);
  EXPECT_EQ(file_of(*pulled, "/app.wasm"), kModule);
}

TEST_F(RegistryServer, LargeLayersGoInChunksAndComeBackWithProgress) {
  const std::size_t bytes = registry::kChunkBytes * 2 + 12'345;
  const image::Entry entry = make_large("large", bytes);
  const auto pushed = registry_.push(package_of(entry), remote("large:1"), options());
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_GT(seen_.size(), 3u);
  seen_.clear();
  forget_everything();
  const auto pulled = pull("large:1", "large");
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->digest, entry.digest);
  ASSERT_GT(seen_.size(), 3u);
  for (std::size_t i = 1; i < seen_.size(); ++i) EXPECT_GE(seen_[i].done, seen_[i - 1].done);
  EXPECT_EQ(seen_.back().done, seen_.back().total);
}

TEST_F(RegistryServer, WhatIsThereAlreadyDoesNotMove) {
  const image::Entry entry = make_large("large", 100'000);
  ASSERT_TRUE(registry_.push(package_of(entry), remote("large:1"), options()));
  seen_.clear();
  ASSERT_TRUE(registry_.push(package_of(entry), remote("large:2"), options()));
  ASSERT_FALSE(seen_.empty());
  for (const auto& progress : seen_) EXPECT_TRUE(progress.there_already);
  seen_.clear();
  ASSERT_TRUE(pull("large:1", "again"));
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_TRUE(seen_.front().there_already);
}

TEST_F(RegistryServer, ABrokenDownloadGoesOnWhereItStopped) {
  const image::Entry entry = make_large("large", 3'000'000);
  const auto package = package_of(entry);
  const image::oci::Blob layer = package.layers.front();
  ASSERT_TRUE(registry_.push(package, remote("large:1"), options()));
  const std::string bytes(base::as_text(layer.bytes.bytes));
  forget_everything();
  const fs::path partial = store_->blobs().partial_path(layer.descriptor.digest);
  std::ofstream(partial, std::ios::binary) << bytes.substr(0, 2'000'000);
  seen_.clear();
  const auto pulled = pull("large:1", "large");
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_GT(seen_.front().done, 2'000'000u);
  EXPECT_FALSE(fs::exists(partial));

  // What stands there may also be wrong: then it is refused once, thrown away, and the next pull is whole.
  forget_everything();
  std::ofstream(partial, std::ios::binary) << std::string(2'000'000, 'x');
  const auto wrong = pull("large:1", "large");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().name, "INTEGRITY");
  EXPECT_FALSE(fs::exists(partial));
  EXPECT_TRUE(pull("large:1", "large"));
}

TEST_F(RegistryServer, WhatIsNotThereIsNamed) {
  const auto missing = pull("nobody/home:1", "x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::not_found);
  EXPECT_EQ(missing.error().message,
            server_->authority() + "/nobody/home:1: the registry answers 404: \"manifest unknown\"");
}

TEST_F(RegistryServer, APasswordIsAskedForAndGiven) {
  run({"sh", "-c",
       "python3 -c \"import crypt; print('joe:' + crypt.crypt('secret', crypt.mksalt(crypt.METHOD_BLOWFISH, "
       "rounds=32)))\" > " +
           at("htpasswd")});
  start("auth: {htpasswd: {realm: fusebox, path: " + at("htpasswd") + "}}\n");
  const image::Entry entry = make_large("small", 1000);
  const auto package = package_of(entry);
  const auto refused = registry_.push(package, remote("small:1"), options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::denied);
  EXPECT_THAT(refused.error().message, HasSubstr("the registry answers 401"));
  EXPECT_THAT(refused.error().message, HasSubstr("give --username and --password-stdin"));
  credentials_ = registry::Credentials{"joe", "wrong"};
  EXPECT_EQ(registry_.push(package, remote("small:1"), options()).error().code, base::Errc::denied);
  credentials_ = registry::Credentials{"joe", "secret"};
  const auto pushed = registry_.push(package, remote("small:1"), options());
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_TRUE(pull("small:1", "small"));
}

}  // namespace
}  // namespace fusebox::image_tools
