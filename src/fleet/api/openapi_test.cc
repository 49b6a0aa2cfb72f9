// The document says what the table says, and nothing in either is left dangling.
#include "fleet/api/openapi.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "base/json.h"
#include "fleet/api/schemas.h"

namespace fusebox::fleet {
namespace {

base::json::Document document() {
  auto parsed = base::json::parse(openapi_json("1.2.3"));
  EXPECT_TRUE(parsed) << parsed.error().message;
  return std::move(*parsed);
}

const base::json::Node& at(const base::json::Node& node, std::initializer_list<std::string_view> path) {
  const base::json::Node* here = &node;
  for (const std::string_view key : path) {
    const base::json::Node* next = here->find(key);
    if (next == nullptr) {
      ADD_FAILURE() << "no " << key;
      return *here;
    }
    here = next;
  }
  return *here;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

TEST(OpenApi, HasEveryRouteWithEveryStatus) {
  const auto parsed = document();
  for (const RouteSpec& route : route_table()) {
    SCOPED_TRACE(std::string(route.method) + ' ' + std::string(route.pattern) + ' ' + std::string(route.action));
    const base::json::Node& operation = at(*parsed.root, {"paths", route.pattern, lower(route.method)});
    for (const int status : statuses_of(route)) {
      EXPECT_NE(at(operation, {"responses"}).find(std::to_string(status)), nullptr) << status;
    }
  }
}

TEST(OpenApi, HasNoRouteOrStatusTheTableLacks) {
  const auto parsed = document();
  const base::json::Node& paths = at(*parsed.root, {"paths"});
  for (std::size_t path = 0; path < paths.keys().size(); ++path) {
    const base::json::Node& operations = paths.elements()[path];
    for (std::size_t method = 0; method < operations.keys().size(); ++method) {
      std::set<std::string> wanted;
      for (const RouteSpec& route : route_table()) {
        if (route.pattern != paths.keys()[path] || lower(route.method) != operations.keys()[method]) continue;
        for (const int status : statuses_of(route)) wanted.insert(std::to_string(status));
      }
      const auto keys = at(operations.elements()[method], {"responses"}).keys();
      EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()), wanted)
          << operations.keys()[method] << ' ' << paths.keys()[path];
    }
  }
}

TEST(OpenApi, ListsWhatTheContractNames) {
  const auto parsed = document();
  const base::json::Node& schemas = at(*parsed.root, {"components", "schemas"});
  EXPECT_NE(at(schemas, {"Spec", "properties"}).find("arch"), nullptr);
  EXPECT_NE(at(schemas, {"CreateEnvironmentRequest", "properties"}).find("seed_snapshot_id"), nullptr);
  EXPECT_NE(at(schemas, {"Capacity", "properties"}).find("mig_instances"), nullptr);
  EXPECT_NE(at(schemas, {"EnvironmentList", "properties"}).find("next_cursor"), nullptr);
  std::set<std::string> parameters;
  for (const base::json::Node& parameter :
       at(*parsed.root, {"paths", "/v1/snapshots", "get", "parameters"}).elements()) {
    parameters.insert(parameter.find("name")->string());
  }
  for (const char* name : {"limit", "cursor", "mode", "name"}) EXPECT_TRUE(parameters.contains(name)) << name;
}

TEST(OpenApi, MarksWhatIsOurs) {
  const auto parsed = document();
  EXPECT_NE(at(*parsed.root, {"paths", "/v1/environments/{vmId}/files", "put"}).find("x-fusebox"), nullptr);
  EXPECT_EQ(at(*parsed.root, {"paths", "/v1/environments", "post"}).find("x-fusebox"), nullptr);
  const base::json::Node& environment = at(*parsed.root, {"components", "schemas", "Environment", "properties"});
  EXPECT_NE(at(environment, {"generation"}).find("x-fusebox"), nullptr);
  EXPECT_EQ(at(environment, {"task_id"}).find("x-fusebox"), nullptr);
}

// Every $ref leads somewhere.
TEST(OpenApi, HasNoDanglingReference) {
  const auto parsed = document();
  std::size_t references = 0;
  const std::function<void(const base::json::Node&)> visit = [&](const base::json::Node& node) {
    for (std::size_t member = 0; member < node.elements().size(); ++member) {
      const base::json::Node& value = node.elements()[member];
      if (node.is_object() && node.keys()[member] == "$ref") {
        ++references;
        const std::string name = value.string().substr(value.string().rfind('/') + 1);
        const bool header = value.string().starts_with("#/components/headers/");
        EXPECT_NE(at(*parsed.root, {"components", header ? "headers" : "schemas"}).find(name), nullptr) << name;
      }
      visit(value);
    }
  };
  visit(*parsed.root);
  EXPECT_GT(references, 100u);
}

TEST(OpenApi, UsesEverySchemaOfTheTable) {
  const std::string text = openapi_json("1");
  for (const Schema& schema : schema_table()) {
    EXPECT_NE(text.find("/schemas/" + std::string(schema.name) + "\""), std::string::npos) << schema.name;
  }
}

TEST(OpenApi, SaysTheSameInYaml) {
  const std::string yaml = openapi_yaml("1.2.3");
  EXPECT_TRUE(yaml.starts_with("\"openapi\": \"3.0.3\"\n")) << yaml.substr(0, 80);
  EXPECT_NE(yaml.find("  \"/v1/environments/{vmId}\":\n    \"delete\":\n"), std::string::npos);
  EXPECT_EQ(yaml.find('\t'), std::string::npos);
}

TEST(RouteTable, GivesEveryRouteItsBounds) {
  for (const RouteSpec& route : route_table()) {
    SCOPED_TRACE(std::string(route.method) + ' ' + std::string(route.pattern));
    const bool reads =
        route.body == BodyRule::required_json || route.body == BodyRule::optional_json || route.body == BodyRule::bytes;
    EXPECT_EQ(route.body_bytes_max != 0, reads);
    EXPECT_TRUE(route.access != Access::caller || route.act);
    EXPECT_TRUE(route.request.empty() || find_schema(route.request) != nullptr);
    EXPECT_TRUE(route.response.empty() || find_schema(route.response) != nullptr);
  }
}

}  // namespace
}  // namespace fusebox::fleet
