#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace fusebox::base {
namespace {

TEST(Errc, HasStableNames) {
  constexpr std::pair<Errc, std::string_view> kNames[] = {
      {Errc::invalid, "invalid"},
      {Errc::not_found, "not_found"},
      {Errc::exists, "exists"},
      {Errc::denied, "denied"},
      {Errc::exhausted, "exhausted"},
      {Errc::stopped, "stopped"},
      {Errc::trapped, "trapped"},
      {Errc::stale, "stale"},
      {Errc::unavailable, "unavailable"},
      {Errc::unsupported, "unsupported"},
      {Errc::io, "io"},
      {Errc::corrupt, "corrupt"},
      {Errc::bug, "bug"},
  };
  for (const auto& [code, name] : kNames) EXPECT_EQ(to_string(code), name);
}

TEST(ErrnoError, ChoosesTheCodeAndKeepsTheWords) {
  const Error missing = errno_error("open x", ENOENT);
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_EQ(missing.message, "open x: No such file or directory");
  EXPECT_EQ(missing.name, "");
  EXPECT_EQ(errno_error("s", EEXIST).code, Errc::exists);
  EXPECT_EQ(errno_error("s", ENOSPC).code, Errc::exhausted);
  EXPECT_EQ(errno_error("s", EMFILE).code, Errc::exhausted);
  EXPECT_EQ(errno_error("s", ENOSYS).code, Errc::unsupported);
  EXPECT_EQ(errno_error("s", EACCES).code, Errc::io);
  EXPECT_EQ(errno_error("s", 99999).message, "s: error 99999");
}

TEST(Within, AddsTheStepToErrorsOnly) {
  EXPECT_EQ(within("outer", Result<int>(7)).value(), 7);
  const Result<int> failed = within("outer", Result<int>(fail(Errc::denied, "no", "NAME")));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "outer: no");
  EXPECT_EQ(failed.error().code, Errc::denied);
  EXPECT_EQ(failed.error().name, "NAME");
}

Result<std::string> text_or_error(bool good) {
  if (!good) return fail(Errc::corrupt, "bad");
  return std::string("text");
}

Result<std::size_t> size_of_both(bool first, bool second) {
  FB_TRY(const std::string a, text_or_error(first));
  FB_TRY(const std::string b, text_or_error(second));
  FB_CHECK(text_or_error(true));
  return a.size() + b.size();
}

TEST(Try, BindsOrReturnsTheError) {
  EXPECT_EQ(size_of_both(true, true).value(), 8u);
  EXPECT_EQ(size_of_both(false, true).error().code, Errc::corrupt);
  EXPECT_EQ(size_of_both(true, false).error().message, "bad");
}

}  // namespace
}  // namespace fusebox::base
