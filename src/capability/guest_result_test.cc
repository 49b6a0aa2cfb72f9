#include "capability/guest_result.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kMemory("abc\0defgh", 9);
std::span<const std::byte> memory() {
  return base::as_bytes(kMemory);
}

TEST(ResultUntilNul, EndsAtTheFirstNul) {
  EXPECT_EQ(*result_until_nul(memory(), 0, 100), "abc");
  EXPECT_EQ(*result_until_nul(memory(), 3, 100), "");
}

TEST(ResultUntilNul, TheLimitCountsTheBytesWithoutTheNul) {
  EXPECT_EQ(*result_until_nul(memory(), 0, 3), "abc");
  const auto over = result_until_nul(memory(), 0, 2);
  EXPECT_EQ(over.error().name, "RESULT_TOO_LARGE");
  EXPECT_EQ(over.error().message, "the result is longer than limits.result_bytes, which is 2 bytes");
}

TEST(ResultUntilNul, NeverLeavesTheMemory) {
  const auto unterminated = result_until_nul(memory(), 4, 100);
  EXPECT_EQ(unterminated.error().name, "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(unterminated.error().message, "the result at 4 has no NUL and runs outside the guest's memory of 9 bytes");
  const auto beyond = result_until_nul(memory(), 9, 100);
  EXPECT_EQ(beyond.error().message, "the result pointer 9 lies outside the guest's memory of 9 bytes");
  EXPECT_EQ(result_until_nul(memory(), 0xffff'ffff, 100).error().name, "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(result_until_nul({}, 0, 100).error().name, "RESULT_OUT_OF_BOUNDS");
}

TEST(ResultRange, TakesExactlyTheBytesNamed) {
  EXPECT_EQ(*result_range(memory(), 2, 3, 100), std::string_view("c\0d", 3));
  EXPECT_EQ(*result_range(memory(), 9, 0, 100), "");
  EXPECT_EQ(result_range(memory(), 9, 1, 100).error().name, "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(result_range(memory(), 1, 0xffff'ffff, 100).error().name, "RESULT_OUT_OF_BOUNDS")
      << "the sum wraps in 32 bits";
  EXPECT_EQ(result_range(memory(), 0, 5, 4).error().name, "RESULT_TOO_LARGE");
  EXPECT_EQ(*result_range(memory(), 0, 3, 3), "abc");
}

TEST(FormatResult, DeliversEveryFormat) {
  using policy::ResultFormat;
  struct Case {
    const char* name;
    std::optional<std::string> bytes;
    bool empty_is_null;
    ResultFormat format;
    std::string want;
    ResultKind kind;
  };
  const Case cases[] = {
      {"json stays", "{\"a\": 1}", true, ResultFormat::automatic, "{\"a\": 1}", ResultKind::json},
      {"text becomes a string", "hi \"you\"", true, ResultFormat::automatic, "\"hi \\\"you\\\"\"", ResultKind::text},
      {"nothing is null", std::nullopt, true, ResultFormat::automatic, "null", ResultKind::json},
      {"empty result is null", "", true, ResultFormat::automatic, "null", ResultKind::json},
      {"empty result is null as json", "", true, ResultFormat::json, "null", ResultKind::json},
      {"empty string is text", "", false, ResultFormat::automatic, "\"\"", ResultKind::text},
      {"json as json", "[1,2]", true, ResultFormat::json, "[1,2]", ResultKind::json},
      {"any bytes", "\xff\x01", true, ResultFormat::bytes, "\xff\x01", ResultKind::bytes},
      {"no bytes", "", true, ResultFormat::bytes, "", ResultKind::bytes},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto formatted = format_result(c.bytes, c.empty_is_null, c.format);
    ASSERT_TRUE(formatted.has_value());
    EXPECT_EQ(formatted->text, c.want);
    EXPECT_EQ(formatted->kind, c.kind);
  }
}

TEST(FormatResult, RefusesWhatTheFormatForbids) {
  EXPECT_EQ(format_result("\xff", true, policy::ResultFormat::automatic).error().name, "RESULT_INVALID_UTF8");
  EXPECT_EQ(format_result("\xff", true, policy::ResultFormat::json).error().name, "RESULT_INVALID_UTF8");
  EXPECT_EQ(format_result("plain", true, policy::ResultFormat::json).error().name, "RESULT_NOT_JSON");
  EXPECT_EQ(format_result("", false, policy::ResultFormat::json).error().name, "RESULT_NOT_JSON");
  EXPECT_EQ(format_result("{\"a\":1,\"a\":2}", true, policy::ResultFormat::json).error().name, "RESULT_NOT_JSON");
}

}  // namespace
}  // namespace fusebox::capability
