#include "fleet/store/codec.h"

#include <gtest/gtest.h>

namespace fusebox::fleet {
namespace {

std::string text_of_time(std::int64_t microseconds) {
  const auto text = time_text(microseconds);
  return {text.data(), text.size()};
}

struct TimeCase {
  std::int64_t microseconds;
  const char* text;
};
constexpr TimeCase kTimeCases[] = {
    {0, "1970-01-01T00:00:00.000000Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},
    {1'795'275'180'000'001, "2026-11-21T15:33:00.000001Z"},
    {951'782'400'000'000, "2000-02-29T00:00:00.000000Z"},
    {253'402'300'799'999'999, "9999-12-31T23:59:59.999999Z"},
    {253'402'300'800'000'000, "9999-12-31T23:59:59.000000Z"},
    {INT64_MAX, "9999-12-31T23:59:59.775807Z"},
    {-62'167'219'200'000'000, "0000-01-01T00:00:00.000000Z"},
    {INT64_MIN, "0000-01-01T00:00:00.224192Z"},
};
TEST(StoreCodec, TimesAreTextsThatSort) {
  for (const TimeCase& c : kTimeCases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(text_of_time(c.microseconds), c.text);
  }
  EXPECT_EQ(time_of("2026-11-21T15:33:00.000001Z"), std::chrono::microseconds{1'795'275'180'000'001});
  EXPECT_EQ(time_of("yesterday").count(), 0);
  EXPECT_EQ(time_of("").count(), 0);
}

TEST(StoreCodec, ListsAndMapsComeBack) {
  const std::vector<std::string> list = {"a", "b\"c", "", "é"};
  EXPECT_EQ(list_of(json_list(list)), list);
  EXPECT_EQ(list_of("{}"), std::vector<std::string>{});
  EXPECT_EQ(list_of("[1, \"a\", null]"), std::vector<std::string>{"a"});
  EXPECT_EQ(list_of("not json"), std::vector<std::string>{});
  const std::map<std::string, std::string> texts = {{"a", "b"}, {"", "x\ny"}};
  EXPECT_EQ(text_map_of(json_map(texts)), texts);
  const std::map<std::string, std::int64_t> numbers = {{"1g.5gb", 7}, {"min", INT64_MIN}};
  EXPECT_EQ(number_map_of(json_map(numbers)), numbers);
  EXPECT_EQ(number_map_of(R"({"a":"b","c":1.5,"d":2})"), (std::map<std::string, std::int64_t>{{"d", 2}}));
}

TEST(StoreCodec, TextBecomesStorable) {
  std::string kept;
  EXPECT_EQ(storable_text("plain é", kept), "plain é");
  EXPECT_EQ(storable_text(std::string_view("a\0b\xff", 4), kept),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(storable_json("", kept), "{}");
  EXPECT_EQ(storable_json(R"({"a":"\u0000"})", kept), R"({"a":"\ufffd"})");
  EXPECT_EQ(storable_json(R"({"a":"\\u0000"})", kept), R"({"a":"\\u0000"})");
  EXPECT_EQ(storable_json(R"({"a":"\\\u0000\u0000"})", kept), R"({"a":"\\\ufffd\ufffd"})");
}

}  // namespace
}  // namespace fusebox::fleet
