#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/json.h"

namespace fusebox::base::json {
namespace {

TEST(Writer, PutsCommasWhereTheyBelong) {
  Writer w;
  w.begin_object();
  w.key("a").integer(-1);
  w.key("b")
      .begin_array()
      .unsigned_integer(1)
      .string("x")
      .begin_object()
      .end_object()
      .begin_array()
      .end_array()
      .null()
      .end_array();
  w.key("c").boolean(true).key("d").raw("{\"raw\":1}").key("e").number(0.5);
  w.end_object();
  EXPECT_EQ(w.text(), R"({"a":-1,"b":[1,"x",{},[],null],"c":true,"d":{"raw":1},"e":0.5})");
  EXPECT_TRUE(is_valid(w.text()));
  EXPECT_EQ(w.take(), R"({"a":-1,"b":[1,"x",{},[],null],"c":true,"d":{"raw":1},"e":0.5})");
}

TEST(Writer, EscapesControlCharactersAndKeepsUtf8) {
  const std::string all("\0\x01\b\t\n\x0b\f\r\x1f\"\\/\x7f\xc3\xa9", 15);
  Writer w;
  w.string(all);
  EXPECT_EQ(w.text(), "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7f\xc3\xa9\"");
  EXPECT_EQ(parse(w.text()).value().root->string(), all);
}

TEST(Writer, WritesTheEdgesOfNumbers) {
  const auto written = [](double value) { return Writer().number(value).take(); };
  EXPECT_EQ(Writer().integer(std::numeric_limits<std::int64_t>::min()).text(), "-9223372036854775808");
  EXPECT_EQ(Writer().unsigned_integer(std::numeric_limits<std::uint64_t>::max()).text(), "18446744073709551615");
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(-0.0), "-0.0");
  EXPECT_EQ(written(1e21), "1e+21");
  EXPECT_EQ(written(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(written(-std::numeric_limits<double>::infinity()), "null");
  for (const double value : {5e-324, 1.7976931348623157e308, 1.0 / 3}) {
    EXPECT_EQ(parse(written(value)).value().root->number(), value);
  }
}

TEST(Canonical, SortsKeysByBytesAtEveryLevel) {
  const Document document =
      parse(R"( {"b": {"z":1, "Z":2, "\u00e9":3, "aa":4, "a":5}, "a": [ {"y":1,"x":2} ] } )").value();
  EXPECT_EQ(canonical(*document.root),
            "{\"a\":[{\"x\":2,\"y\":1}],\"b\":{\"Z\":2,\"a\":5,\"aa\":4,\"z\":1,\"\xc3\xa9\":3}}");
}

TEST(Canonical, IsTheSameForEverySpelling) {
  const auto form = [](std::string_view text) { return canonical(*parse(text).value().root); };
  EXPECT_EQ(form(R"({"a":1,"b":"\u0041"})"), form("{ \"b\" : \"A\",\n\"a\":1 }"));
  EXPECT_NE(form("[1]"), form("[2]"));
  EXPECT_NE(form("1"), form("\"1\""));
}

}  // namespace
}  // namespace fusebox::base::json
