#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "image/archive.h"

namespace fusebox::image {
namespace {

class PrivateFileTest : public ::testing::Test {
 protected:
  std::filesystem::path write(std::string_view text) {
    const auto path = folder_->path() / "image.wapp";
    EXPECT_TRUE(base::write_file_atomic(path, base::as_bytes(text)));
    return path;
  }
  base::Result<base::TempDir> folder_ = base::TempDir::create();
};

TEST_F(PrivateFileTest, HasTheBytesAndTheirDigest) {
  for (const std::size_t size : {0u, 1u, 4096u, 1'000'000u}) {
    const std::string text(size, 'x');
    const auto file = read_private(write(text), size);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(base::as_text(file->content.bytes), text);
    EXPECT_EQ(file->digest, base::sha256(base::as_bytes(text)));
  }
}

TEST_F(PrivateFileTest, OverwritingTruncatingAndRemovingHaveNoEffect) {
  const std::string text(3 * 4096, 'a');
  const auto path = write(text);
  const auto file = read_private(path, 1 << 20);
  ASSERT_TRUE(file);
  const base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(fd.get(), "overwritten", 11, 0), 11);
  EXPECT_EQ(base::as_text(file->content.bytes), text);
  ASSERT_EQ(::ftruncate(fd.get(), 1), 0);
  EXPECT_EQ(base::as_text(file->content.bytes), text) << "a mapping of the file would be SIGBUS here";
  std::filesystem::remove(path);
  EXPECT_EQ(base::as_text(file->content.bytes), text);
}

TEST_F(PrivateFileTest, KeepsItsBound) {
  const auto path = write("12345");
  EXPECT_TRUE(read_private(path, 5));
  const auto file = read_private(path, 4);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, base::Errc::exhausted);
  EXPECT_EQ(file.error().name, "BAD_IMAGE");
  EXPECT_EQ(file.error().message, path.string() + ": 5 bytes, an image may have 4");
}

TEST_F(PrivateFileTest, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  const auto pipe = folder_->path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& path : {pipe, folder_->path(), std::filesystem::path("/dev/zero")}) {
    const auto file = read_private(path, 100);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().code, base::Errc::invalid);
    EXPECT_EQ(file.error().message, path.string() + ": not a regular file");
  }
  const auto none = read_private(folder_->path() / "none", 100);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Errc::not_found);
}

// Files of sysfs claim a page and give a line: they are shorter than they said, as a file that is truncated meanwhile.
TEST_F(PrivateFileTest, AFileThatIsShorterThanItSaidIsRefused) {
  const std::filesystem::path path = "/sys/kernel/profiling";
  std::error_code error;
  if (std::filesystem::file_size(path, error) != 4096 || error) GTEST_SKIP() << "no sysfs here";
  const auto file = read_private(path, 1 << 20);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, base::Errc::invalid);
  EXPECT_EQ(file.error().name, "BAD_IMAGE");
  EXPECT_EQ(file.error().message, path.string() + ": the file became shorter while it was read");
}

class Memfd {
 public:
  explicit Memfd(std::string_view text)
      : fd_(base::Fd::adopt(::memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING))) {
    EXPECT_TRUE(base::write_all(fd_.get(), base::as_bytes(text)));
  }
  int get() const { return fd_.get(); }
  void seal(int seals) { EXPECT_EQ(::fcntl(fd_.get(), F_ADD_SEALS, seals), 0); }

 private:
  base::Fd fd_;
};

TEST(PrivateFd, ASealedFileIsMappedAndStaysWhenTheDescriptorGoes) {
  const std::string text(10'000, 's');
  base::Result<PrivateFile> file;
  {
    Memfd memfd(text);
    memfd.seal(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
    file = read_private_fd(memfd.get(), "image", 10'000);
    ASSERT_TRUE(file);
  }
  EXPECT_EQ(base::as_text(file->content.bytes), text);
  EXPECT_EQ(file->digest, base::sha256(base::as_bytes(text)));
}

TEST(PrivateFd, AFileThatIsNotSealedAgainstBothIsCopied) {
  const std::string text(10'000, 's');
  Memfd shrinks(text);
  shrinks.seal(F_SEAL_WRITE);
  const auto first = read_private_fd(shrinks.get(), "image", 10'000);
  ASSERT_TRUE(first);
  ASSERT_EQ(::ftruncate(shrinks.get(), 0), 0);
  EXPECT_EQ(base::as_text(first->content.bytes), text);

  Memfd writable(text);
  writable.seal(F_SEAL_SHRINK);
  const auto second = read_private_fd(writable.get(), "image", 10'000);
  ASSERT_TRUE(second);
  ASSERT_EQ(::pwrite(writable.get(), "x", 1, 0), 1);
  EXPECT_EQ(base::as_text(second->content.bytes), text);
}

}  // namespace
}  // namespace fusebox::image
