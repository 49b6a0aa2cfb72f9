#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>

#include "base/json.h"

namespace fusebox::base::json {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string nested(std::size_t depth) {
  return repeated("[", depth) + repeated("]", depth);
}

struct Refusal {
  std::string text;
  std::string message;  // with place
};
const Refusal kRefusals[] = {
    {"", "x:1:1: document is empty; one JSON value is needed"},
    {" \n ", "x:2:2: document is empty; one JSON value is needed"},
    {"[1,]", "x:1:4: found ']'; an element is needed after \",\""},
    {"[,1]", "x:1:2: found ','; a value is needed here: an object, array, string, number, true, false or null"},
    {"[1 2]", "x:1:4: found '2'; \",\" or \"]\" is needed after an element"},
    {"[1", "x:1:3: found the end of the text; \",\" or \"]\" is needed after an element"},
    {"{\"a\":1,}", "x:1:8: found '}'; a key is needed after \",\""},
    {"{\"a\" 1}", "x:1:6: found '1'; \":\" is needed after a key"},
    {"{\"a\":}", "x:1:6: found '}'; a value is needed here: an object, array, string, number, true, false or null"},
    {"{\"a\":1 \"b\":2}", "x:1:8: found a string; \",\" or \"}\" is needed after a member"},
    {"{a:1}", "x:1:2: found \"a\"; a key in double quotes is needed here"},
    {"{'a':1}", "x:1:2: found '''; a key in double quotes is needed here; strings stand in double quotes"},
    {"{1:1}", "x:1:2: found '1'; a key in double quotes is needed here"},
    {"{", "x:1:2: found the end of the text; a key in double quotes is needed here"},
    {"[\n1,\n  // no\n2]",
     "x:3:3: found '/'; a value is needed here: an object, array, string, number, true, false or null; JSON has no "
     "comments"},
    {"NaN", "x:1:1: found \"NaN\"; a value is needed here: an object, array, string, number, true, false or null"},
    {"-Infinity", "x:1:1: \"-\" without a number; a digit is needed after it"},
    {"True", "x:1:1: found \"True\"; a value is needed here: an object, array, string, number, true, false or null"},
    {"trueish",
     "x:1:1: found \"trueish\"; a value is needed here: an object, array, string, number, true, false or null"},
    {"nul", "x:1:1: found \"nul\"; a value is needed here: an object, array, string, number, true, false or null"},
    {"[1] 2", "x:1:5: found '2' after the document; nothing but space is allowed here"},
    {"\xef\xbb\xbf{}",
     "x:1:1: found a byte-order mark; a value is needed here: an object, array, string, number, true, false or null"},
    {"[\x01]", "x:1:2: found byte 0x01; a value is needed here: an object, array, string, number, true, false or null"},
    {"[\xff]", "x:1:2: found byte 0xff; a value is needed here: an object, array, string, number, true, false or null"},
    {"[\xc3\xa9]",
     "x:1:2: found \"\xc3\xa9\"; a value is needed here: an object, array, string, number, true, false or null"},
    {"+1",
     "x:1:1: found '+'; a value is needed here: an object, array, string, number, true, false or null; a number starts "
     "with a digit or -"},
    {"01", "x:1:1: number starts with 0; JSON allows no leading zeros"},
    {"-01", "x:1:1: number starts with 0; JSON allows no leading zeros"},
    {"1.", "x:1:1: number ends with its decimal point; a digit is needed after it"},
    {"1e", "x:1:1: exponent has no digits; a digit is needed after the e"},
    {"1e+", "x:1:1: exponent has no digits; a digit is needed after the e"},
    {"1e309", "x:1:1: number is too large; allowed are finite values, up to about 1.8e308"},
    {"1" + std::string(400, '0'), "x:1:1: number is too large; allowed are finite values, up to about 1.8e308"},
    {"0.1e310", "x:1:1: number is too large; allowed are finite values, up to about 1.8e308"},
    {"1e99999999999999999999", "x:1:1: number is too large; allowed are finite values, up to about 1.8e308"},
    {"\"abc", "x:1:5: string has no closing quote"},
    {"\"abc\\", "x:1:6: string has no closing quote"},
    {"\"a\nb\"", "x:1:3: string holds a bare control character; write it as an escape such as \\n or \\u0001"},
    {"\"a\0b\""s, "x:1:3: string holds a bare control character; write it as an escape such as \\n or \\u0001"},
    {"\"\\x41\"",
     "x:1:2: unknown escape; allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits"},
    {"\"\\u12g4\"", "x:1:2: \\u needs four hexadecimal digits"},
    {"\"\\u12", "x:1:2: \\u needs four hexadecimal digits"},
    {"\"\\ud800\"", "x:1:2: \\u names half of a surrogate pair; both halves are needed, the high one first"},
    {"\"\\udc00\\ud800\"", "x:1:2: \\u names half of a surrogate pair; both halves are needed, the high one first"},
    {"\"\\ud800\\u0041\"", "x:1:2: \\u names half of a surrogate pair; both halves are needed, the high one first"},
    {"\"ab\xff\"", "x:1:4: string is not valid UTF-8"},
    {"\"\\n\xed\xa0\x80\"", "x:1:4: string is not valid UTF-8"},
    {nested(65), "x:1:65: document is nested more than 64 levels deep"},
    {repeated("{\"a\":", 65), "x:1:321: document is nested more than 64 levels deep"},
};

TEST(JsonParse, RefusesWithPlaceFindingAndRemedy) {
  for (const Refusal& c : kRefusals) {
    SCOPED_TRACE(c.text);
    const Result<Document> got = parse(c.text, {.file = "x"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::invalid);
    EXPECT_EQ(got.error().message, c.message);
    EXPECT_FALSE(is_valid(c.text));
  }
}

TEST(JsonParse, AcceptsDepthSixtyFour) {
  EXPECT_TRUE(parse(nested(64)));
  EXPECT_TRUE(is_valid(nested(64)));
  EXPECT_TRUE(parse(repeated("[", 64) + "1" + repeated("]", 64)));
}

struct Canonical {
  const char* text;
  const char* want;
};
constexpr Canonical kCanonical[] = {
    {" { } ", "{}"},
    {"[ ]", "[]"},
    {"\t[1,\r\n2 , 3]\n", "[1,2,3]"},
    {"{\"b\":1,\"a\":{\"d\":null,\"c\":[true,false]}}", "{\"a\":{\"c\":[true,false],\"d\":null},\"b\":1}"},
    {"{\"\xc3\xa9\":1,\"z\":2,\"\":3}", "{\"\":3,\"z\":2,\"\xc3\xa9\":1}"},
    {"-0", "0"},
    {"-0.0", "-0.0"},
    {"1e3", "1000"},
    {"1.50", "1.5"},
    {"1E-2", "0.01"},
    {"1e-400", "0"},
    {"0.000e999999", "0"},
    {"18446744073709551615", "18446744073709551615"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"1e300", "1e+300"},
    {"\"\\u0041\\/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\"", "\"A/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\""},
    {"\"\\ud83d\\ude00\\u20ac\\u00e9\"", "\"\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa9\""},
    {"\"\\udbff\\udfff\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"\\u0000\"", "\"\\u0000\""},
    {"\"a long text \\n with one escape in the middle of it all\"",
     "\"a long text \\n with one escape in the middle of it all\""},
};

TEST(JsonParse, ReadsAllOfTheGrammar) {
  for (const Canonical& c : kCanonical) {
    SCOPED_TRACE(c.text);
    const Result<Document> got = parse(c.text);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(canonical(*got->root), c.want);
    EXPECT_EQ(canonical(*parse(c.want).value().root), c.want);
    EXPECT_TRUE(is_valid(c.text));
  }
}

struct NumberCase {
  const char* text;
  Kind kind;
  std::optional<std::int64_t> as_i64;
  std::optional<std::uint64_t> as_u64;
  double number;
};
constexpr NumberCase kNumbers[] = {
    {"0", Kind::integer, 0, 0, 0},
    {"-0", Kind::integer, 0, 0, 0},
    {"-1", Kind::integer, -1, std::nullopt, -1},
    {"9223372036854775807", Kind::integer, std::numeric_limits<std::int64_t>::max(), 9223372036854775807u,
     9223372036854775807.0},
    {"9223372036854775808", Kind::integer, std::nullopt, 9223372036854775808u, 9223372036854775808.0},
    {"18446744073709551615", Kind::integer, std::nullopt, 18446744073709551615u, 18446744073709551615.0},
    {"18446744073709551616", Kind::number, std::nullopt, std::nullopt, 18446744073709551616.0},
    {"-9223372036854775808", Kind::integer, std::numeric_limits<std::int64_t>::min(), std::nullopt,
     -9223372036854775808.0},
    {"-9223372036854775809", Kind::number, std::nullopt, std::nullopt, -9223372036854775809.0},
    {"1e3", Kind::number, std::nullopt, std::nullopt, 1000},
    {"1.0", Kind::number, std::nullopt, std::nullopt, 1},
    {"-2.5e-3", Kind::number, std::nullopt, std::nullopt, -0.0025},
    {"1.7976931348623157e308", Kind::number, std::nullopt, std::nullopt, 1.7976931348623157e308},
    {"5e-324", Kind::number, std::nullopt, std::nullopt, 5e-324},
    {"1e-999", Kind::number, std::nullopt, std::nullopt, 0},
};

TEST(JsonParse, KeepsIntegersExactly) {
  for (const NumberCase& c : kNumbers) {
    SCOPED_TRACE(c.text);
    const Document document = parse(c.text).value();
    EXPECT_EQ(document.root->kind(), c.kind);
    EXPECT_EQ(document.root->as_i64(), c.as_i64);
    EXPECT_EQ(document.root->as_u64(), c.as_u64);
    EXPECT_EQ(document.root->number(), c.number);
    if (c.kind == Kind::number) {
      EXPECT_EQ(document.root->string(), c.text);
    }
  }
}

TEST(JsonParse, KnowsPlacesAndPointers) {
  const Document document = parse("{\n  \"a\": [10,\r\n   {\"x/y~z\": null}],\n\t\"\": true }").value();
  const Node& root = *document.root;
  const auto expect_at = [](const Node* node, std::uint32_t line, std::uint32_t column, std::string_view pointer) {
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->location().line, line);
    EXPECT_EQ(node->location().column, column);
    EXPECT_EQ(node->pointer(), pointer);
  };
  expect_at(&root, 1, 1, "");
  expect_at(root.find("a"), 2, 8, "/a");
  expect_at(&root.find("a")->elements()[0], 2, 9, "/a/0");
  expect_at(&root.find("a")->elements()[1], 3, 4, "/a/1");
  expect_at(root.find("a")->elements()[1].find("x/y~z"), 3, 14, "/a/1/x~1y~0z");
  expect_at(root.find(""), 4, 6, "/");
  ASSERT_EQ(root.key_locations().size(), 2u);
  EXPECT_EQ(root.key_locations()[1].line, 4u);
  EXPECT_EQ(root.key_locations()[1].column, 2u);
  EXPECT_EQ(root.find("b"), nullptr);
  EXPECT_EQ(root.find("a")->find("x"), nullptr);
}

TEST(JsonParse, PointersCanBeLeftOut) {
  const Document document = parse("{\"a\":[1]}", {.pointers = false}).value();
  EXPECT_EQ(document.root->find("a")->elements()[0].pointer(), "");
  EXPECT_EQ(document.root->find("a")->elements()[0].location().column, 7u);
}

TEST(JsonParse, PointersStayShortUnderLongKeys) {
  const std::string key(kPointerBytesMax, 'k');
  const Document at_most = parse("{\"" + key.substr(1) + "\":[1]}").value();
  EXPECT_EQ(at_most.root->elements()[0].pointer(), "/" + key.substr(1));
  EXPECT_EQ(at_most.root->elements()[0].elements()[0].pointer(), "/" + key.substr(1));  // "/0" more would be too long
  const Document above = parse("{\"" + key + "\":[1]}").value();
  EXPECT_EQ(above.root->elements()[0].elements()[0].pointer(), "");
}

TEST(JsonParse, ReportsEveryDuplicateAndStillReads) {
  Problems problems;
  const auto document =
      parse("{\"a\":1,\n \"b\":{\"c\":1,\"\\u0063\":2},\n \"a\":3,\"a\":4}", {.file = "p.json"}, problems);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root->find("a")->magnitude(), 1u);
  ASSERT_EQ(problems.count(), 3u);
  EXPECT_EQ(problems.list()[0].text(), "p.json:2:13: key \"c\" is given twice; each key may stand once in an object");
  EXPECT_EQ(problems.list()[0].pointer, "/b/c");
  EXPECT_EQ(problems.list()[1].text(), "p.json:3:2: key \"a\" is given twice; each key may stand once in an object");
  EXPECT_EQ(problems.list()[2].at.column, 8u);
  EXPECT_EQ(problems.list()[2].pointer, "/a");
  EXPECT_FALSE(parse("{\"a\":1,\"a\":1}"));
  EXPECT_FALSE(is_valid("{\"a\":1,\"a\":1}"));
  EXPECT_TRUE(is_valid("{\"a\":{\"a\":1},\"b\":{\"a\":1}}"));
}

TEST(JsonParse, FindsDuplicatesAmongManyKeys) {
  // Seventeen keys and more are sorted instead of compared in pairs.
  for (const std::size_t count : {15u, 16u, 17u, 1000u}) {
    SCOPED_TRACE(count);
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) text += "\"k" + std::to_string(i) + "\":0,";
    EXPECT_TRUE(is_valid(text + "\"last\":0}"));
    EXPECT_FALSE(is_valid(text + "\"k7\":0}"));
    Problems problems;
    EXPECT_TRUE(parse(text + "\"k7\":0,\"k3\":0}", {}, problems));
    ASSERT_EQ(problems.count(), 2u);
    EXPECT_EQ(problems.list()[0].pointer, "/k7");  // in document order
    EXPECT_EQ(problems.list()[1].pointer, "/k3");
  }
}

TEST(JsonParse, KeepsKeysWithEscapesApart) {
  const Document document = parse(R"({"\u0061b":1,"\u0061c":{"\u0061b":2},"ab2":3})").value();
  EXPECT_EQ(document.root->find("ab")->magnitude(), 1u);
  EXPECT_EQ(document.root->find("ac")->find("ab")->magnitude(), 2u);
}

TEST(JsonParse, SyntaxProblemsNameTheEnclosingPlace) {
  Problems problems;
  EXPECT_FALSE(parse("{\"a\":[1,{\"b\":?}]}", {.file = "p"}, problems));
  ASSERT_EQ(problems.count(), 1u);
  EXPECT_EQ(problems.list()[0].pointer, "/a/1/b");
  EXPECT_EQ(problems.list()[0].at.column, 14u);
}

TEST(JsonParse, RefusesMoreBytesThanAllowed) {
  EXPECT_TRUE(parse("[1]", {.bytes_max = 3}));
  const auto refused = parse("[10]", {.file = "x", .bytes_max = 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "x:1:1: document is 4 bytes; allowed are at most 3");
}

TEST(JsonParse, RefusesMoreValuesThanAllowed) {
  // One value is the array itself.
  EXPECT_TRUE(parse("[" + repeated("0,", kValuesMax - 2) + "0]", {.pointers = false}));
  const std::string above = "[" + repeated("0,", kValuesMax - 1) + "0]";
  const auto refused = parse(above, {.pointers = false});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("document has more than 1048576 values, the most allowed"));
  EXPECT_TRUE(is_valid(above));  // it is JSON all the same
}

TEST(JsonParse, HoldsNoMoreOpenKeysThanAllowed) {
  std::string text = "{";
  for (std::size_t i = 0; i < kOpenKeysMax; ++i) text += "\"" + std::to_string(i) + "\":0,";
  EXPECT_TRUE(is_valid(text.substr(0, text.size() - 1) + "}"));
  EXPECT_FALSE(is_valid(text + "\"x\":0}"));
}

TEST(Problems, ListsAHundredAndCountsTheRest) {
  Problems problems;
  EXPECT_TRUE(problems.empty());
  for (std::size_t i = 0; i < kProblemsMax; ++i) problems.add({"f", {1, 2}, "", "m"});
  EXPECT_TRUE(problems.full());
  EXPECT_THAT(problems.to_error().message, Not(HasSubstr("more")));
  problems.add({"f", {1, 2}, "", "m"});
  problems.add({"f", {1, 2}, "", "m"});
  EXPECT_EQ(problems.count(), 102u);
  EXPECT_EQ(problems.list().size(), 100u);
  const Error error = problems.to_error("POLICY_INVALID");
  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_EQ(error.name, "POLICY_INVALID");
  EXPECT_THAT(error.message, testing::StartsWith("f:1:2: m\nf:1:2: m\n"));
  EXPECT_THAT(error.message, testing::EndsWith("\nand 2 more"));
}

TEST(Kind, HasNamesForMessages) {
  constexpr std::pair<Kind, std::string_view> kNames[] = {
      {Kind::null, "null"},     {Kind::boolean, "boolean"}, {Kind::integer, "integer"}, {Kind::number, "number"},
      {Kind::string, "string"}, {Kind::array, "array"},     {Kind::object, "object"},
  };
  for (const auto& [kind, name] : kNames) EXPECT_EQ(to_string(kind), name);
}

}  // namespace
}  // namespace fusebox::base::json
