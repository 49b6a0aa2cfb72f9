#include "fleet/api/streams/guest_path.h"

#include <gtest/gtest.h>

#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

TEST(GuestPath, TakesAbsoluteCleanPaths) {
  for (const char* path : {"/", "/a", "/a/b.c", "/fused", "/a/fuse", "/.hidden", "/a/...", "/\xc3\xa4"}) {
    const auto taken = guest_path(path);
    ASSERT_TRUE(taken) << path;
    EXPECT_EQ(*taken, path);
  }
}

TEST(GuestPath, RefusesTricksAndTheSecretsFolder) {
  using namespace std::string_view_literals;
  for (const std::string_view path :
       {""sv, "a"sv, "/a/"sv, "//a"sv, "/a//b"sv, "/."sv, "/.."sv, "/a/.."sv, "/a/../fuse"sv, "/a/./b"sv, "/fuse"sv,
        "/fuse/"sv, "/fuse/auth-token"sv, "/a\0b"sv, "/a\nb"sv, "/a\rb"sv, "/\xff"sv, "/..\0"sv}) {
    const auto taken = guest_path(path);
    ASSERT_FALSE(taken) << path;
    EXPECT_EQ(api_detail(taken.error()).status, 400) << path;
  }
}

TEST(GuestPath, HasALength) {
  EXPECT_TRUE(guest_path("/" + std::string(kGuestPathMax - 1, 'a')));
  EXPECT_FALSE(guest_path("/" + std::string(kGuestPathMax, 'a')));
}

TEST(FileMode, IsOctal) {
  EXPECT_EQ(file_mode("").value(), 0644u);
  EXPECT_EQ(file_mode("0755").value(), 0755u);
  EXPECT_EQ(file_mode("7777").value(), 07777u);
  EXPECT_EQ(file_mode("07777").value(), 07777u);
  for (const char* text : {"8", "10000", "000755", "-1", "0x1", "rw"}) EXPECT_FALSE(file_mode(text)) << text;
}

}  // namespace
}  // namespace fusebox::fleet
