#include "base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <thread>

namespace fusebox::base {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::StartsWith;

constexpr std::size_t kMax = 1u << 20;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}
bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

class FilesTest : public testing::Test {
 protected:
  fs::path in(std::string_view name) const { return folder_.path() / name; }
  TempDir folder_ = TempDir::create("files-test").value();
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
      out = Fd::adopt(ends[0]);
      in = Fd::adopt(ends[1]);
    }
  }
  Fd out;
  Fd in;
};

TEST_F(FilesTest, ReadsBackWhatWasWritten) {
  const std::string text("a\0b\n", 4);
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes(text)));
  EXPECT_EQ(read_file(in("x"), kMax).value(), text);
  ASSERT_TRUE(write_file_atomic(in("x"), {}));
  EXPECT_EQ(read_file(in("x"), kMax).value(), "");
  EXPECT_EQ(entries(folder_.path()), 1u);
}

TEST_F(FilesTest, ReadStopsExactlyAtTheLimit) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{65536}, std::size_t{200'000}}) {
    SCOPED_TRACE(size);
    ASSERT_TRUE(write_file_atomic(in("x"), as_bytes(std::string(size, 'x'))));
    EXPECT_EQ(read_file(in("x"), size).value().size(), size);
    EXPECT_EQ(read_file(in("x"), std::numeric_limits<std::size_t>::max()).value().size(), size);
    const auto refused = read_file(in("x"), size - 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted);
    EXPECT_EQ(refused.error().message, "read " + in("x").string() + ": there are more than " +
                                           std::to_string(size - 1) + " bytes, the most allowed here");
  }
}

TEST_F(FilesTest, ReadNamesStepAndPath) {
  const auto missing = read_file(in("none"), kMax);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_EQ(missing.error().message, "read " + in("none").string() + ": No such file or directory");
  const auto folder = read_file(folder_.path(), kMax);
  EXPECT_EQ(folder.error().code, Errc::io);
  EXPECT_EQ(folder.error().message, "read " + folder_.path().string() + ": Is a directory");
}

TEST_F(FilesTest, ReadsAPipeToItsEndThroughInterruptions) {
  struct sigaction quiet{};
  struct sigaction before{};
  quiet.sa_handler = [](int) {};  // no SA_RESTART: the read comes back with EINTR
  ASSERT_EQ(::sigaction(SIGUSR1, &quiet, &before), 0);
  Pipe pipe;
  const pthread_t reader = ::pthread_self();
  std::jthread writer([&] {
    for (int i = 0; i < 50; ++i) {
      ::pthread_kill(reader, SIGUSR1);
      EXPECT_TRUE(write_all(pipe.in.get(), as_bytes(std::string(4000, 'x'))));
    }
    pipe.in = Fd();
  });
  EXPECT_EQ(read_fd(pipe.out.get(), kMax).value(), std::string(200'000, 'x'));
  writer.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(FilesTest, ReadFdReportsABadDescriptor) {
  EXPECT_EQ(read_fd(-1, kMax).error().message, "read: Bad file descriptor");
  EXPECT_EQ(write_all(-1, as_bytes("x")).error().message, "write: Bad file descriptor");
}

TEST_F(FilesTest, FullDeviceIsExhausted) {
  const Fd full = Fd::adopt(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full) GTEST_SKIP() << "no /dev/full here";
  const auto refused = write_all(full.get(), as_bytes("x"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
  EXPECT_EQ(refused.error().message, "write: No space left on device");
}

TEST_F(FilesTest, ReplacesContentAndSetsTheMode) {
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes("old"), 0644));
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes("new")));
  EXPECT_EQ(read_file(in("x"), kMax).value(), "new");
  struct stat about{};
  ASSERT_EQ(::stat(in("x").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes("new"), 0644));
  ASSERT_EQ(::stat(in("x").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0644u);
}

TEST_F(FilesTest, AReaderOfTheOldFileKeepsIt) {
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes("old")));
  const Fd old = Fd::adopt(::open(in("x").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes("new and longer")));
  EXPECT_EQ(read_fd(old.get(), kMax).value(), "old");
}

TEST_F(FilesTest, WriteIntoAMissingFolderIsNotFound) {
  const auto refused = write_file_atomic(in("no/x"), as_bytes("x"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_EQ(refused.error().message, "write " + in("no/x").string() + ": No such file or directory");
}

TEST_F(FilesTest, LeavesNothingBehindWhenTheRenameFails) {
  fs::create_directory(in("x"));  // a folder cannot be replaced by a file
  const auto refused = write_file_atomic(in("x"), as_bytes("x"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, StartsWith("write " + in("x").string() + ": "));
  EXPECT_EQ(entries(folder_.path()), 1u);
}

TEST_F(FilesTest, LeavesNothingBehindWhenTheWriteFails) {
  ASSERT_TRUE(write_file_atomic(in("x"), as_bytes("old")));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = write_file_atomic(in("x"), as_bytes(std::string(1001, 'x')));
  const auto fits = write_file_atomic(in("y"), as_bytes(std::string(1000, 'x')));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
  EXPECT_EQ(refused.error().message, "write " + in("x").string() + ": File too large");
  EXPECT_TRUE(fits);
  EXPECT_EQ(read_file(in("x"), kMax).value(), "old");
  EXPECT_EQ(entries(folder_.path()), 2u);
}

TEST_F(FilesTest, WritesBesideANameOfFullLength) {
  const std::string name(255, 'n');
  ASSERT_TRUE(write_file_atomic(in(name), as_bytes("x")));
  EXPECT_EQ(read_file(in(name), kMax).value(), "x");
}

TEST(Fd, ClosesOnceAndMoves) {
  Pipe pipe;
  const int raw = pipe.out.get();
  {
    Fd moved = std::move(pipe.out);
    EXPECT_FALSE(pipe.out);
    EXPECT_TRUE(is_open(raw));
    Fd& same = moved;
    moved = std::move(same);
    EXPECT_EQ(moved.get(), raw);
  }
  EXPECT_FALSE(is_open(raw));
  const int in = pipe.in.get();
  pipe.in = Fd();
  EXPECT_FALSE(is_open(in));
}

TEST(Fd, ReleaseGivesItAway) {
  Pipe pipe;
  const int raw = pipe.out.release();
  EXPECT_FALSE(pipe.out);
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
}

TEST(TempDir, GoesWithAllItHolds) {
  fs::path path;
  {
    TempDir folder = TempDir::create("fusebox-test").value();
    path = folder.path();
    EXPECT_THAT(path.filename().string(), StartsWith("fusebox-test-"));
    fs::create_directories(path / "a/b");
    ASSERT_TRUE(write_file_atomic(path / "a/b/x", as_bytes("x")));
    TempDir moved = std::move(folder);
    EXPECT_EQ(moved.path(), path);
    EXPECT_EQ(folder.path(), "");
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, AssignmentRemovesTheOldOne) {
  TempDir a = TempDir::create().value();
  const fs::path old = a.path();
  a = TempDir::create().value();
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(a.path()));
}

TEST(TempDir, RefusesAPrefixThatIsAPath) {
  const auto refused = TempDir::create("a/b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid);
  EXPECT_EQ(refused.error().message, "temporary folder prefix \"a/b\" contains a /");
}

// Sets an environment variable for one scope.
class ScopedEnv {
 public:
  ScopedEnv(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name); before != nullptr) before_ = before;
    ::setenv(name, value, 1);
  }
  ~ScopedEnv() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(UserDirs, FollowTheXdgRules) {
  const ScopedEnv home("HOME", "/home/somebody");
  {
    const ScopedEnv cache("XDG_CACHE_HOME", "/var/cache/somebody");
    const ScopedEnv data("XDG_DATA_HOME", "/var/data/somebody");
    EXPECT_EQ(user_cache_dir(), "/var/cache/somebody/fusebox");
    EXPECT_EQ(user_data_dir(), "/var/data/somebody/fusebox");
  }
  const ScopedEnv cache("XDG_CACHE_HOME", "relative");
  const ScopedEnv data("XDG_DATA_HOME", "");
  EXPECT_EQ(user_cache_dir(), "/home/somebody/.cache/fusebox");
  EXPECT_EQ(user_data_dir(), "/home/somebody/.local/share/fusebox");
}

TEST(UserDirs, WithoutHomeTheUserDatabaseDecides) {
  const ScopedEnv home("HOME", "");
  const ScopedEnv cache("XDG_CACHE_HOME", "");
  EXPECT_THAT(user_cache_dir().string(), EndsWith("/.cache/fusebox"));
}

}  // namespace
}  // namespace fusebox::base
