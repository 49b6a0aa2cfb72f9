// Writers that die at any point, and writers at the same time: nothing half-written is ever visible, and nothing that
// was committed is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "base/files.h"
#include "image/oci/layout_test_support.h"
#include "image/store/image_store.h"
#include "image/store/registry_folder.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;
using namespace testing;
using ::testing::IsEmpty;

constexpr int kKills = 40;
constexpr int kWriters = 4;
constexpr int kImagesPerWriter = 6;

// An image of a size that takes a while to write, told apart by `mark`.
std::string image_of(int mark) {
  std::string filler(300'000, '\0');
  base::SeededRandom random(static_cast<std::uint64_t>(mark));
  random.fill(std::as_writable_bytes(std::span(filler)));
  return gzip_of(tar_of({{"app.wasm", std::string(kModule)}, {"mark", std::to_string(mark)}, {"filler", filler}}));
}

bool add(ImageStore& store, int mark) {
  const auto package = oci::load_package(layer_bytes(image_of(mark)), {});
  return package && store.add(*package, {"app" + std::to_string(mark), "1"});
}

class StoreCrash : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-crash");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  std::unique_ptr<ImageStore> store() {
    ImageStoreOptions options;
    options.root = folder_->path() / "images";
    auto store = ImageStore::create(options);
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
  }
  std::optional<base::TempDir> folder_;
};

// The child says each commit through a pipe, then dies somewhere in the next import.
TEST_F(StoreCrash, KilledImportersLoseNothingThatWasCommitted) {
  base::SeededRandom random(42);
  ASSERT_TRUE(add(*store(), 0));
  int committed = 1;
  for (int kill = 0; kill < kKills; ++kill) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto mine = store();
      for (int mark = committed;; ++mark) {
        if (!add(*mine, mark)) _exit(1);
        const char done = 1;
        if (::write(told[1], &done, 1) != 1) _exit(1);
      }
    }
    ::close(told[1]);
    ::usleep(static_cast<useconds_t>(random.below(25'000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    char done = 0;
    while (::read(told[0], &done, 1) == 1) ++committed;
    ::close(told[0]);

    const auto after = store();
    EXPECT_TRUE(fs::is_empty(folder_->path() / "images" / "tmp"));
    const auto entries = after->list();
    ASSERT_TRUE(entries) << entries.error().message;
    // The last one may have been committed without having been told.
    ASSERT_GE(entries->size(), static_cast<std::size_t>(committed));
    ASSERT_LE(entries->size(), static_cast<std::size_t>(committed) + 1);
    committed = static_cast<int>(entries->size());
  }
  const auto after = store();
  const auto check = after->verify();
  ASSERT_TRUE(check);
  EXPECT_THAT(check->findings, IsEmpty());
  const auto entries = after->list();
  for (const Entry& entry : *entries) EXPECT_TRUE(after->open(entry, {})) << entry.name;
  ASSERT_TRUE(after->collect());
  // Layer, unpacked layer, configuration and manifest of each, and nothing else.
  std::size_t blobs = 0;
  for ([[maybe_unused]] const auto& file : fs::directory_iterator(folder_->path() / "images/blobs/sha256")) ++blobs;
  EXPECT_EQ(blobs, entries->size() * 3);
  EXPECT_THAT(after->verify()->findings, IsEmpty());
}

TEST_F(StoreCrash, WritersInSeveralProcessesAllSucceed) {
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto mine = store();
      for (int i = 0; i < kImagesPerWriter; ++i)
        // Half of the images are of all writers, the others of one.
        if (!add(*mine, i % 2 == 0 ? i : 100 * (writer + 1) + i)) _exit(1);
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const auto after = store();
  EXPECT_EQ(after->list()->size(), 3u + kWriters * 3u);
  EXPECT_THAT(after->verify()->findings, IsEmpty());
}

TEST_F(StoreCrash, KilledInstallsOfARegistryLeaveTheOldImage) {
  RegistryFolderOptions options;
  options.root = folder_->path() / "registry";
  const base::RealClock clock;
  base::SeededRandom random(7);
  const auto install = [&](int mark) {
    RegistryFolder registry(options, clock);
    auto incoming = registry.install({"app", "1"});
    return incoming && (*incoming)->write(base::as_bytes(image_of(mark))) && (*incoming)->commit();
  };
  ASSERT_TRUE(install(0));
  for (int kill = 0; kill < kKills; ++kill) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int mark = kill;; ++mark) install(mark);
    }
    ::usleep(static_cast<useconds_t>(random.below(25'000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    RegistryFolder registry(options, clock);
    const auto entry = registry.find({"app", ""});
    ASSERT_TRUE(entry);
    EXPECT_TRUE(registry.open(*entry, {}));
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& file : fs::directory_iterator(options.root)) ++files;
    EXPECT_EQ(files, 1u);
  }
}

}  // namespace
}  // namespace fusebox::image
