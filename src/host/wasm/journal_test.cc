#include "host/wasm/journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/files.h"

namespace fusebox::host {
namespace {

// While it lives, no file grows beyond `bytes`: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(std::uint64_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  void (*signal_)(int);
  rlimit before_{};
};

KeptEnvironment named(std::string id) {
  KeptEnvironment one;
  one.id = std::move(id);
  one.spec.image = "hello";
  return one;
}

TEST(Journal, WhatIsWrittenAfterAFullDiskIsThereAfterTheNextStart) {
  const auto folder = base::TempDir::create();
  ASSERT_TRUE(folder);
  KeptState none;
  auto journal = Journal::open(folder->path(), none);
  ASSERT_TRUE(journal) << journal.error().message;
  ASSERT_TRUE((*journal)->put(named("before")));
  {
    const FullDisk full(std::filesystem::file_size(folder->path() / "journal") + 10);
    EXPECT_FALSE((*journal)->put(named("refused")));
    EXPECT_FALSE((*journal)->put(named("again")));
  }
  ASSERT_TRUE((*journal)->put(named("after")));
  journal->reset();
  KeptState kept;
  ASSERT_TRUE(Journal::open(folder->path(), kept));
  EXPECT_EQ(kept.environments.size(), 2u);
  EXPECT_TRUE(kept.environments.contains("before"));
  EXPECT_TRUE(kept.environments.contains("after"));
}

}  // namespace
}  // namespace fusebox::host
