#include "edge/config/schema.h"

#include <fstream>
#include <map>
#include <sstream>

#include "base/json.h"
#include "edge/config/config_test_tools.h"

namespace fusebox::edge::config {
namespace {

using base::json::Node;
using Members = std::map<std::string, std::string>;

std::string object(const Members& members) {
  std::string out = "{";
  for (const auto& [key, value] : members) out += (out.size() == 1 ? "\"" : ",\"") + key + "\":" + value;
  return out + "}";
}

const Members kApplication = {{"name", "\"n\""},
                              {"max_modules", "8"},
                              {"wamr_pool_bytes", "1"},
                              {"log_pool_bytes", "144"},
                              {"hal_groups", R"(["temp_sensor","timer","camera","gpio","uart"])"}};
const Members kModule = {{"name", "\"m\""}, {"binary", "\"b\""}};
const Members kPolicy = {{"capabilities", "0"}, {"memory_pages_max", "0"}, {"stack_size", "0"},
                         {"heap_size", "0"},    {"cpu_quota_us", "0"},     {"step_interval_us", "0"}};

// Whether the strict reader takes a document with `key` of the object `name` set to `value`; "" leaves the key out.
bool accepts(const std::string& name, const std::string& key, const std::string& value) {
  Members application = kApplication;
  Members module = kModule;
  Members policy = kPolicy;
  Members extension;
  Members on_fault = {{"restart", "\"limited\""}, {"max", "1"}};
  Members options;
  const std::map<std::string, Members*> places = {{"application", &application}, {"module", &module},
                                                  {"policy", &policy},           {"extension", &extension},
                                                  {"on_fault", &on_fault},       {"options", &options}};
  if (value.empty())
    places.at(name)->erase(key);
  else
    (*places.at(name))[key] = value;
  if (name == "on_fault") extension["on_fault"] = object(on_fault);
  if (!extension.empty()) policy.try_emplace("fusebox", object(extension));
  if (!options.empty()) application.try_emplace("fusebox", object(options));
  if (name != "module" || key != "policy") module["policy"] = object(policy);
  const std::string text = R"({"application":)" + object(application) + R"(,"modules":[)" + object(module) + "]}";
  Notes notes;
  return parse_app_config(text, "c", {.strict = true}, notes).has_value();
}

void check_integer(const std::string& name, const std::string& key, const Node& schema) {
  const auto min = schema.find("minimum")->as_i64();
  const auto max = schema.find("maximum")->as_u64();
  ASSERT_TRUE(min && max);
  EXPECT_TRUE(accepts(name, key, std::to_string(*min)));
  EXPECT_FALSE(accepts(name, key, std::to_string(*min - 1)));
  EXPECT_TRUE(accepts(name, key, std::to_string(*max)));
  EXPECT_FALSE(accepts(name, key, std::to_string(*max + 1)));
  for (const char* wrong : {"true", "0.5", "\"1\"", "null", "[]", "{}"})
    EXPECT_FALSE(accepts(name, key, wrong)) << wrong;
}

void check_list(const std::string& name, const std::string& key, const Node& schema) {
  if (const Node* names = schema.find("items")->find("enum")) {
    for (const Node& item : names->elements())
      EXPECT_TRUE(accepts(name, key, "[" + base::json::canonical(item) + "]")) << item.string();
  }
  EXPECT_FALSE(accepts(name, key, R"(["nonsense"])"));
  std::string longest = "[";
  const std::string first =
      key == "event_subscribe" ? "0" : base::json::canonical(schema.find("items")->find("enum")->elements()[0]);
  for (std::uint64_t i = 0; i < schema.find("maxItems")->as_u64(); ++i) longest += (i == 0 ? "" : ",") + first;
  EXPECT_TRUE(accepts(name, key, longest + "]"));
  EXPECT_FALSE(accepts(name, key, longest + "," + first + "]"));
}

void check_text(const std::string& name, const std::string& key, const Node& schema) {
  EXPECT_FALSE(accepts(name, key, "7"));
  const Node* max = schema.find("maxLength");
  if (max == nullptr) return;
  const auto size = static_cast<std::size_t>(*max->as_u64());
  EXPECT_FALSE(accepts(name, key, "\"\""));
  EXPECT_TRUE(accepts(name, key, "\"" + std::string(size, 'a') + "\""));
  EXPECT_FALSE(accepts(name, key, "\"" + std::string(size + 1, 'a') + "\""));
}

void check_value(const std::string& name, const std::string& key, const Node& schema) {
  if (const Node* choices = schema.find("anyOf")) {
    check_list(name, key, choices->elements()[0]);
    const auto max = *choices->elements()[1].find("maximum")->as_u64();
    EXPECT_TRUE(accepts(name, key, std::to_string(max)));
    EXPECT_FALSE(accepts(name, key, std::to_string(max + 1)));
    EXPECT_FALSE(accepts(name, key, "-1"));
    for (const char* wrong : {"true", "0.5", "\"1\"", "null", "{}"}) EXPECT_FALSE(accepts(name, key, wrong)) << wrong;
  } else if (const Node* names = schema.find("enum")) {
    for (const Node& item : names->elements()) EXPECT_TRUE(accepts(name, key, base::json::canonical(item)));
    EXPECT_FALSE(accepts(name, key, "\"nonsense\""));
    EXPECT_FALSE(accepts(name, key, "2"));
  } else if (schema.find("type") != nullptr) {
    const std::string& type = schema.find("type")->string();
    if (type == "integer") check_integer(name, key, schema);
    if (type == "string") check_text(name, key, schema);
    if (type == "array") check_list(name, key, schema);
    if (type == "boolean") {
      EXPECT_TRUE(accepts(name, key, "true"));
      EXPECT_FALSE(accepts(name, key, "1"));
    }
    if (type == "object") {
      EXPECT_FALSE(accepts(name, key, "7"));
    }
  }
}

void check_object(const std::string& name, const Node& schema, const Members& valid) {
  SCOPED_TRACE(name);
  const Node& properties = *schema.find("properties");
  EXPECT_FALSE(accepts(name, "no_such_key", "1"));
  EXPECT_EQ(accepts(name, "x-note", "1"), schema.find("patternProperties") != nullptr);
  for (std::size_t i = 0; i < properties.keys().size(); ++i) {
    const std::string& key = properties.keys()[i];
    SCOPED_TRACE(key);
    if (properties.elements()[i].find("$ref") != nullptr) continue;
    ASSERT_NE(properties.elements()[i].find("description"), nullptr);
    check_value(name, key, properties.elements()[i]);
  }
  const Node* required = schema.find("required");
  for (std::size_t i = 0; required != nullptr && i < required->elements().size(); ++i) {
    const std::string& key = required->elements()[i].string();
    if (key == "policy") continue;
    EXPECT_FALSE(accepts(name, key, "")) << key;
    EXPECT_TRUE(valid.empty() || valid.contains(key)) << key;
  }
}

TEST(ConfigSchema, TheReaderAgreesOnEveryKeyTypeAndBound) {
  const auto document = base::json::parse(app_config_schema());
  ASSERT_TRUE(document) << document.error().message;
  const Node& definitions = *document->root->find("$defs");
  const Node& application = *definitions.find("application");
  const Node& policy = *definitions.find("policy");
  const Node& extension = *policy.find("properties")->find("fusebox");
  ASSERT_TRUE(accepts("application", "name", "\"n\""));
  check_object("application", application, kApplication);
  check_object("options", *application.find("properties")->find("fusebox"), {});
  check_object("module", *definitions.find("module"), kModule);
  check_object("policy", policy, kPolicy);
  check_object("extension", extension, {});
  check_object("on_fault", *extension.find("properties")->find("on_fault"), {{"restart", ""}});
  EXPECT_FALSE(accepts("on_fault", "max", "")) << "limited needs it";
}

std::string published(const char* name) {
  std::ifstream in(std::string(FUSEBOX_SOURCE_DIR) + "/docs/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(ConfigSchema, ThePublishedFilesAreThese) {
  EXPECT_EQ(published("app_config.schema.json"), app_config_schema()) << "write app_config_schema() to the file";
  EXPECT_EQ(published("edge-policy.schema.json"), edge_policy_schema()) << "write edge_policy_schema() to the file";
}

}  // namespace
}  // namespace fusebox::edge::config
