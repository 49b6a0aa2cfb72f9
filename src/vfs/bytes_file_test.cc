#include "vfs/bytes_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mapped_file.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using testing::error_of;
using testing::Guest;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBytes = 2 * base::MappedFile::kCopyBytesMax;

// The file of an image that its own user makes shorter while a guest reads it.
TEST(BytesFile, WhatItsMappedFileLostIsAnErrorToTheReaderAndNothingElse) {
  const auto folder = base::TempDir::create("fusebox-bytes");
  const std::filesystem::path path = folder->path() / "blob";
  ASSERT_TRUE(base::write_file_atomic(path, base::as_bytes(std::string(kBytes, 'x')), 0600).has_value());
  const base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  const auto mapped = *base::MappedFile::map(fd.get(), kBytes);
  BytesFile file(mapped, mapped->bytes(), {.type = FileType::regular, .size = kBytes}, FdFlags{0});
  Guest guest;
  EXPECT_EQ(guest.read(file, kPage), std::string(kPage, 'x'));

  ASSERT_EQ(::ftruncate(fd.get(), 2 * kPage), 0);
  EXPECT_EQ(guest.read(file, kPage), std::string(kPage, 'x')) << "this page is still there";
  EXPECT_EQ(error_of(guest.read(file, kPage)), Errno::io);
  EXPECT_EQ(error_of(guest.read(file, kPage)), Errno::io) << "and again: the cursor has not moved";
  std::string text(kPage, '\0');
  const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(text))};
  EXPECT_EQ(error_of(file.read_at(guest.fresh(), into, kBytes - 1)), Errno::io);
  EXPECT_EQ(*file.read_at(guest.fresh(), into, 0), kPage);
  EXPECT_EQ(*file.seek(0, Whence::set), 0u);
  EXPECT_EQ(guest.read(file, 2 * kPage), std::string(2 * kPage, 'x'));
}

}  // namespace
}  // namespace fusebox::vfs
