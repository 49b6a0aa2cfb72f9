#include "capability/argument_schema.h"

#include <gtest/gtest.h>

#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

struct Case {
  const char* schema;
  const char* arguments;
  const char* problem;
};  // "" = accepted

constexpr Case kCases[] = {
    {"{}", "[1,{\"a\":null}]", ""},
    {"{}", "nonsense", "arguments:1:1"},
    {"{}", "", "arguments:1:1"},
    {"{}", R"({"a":1,"a":2})", "a"},
    {R"({"type":"object"})", "{}", ""},
    {R"({"type":"object"})", "[]", "the arguments: must be object, not array"},
    {R"({"type":["integer","null"]})", "null", ""},
    {R"({"type":["integer","null"]})", "true", "must be null or integer, not boolean"},
    {R"({"type":"integer"})", "1.0", ""},
    {R"({"type":"integer"})", "1.5", "must be integer, not number"},
    {R"({"type":"number"})", "3", ""},
    {R"({"required":["a"]})", R"({"b":1})", "lacks \"a\""},
    {R"({"required":["a"]})", R"({"a":null})", ""},
    {R"({"properties":{"a":{"type":"string"}}})", R"({"a":1,"b":2})", "/a: must be string, not integer"},
    {R"({"properties":{"a":{}},"additionalProperties":false})", R"({"a":1,"b":2})",
     "/b: is not an argument of this capability"},
    {R"({"properties":{"a":{}},"additionalProperties":{"type":"null"}})", R"({"a":1,"b":2})",
     "/b: must be null, not integer"},
    {R"({"items":{"type":"integer"}})", R"([1,"x"])", "/1: must be integer, not string"},
    {R"({"enum":[1,"a",{"x":1,"y":2}]})", R"({"y":2.0,"x":1})", ""},
    {R"({"enum":[1,"a"]})", "2", "is not one of the values allowed"},
    {R"({"const":[1,2]})", "[1,2]", ""},
    {R"({"const":[1,2]})", "[2,1]", "is not one of the values allowed"},
    {R"({"const":1,"enum":[2]})", "1", "is not one of the values allowed"},
    {R"({"const":0})", "-0.0", ""},
    {R"({"const":9007199254740993})", "9007199254740992", "is not one of the values allowed"},
    {R"({"minimum":2})", "2", ""},
    {R"({"minimum":2})", "1.999", "is smaller than the minimum"},
    {R"({"maximum":9223372036854775806})", "9223372036854775807", "is larger than the maximum"},
    {R"({"maximum":9223372036854775806})", "9223372036854775806", ""},
    {R"({"maximum":-1})", "0", "is larger than the maximum"},
    {R"({"minLength":2})", "\"\u00e4\"", "has 1 characters, at least 2 are required"},
    {R"({"maxLength":2})", "\"\u00e4\u20ac\"", ""},
    {R"({"maxLength":2})", "\"abc\"", "has 3 characters, at most 2 are allowed"},
    {R"({"minItems":1})", "[]", "has 0 elements, at least 1 are required"},
    {R"({"maxItems":1})", "[1,2]", "has 2 elements, at most 1 are allowed"},
    {R"({"maxItems":1,"maxLength":1,"maximum":1,"required":["a"]})", "null", ""},
};

TEST(ArgumentSchema, AcceptsExactlyWhatItDescribes) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::string(c.schema) + " " + c.arguments);
    const auto schema = ArgumentSchema::parse(c.schema);
    ASSERT_TRUE(schema) << schema.error().message;
    const auto result = schema->validate(c.arguments);
    const std::string_view problem = c.problem;
    ASSERT_EQ(result.has_value(), problem.empty()) << (result ? "" : result.error().message);
    if (result) continue;
    EXPECT_EQ(result.error().name, "DENIED_ARGUMENT_INVALID");
    EXPECT_EQ(result.error().code, base::Errc::denied);
    EXPECT_NE(result.error().message.find(problem), std::string::npos) << result.error().message;
  }
}

TEST(ArgumentSchema, ReportsAllProblemsOfTheArguments) {
  const auto schema =
      ArgumentSchema::parse(R"({"required":["z"],"properties":{"a":{"type":"string"},"b":{"items":{"maximum":1}}}})");
  const auto result = schema->validate(R"({"a":1,"b":[0,2]})");
  ASSERT_FALSE(result);
  for (const char* part : {"lacks \"z\"", "/a: must be string", "/b/1: is larger"}) {
    EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
  }
}

TEST(ArgumentSchema, WithoutOneEveryJsonIsAccepted) {
  EXPECT_TRUE(ArgumentSchema().validate("[1]"));
  EXPECT_FALSE(ArgumentSchema().validate("[1"));
}

TEST(ArgumentSchema, RefusesWhatItWouldNotCheck) {
  const struct {
    const char* schema;
    const char* problem;
  } cases[] = {
      {"[]", "object"},
      {R"({"pattern":"a"})", "pattern"},
      {R"({"$ref":"#"})", "$ref"},
      {R"({"type":"float"})", "type must be one of null, boolean"},
      {R"({"type":[]})", "type must name at least one type"},
      {R"({"type":7})", "type must be one of"},
      {R"({"properties":[]})", "properties must be an object"},
      {R"({"properties":{"a":1}})", "object"},
      {R"({"additionalProperties":"no"})", "object"},
      {R"({"required":"a"})", "required"},
      {R"({"enum":[]})", "enum must be a list of at least one value"},
      {R"({"enum":1})", "enum must be a list"},
      {R"({"minimum":"1"})", "minimum must be a number"},
      {R"({"minLength":-1})", "minLength must be an integer of at least 0"},
      {R"({"maxItems":1.5})", "maxItems must be an integer of at least 0"},
  };
  for (const auto& c : cases) {
    const auto schema = ArgumentSchema::parse(c.schema);
    ASSERT_FALSE(schema) << c.schema;
    EXPECT_EQ(schema.error().name, "MANIFEST_INVALID");
    EXPECT_NE(schema.error().message.find(c.problem), std::string::npos) << schema.error().message;
  }
}

TEST(ArgumentSchema, BoundsItsDepthAndSize) {
  const auto nested = [](std::size_t depth) {
    std::string text = "{}";
    for (std::size_t i = 1; i < depth; ++i) text = "{\"items\":" + text + "}";
    return text;
  };
  EXPECT_TRUE(ArgumentSchema::parse(nested(kSchemaDepthMax)));
  const auto deep = ArgumentSchema::parse(nested(kSchemaDepthMax + 1));
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().message.find("schemas nest deeper than 32"), std::string::npos) << deep.error().message;
  const auto wide = [](std::size_t count) {
    std::string text = "{\"properties\":{";
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":{}";
    return text + "}}";
  };
  EXPECT_TRUE(ArgumentSchema::parse(wide(kSchemaNodesMax - 1)));
  EXPECT_FALSE(ArgumentSchema::parse(wide(kSchemaNodesMax)));
}

}  // namespace
}  // namespace fusebox::capability
