#include "base/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/files.h"

namespace fusebox::base {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kLarge = MappedFile::kCopyBytesMax + 3 * kPage + 7;

// Reads every byte, as a copy would.
std::string text_of(ByteView bytes) {
  return std::string(as_text(bytes));
}

struct MappedFileTest : ::testing::Test {
  TempDir folder = *TempDir::create("fusebox-mapped");
  Fd file;
  std::shared_ptr<const MappedFile> map(std::size_t bytes) {
    const std::filesystem::path path = folder.path() / "file";
    const std::string text(bytes, 'x');
    EXPECT_TRUE(write_file_atomic(path, as_bytes(text), 0600).has_value());
    file = Fd::adopt(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    auto mapped = MappedFile::map(file.get(), bytes);
    EXPECT_TRUE(mapped.has_value());
    return *mapped;
  }
  void truncate(std::size_t bytes) const { ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0); }
};

TEST_F(MappedFileTest, ShowsTheFileOnBothSidesOfTheCopyBound) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, MappedFile::kCopyBytesMax, MappedFile::kCopyBytesMax + 1, kLarge}) {
    const auto mapped = map(bytes);
    EXPECT_EQ(text_of(mapped->bytes()), std::string(bytes, 'x')) << bytes;
    EXPECT_FALSE(MappedFile::lost(mapped->bytes())) << bytes;
  }
}

TEST_F(MappedFileTest, ASmallFileIsAsItWasWhateverBecomesOfIt) {
  const auto mapped = map(MappedFile::kCopyBytesMax);
  truncate(0);
  EXPECT_EQ(text_of(mapped->bytes()), std::string(MappedFile::kCopyBytesMax, 'x'));
  EXPECT_FALSE(MappedFile::lost(mapped->bytes()));
}

TEST_F(MappedFileTest, WhatIsTruncatedReadsAsZerosAndIsSaidToBeLost) {
  const auto mapped = map(kLarge);
  truncate(2 * kPage);
  const std::string text = text_of(mapped->bytes());
  EXPECT_EQ(text.substr(0, 2 * kPage), std::string(2 * kPage, 'x'));
  EXPECT_EQ(text.substr(2 * kPage), std::string(kLarge - 2 * kPage, '\0'));
  const ByteView all = mapped->bytes();
  EXPECT_TRUE(MappedFile::lost(all));
  EXPECT_TRUE(MappedFile::lost(all.subspan(2 * kPage, 1)));
  EXPECT_TRUE(MappedFile::lost(all.last(1)));
  EXPECT_TRUE(MappedFile::lost(all.subspan(2 * kPage - 1, 2)));
  EXPECT_FALSE(MappedFile::lost(all.first(2 * kPage)));
  EXPECT_FALSE(MappedFile::lost(all.subspan(2 * kPage, 0)));
}

TEST_F(MappedFileTest, AnotherMappingOfTheSameFileIsToldOnItsOwn) {
  const auto one = map(kLarge);
  const auto two = *MappedFile::map(file.get(), kLarge);
  truncate(0);
  EXPECT_EQ(text_of(two->bytes().last(1)), std::string(1, '\0'));
  EXPECT_TRUE(MappedFile::lost(two->bytes().last(1)));
  EXPECT_FALSE(MappedFile::lost(one->bytes())) << "nobody has read it yet";
  EXPECT_EQ(text_of(one->bytes().first(1)), std::string(1, '\0'));
  EXPECT_TRUE(MappedFile::lost(one->bytes().first(1)));
}

TEST_F(MappedFileTest, AnEarlierPageLostLaterCountsToo) {
  const auto mapped = map(kLarge);
  truncate(4 * kPage);
  EXPECT_EQ(text_of(mapped->bytes().subspan(5 * kPage, 1)), std::string(1, '\0'));
  EXPECT_FALSE(MappedFile::lost(mapped->bytes().first(kPage)));
  truncate(0);
  EXPECT_EQ(text_of(mapped->bytes().first(1)), std::string(1, '\0'));
  EXPECT_TRUE(MappedFile::lost(mapped->bytes().first(1)));
}

TEST_F(MappedFileTest, ALossEndsWithItsMapping) {
  ByteView where;
  {
    const auto mapped = map(kLarge);
    truncate(0);
    EXPECT_EQ(text_of(mapped->bytes().first(1)), std::string(1, '\0'));
    where = mapped->bytes();
  }
  EXPECT_FALSE(MappedFile::lost(where));
}

TEST_F(MappedFileTest, BeyondTheBoundFilesAreCopied) {
  std::vector<std::shared_ptr<const MappedFile>> all{map(kLarge)};
  while (all.size() < MappedFile::kMappingsMax + 2) all.push_back(*MappedFile::map(file.get(), kLarge));
  truncate(0);
  EXPECT_EQ(text_of(all.back()->bytes()), std::string(kLarge, 'x'));
  EXPECT_FALSE(MappedFile::lost(all.back()->bytes()));
  EXPECT_EQ(text_of(all.front()->bytes().first(1)), std::string(1, '\0'));
}

TEST_F(MappedFileTest, AFaultElsewhereStillEndsTheProcess) {
  const auto mapped = map(kLarge);
  void* const other = ::mmap(nullptr, kLarge, PROT_READ, MAP_SHARED, file.get(), 0);
  ASSERT_NE(other, MAP_FAILED);
  truncate(0);
  EXPECT_DEATH(static_cast<void>(*static_cast<const volatile char*>(other)), "");
  ::munmap(other, kLarge);
}

TEST_F(MappedFileTest, AFileThatIsShorterThanItWasIsNoCopy) {
  static_cast<void>(map(10));
  const auto short_of = MappedFile::map(file.get(), 11);
  ASSERT_FALSE(short_of.has_value());
  EXPECT_EQ(short_of.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace fusebox::base
