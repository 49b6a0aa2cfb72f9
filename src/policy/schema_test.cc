#include "policy/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "base/json.h"
#include "policy/load.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::json::Node;

// Where each definition of the schema stands in a document, as text around one member.
const std::map<std::string, std::pair<const char*, const char*>> kPlaces = {
    {"policy", {R"({"version":1,)", "}"}},
    {"limits", {R"({"version":1,"limits":{)", "}}"}},
    {"integrity", {R"({"version":1,"integrity":{)", "}}"}},
    {"trusted_key",
     {R"({"version":1,"integrity":{"trusted_keys":[{"id":"k","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",)",
      "}]}}"}},
    {"input", {R"({"version":1,"input":{)", "}}"}},
    {"result", {R"({"version":1,"result":{)", "}}"}},
    {"log", {R"({"version":1,"capabilities":{"log":{)", "}}}"}},
    {"env", {R"({"version":1,"capabilities":{"env":{)", "}}}"}},
    {"http.request", {R"({"version":1,"capabilities":{"http.request":{)", "}}}"}},
    {"http_allow", {R"({"version":1,"capabilities":{"http.request":{"allow":[{"host":"a",)", "}]}}}"}},
    {"http_deny", {R"({"version":1,"capabilities":{"http.request":{"deny":[{"path":"/x",)", "}]}}}"}},
    {"fs.read", {R"({"version":1,"capabilities":{"fs.read":{)", "}}}"}},
    {"fs.write", {R"({"version":1,"capabilities":{"fs.write":{)", "}}}"}},
    {"read_root", {R"({"version":1,"capabilities":{"fs.read":{"roots":[{"guest":"/a","host":"b",)", "}]}}}"}},
    {"write_root", {R"({"version":1,"capabilities":{"fs.write":{"roots":[{"guest":"/a","host":"b",)", "}]}}}"}},
    {"registered", {R"({"version":1,"capabilities":{"a.b":{)", "}}}"}},
    {"audit", {R"({"version":1,"audit":{)", "}}"}},
    {"schedule", {R"({"version":1,"schedule":{)", "}}"}},
};

bool accepts(const std::string& definition, std::string_view key, std::string_view value) {
  const auto& [before, after] = kPlaces.at(definition);
  base::json::Problems problems;
  return parse(concat({before, "\"", key, "\":", value, after}), "p", "", problems).has_value();
}

const Node& members_of(const Node& definition) {
  const Node* choices = definition.find("anyOf");
  return *(choices != nullptr ? choices->elements()[1] : definition).find("properties");
}

void check_integer(const std::string& name, const std::string& key, const Node& schema) {
  const Node* minimum = schema.find("minimum");
  const Node* maximum = schema.find("maximum");
  ASSERT_TRUE(minimum != nullptr && maximum != nullptr);
  const auto min = minimum->as_i64();
  const auto max = maximum->as_u64();
  ASSERT_TRUE(min && max);
  EXPECT_TRUE(accepts(name, key, std::to_string(*min)));
  EXPECT_FALSE(accepts(name, key, std::to_string(*min - 1)));
  EXPECT_TRUE(accepts(name, key, std::to_string(*max)));
  EXPECT_FALSE(accepts(name, key, std::to_string(*max + 1)));
  EXPECT_FALSE(accepts(name, key, "true"));
  EXPECT_FALSE(accepts(name, key, std::to_string(*min) + ".5"));
}

void check_enum(const std::string& name, const std::string& key, const Node& schema) {
  for (const Node& item : schema.find("enum")->elements()) {
    const bool later = key == "isolation" && item.string() != "thread";
    EXPECT_EQ(accepts(name, key, base::json::canonical(item)), !later) << item.string();
  }
  EXPECT_FALSE(accepts(name, key, "\"nonsense\""));
}

std::string type_of(const Node& schema) {
  const Node* type = schema.find("type");
  if (type == nullptr) return "";
  return type->is_array() ? type->elements()[0].string() : type->string();
}

TEST(Schema, TheReaderAgreesOnEveryKeyTypeAndBound) {
  const auto document = base::json::parse(schema_json());
  ASSERT_TRUE(document) << document.error().message;
  const Node& definitions = *document->root->find("$defs");
  int checked = 0;
  for (const auto& [name, place] : kPlaces) {
    SCOPED_TRACE(name);
    ASSERT_NE(definitions.find(name), nullptr);
    const Node& members = members_of(*definitions.find(name));
    EXPECT_FALSE(accepts(name, "no_such_key", "1"));
    for (std::size_t i = 0; i < members.keys().size(); ++i) {
      const std::string& key = members.keys()[i];
      const Node& schema = members.elements()[i];
      SCOPED_TRACE(key);
      ASSERT_NE(schema.find("description"), nullptr);
      EXPECT_FALSE(schema.find("description")->string().empty());
      const std::string type = type_of(schema);
      if (type == "integer") check_integer(name, key, schema);
      if (schema.find("enum") != nullptr) check_enum(name, key, schema);
      if (type == "boolean") {
        EXPECT_TRUE(accepts(name, key, "true"));
        EXPECT_TRUE(accepts(name, key, "false"));
        EXPECT_FALSE(accepts(name, key, "1"));
      }
      if (type == "array" || type == "string") {
        EXPECT_FALSE(accepts(name, key, "7"));
        EXPECT_FALSE(accepts(name, key, "{}"));
      }
      const bool in_place = std::string_view(place.first).find(concat({"\"", key, "\":"})) != std::string_view::npos;
      if (const Node* fallback = schema.find("default"); fallback != nullptr && !in_place) {
        EXPECT_TRUE(accepts(name, key, base::json::canonical(*fallback)));
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 80);
}

// One file of the repository, as text.
std::string source_file(const char* name) {
  std::ifstream in(std::string(FUSEBOX_SOURCE_DIR) + "/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Schema, ThePublishedFileIsThisOne) {
  EXPECT_EQ(source_file("docs/policy.schema.json"), schema_json()) << "write schema_json() to docs/policy.schema.json";
}

TEST(Schema, TheGuideHoldsTheTableOfKeys) {
  EXPECT_NE(source_file("docs/policy.md").find(keys_markdown()), std::string::npos)
      << "docs/policy.md must hold this table:\n"
      << keys_markdown();
}

}  // namespace
}  // namespace fusebox::policy
