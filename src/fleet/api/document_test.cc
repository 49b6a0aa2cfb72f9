// Every field of every answer against the document's tables: nothing undocumented is sent, nothing documented is missing,
// every type is what it says.
#include <gmock/gmock.h>

#include <set>

#include "fleet/api/api_test_support.h"
#include "fleet/api/openapi.h"
#include "fleet/api/schemas.h"

namespace fusebox::fleet::test {
namespace {

using base::json::Kind;
using base::json::Node;

// What is wrong with `node` as this type; "" = nothing.
std::string mismatch(const Node& node, std::string_view type, std::string where) {
  const auto bad = [&] { return where + " is " + std::string(to_string(node.kind())) + ", not " + std::string(type); };
  if (type == "any") return {};
  if (type.front() == '#') {
    const Schema* schema = find_schema(type.substr(1));
    if (!node.is_object()) return bad();
    std::set<std::string_view> known;
    for (const SchemaField& field : schema->fields) {
      known.insert(field.name);
      const Node* member = node.find(field.name);
      if (member == nullptr && field.required) return where + '.' + std::string(field.name) + " is missing";
      if (member == nullptr) continue;
      std::string inner = mismatch(*member, field.type, where + '.' + std::string(field.name));
      if (!inner.empty()) return inner;
    }
    for (const std::string& key : node.keys()) {
      if (!schema->open && !known.contains(key)) return where + '.' + key + " is not documented";
    }
    return {};
  }
  if (type.front() == '[' || type.front() == '{') {
    if (type.front() == '[' ? !node.is_array() : !node.is_object()) return bad();
    for (const Node& item : node.elements()) {
      std::string inner = mismatch(item, type.substr(1, type.size() - 2), where + "[]");
      if (!inner.empty()) return inner;
    }
    return {};
  }
  if (type == "bool") return node.kind() == Kind::boolean ? "" : bad();
  if (type == "int32" || type == "int64") return node.kind() == Kind::integer ? "" : bad();
  if (type == "number") return node.kind() == Kind::integer || node.kind() == Kind::number ? "" : bad();
  if (!node.is_string()) return bad();
  if (type == "time") return base::parse_rfc3339(node.string()) ? "" : bad();
  if (type == "string") return {};
  for (std::string_view rest = type; !rest.empty();) {
    const std::size_t bar = std::min(rest.find('|'), rest.size());
    if (rest.substr(0, bar) == node.string()) return {};
    rest.remove_prefix(std::min(bar + 1, rest.size()));
  }
  return where + " is \"" + node.string() + "\", none of " + std::string(type);
}

void conforms(const std::string& body, std::string_view schema) {
  const auto document = base::json::parse(body);
  ASSERT_TRUE(document) << body;
  EXPECT_EQ(mismatch(*document->root, "#" + std::string(schema), std::string(schema)), "") << body;
}

// The fields an answer has, against those the table promises. `may_lack`: what these rows cannot show.
void shows_all(const std::string& json, std::string_view schema, std::set<std::string_view> may_lack = {}) {
  conforms(json, schema);
  const auto document = base::json::parse(json);
  ASSERT_TRUE(document);
  for (const SchemaField& field : find_schema(schema)->fields) {
    EXPECT_TRUE(document->root->find(field.name) != nullptr || may_lack.contains(field.name))
        << schema << '.' << field.name << " in " << json;
  }
}

EnvironmentRow whole_environment() {
  EnvironmentRow row = some_environment("fuse-a", "host-1");
  row.spec_json = R"({"cpus":2,"ram_mb":768,"labels":{"a":"b"},"arch":"arm64","backend":"wasm","huge_pages":true})";
  row.endpoints_json = R"([{"as":"web","url":"1.2.3.4:80","port":80,"protocol":"udp"}])";
  row.health_json = R"({"state":"passing","since":"2026-01-01T00:00:00Z","failures":1,"message":"m"})";
  return row;
}

SnapshotRow whole_snapshot() {
  SnapshotRow row;
  row.snapshot_id = "snap-1";
  row.vm_id = "fuse-a";
  row.task_id = row.tenant_id = row.parent_snapshot_id = row.host_id = row.backend = row.digest = row.layer_key = "x";
  row.mode = "build";
  row.arch = "amd64";
  row.kind = "live";
  row.size_bytes = 1;
  row.retention_until = row.created_at = row.updated_at = std::chrono::seconds{1'700'000'000};
  row.last_error = "e";
  row.metadata_json = R"({"comment":"c","name":"n","export_ref":"r"})";
  return row;
}

TEST(Document, DescribesRenderedObjectsFieldByField) {
  const std::string environment = render_environment(whole_environment());
  shows_all(with_unreachable_host(environment), "Environment");
  shows_all(render_snapshot(whole_snapshot()), "Snapshot", {"exports"});
  HostRow host = some_host("h1");
  host.mig_instances_json = R"([{"uuid":"u","profile":"1g.5gb"}])";
  host.gpu_devices_json = R"([{"uuid":"u","memory_mb":1,"mig_capable":true}])";
  const Reader::BoundDevices bound{{"gpu-1"}, {"mig-1"}, {{"1g.5gb", 1}}};
  shows_all(render_host(host, bound, {"declared cpus (9) exceeds probed host capacity (8)"}), "Host");
  shows_all(state_event(whole_environment(), "running", std::chrono::seconds{1'700'000'000}).insert(1, R"("id":"x",)"),
            "Event",
            {"index", "total", "key", "cached", "miss_reason", "miss_detail", "duration_ms", "exit_code", "payload"});
}

// Every route: a success in its documented shape.
TEST(Document, DescribesEverySuccess) {
  ApiServer server;
  server.add_environment("fuse-a", [](EnvironmentRow& row) { row.host_id = "h1"; });
  const std::string environment = render_environment(whole_environment());
  server.write([](Tx& tx) -> base::Result<void> {
    tx.put_host(some_host("h1"));
    SnapshotRow row = whole_snapshot();
    tx.insert_snapshot(row);
    tx.insert_operation(some_operation("op_1", "fuse-a"));
    DeadLetterRow letter;
    letter.kind = letter.entity_id = letter.reason = letter.task_id = "x";
    letter.first_seen_at = letter.last_seen_at = std::chrono::seconds{1};
    tx.put_dead_letter(letter);
    tx.add_event({0, "vm", "fuse-a", "vm.running", "{}", std::chrono::seconds{1}});
    return {};
  });
  struct Case {
    const char *method, *target, *body, *schema;
    int status;
    std::string answer;
  };
  const std::string snapshot = render_snapshot(whole_snapshot());
  const std::vector<Case> cases = {
      {"GET", "/health", "", "Health", 200, ""},
      {"GET", "/ready", "", "Ready", 200, ""},
      {"GET", "/v1/version", "", "Version", 200, ""},
      {"GET", "/v1/environments", "", "EnvironmentList", 200, ""},
      {"GET", "/v1/environments?limit=1", "", "EnvironmentList", 200, ""},
      {"GET", "/v1/environments/fuse-a", "", "Environment", 200, ""},
      {"POST", "/v1/environments", R"({"task_id":"a"})", "Environment", 201, environment},
      {"POST", "/v1/environments", R"({"task_id":"a"})", "Environment", 202, environment},
      {"POST", "/v1/environments/fuse-a?action=drain", "", "Environment", 200, environment},
      {"POST", "/v1/environments/fuse-a?action=fork", "", "Environment", 201, environment},
      {"POST", "/v1/environments/fuse-a?action=migrate", "", "Environment", 200, environment},
      {"POST", "/v1/environments/fuse-a?action=exec", R"({"cmd":["a"]})", "ExecResult", 200, ""},
      {"GET", "/v1/environments/fuse-a/files?path=/&list=1", "", "FileList", 200, ""},
      {"PUT", "/v1/environments/fuse-a/files?path=/a", "x", "WrittenFile", 201, ""},
      {"POST", "/v1/environments/fuse-a/snapshots", "", "Snapshot", 201, snapshot},
      {"GET", "/v1/snapshots", "", "SnapshotList", 200, ""},
      {"GET", "/v1/snapshots/snap-1", "", "Snapshot", 200, ""},
      {"GET", "/v1/snapshots/resolve?layer_key=k&arch=arm64", "", "ResolvedSnapshot", 200, ""},
      {"POST", "/v1/snapshots/snap-1?action=fork", "", "Environment", 201, environment},
      {"POST", "/v1/snapshots/snap-1?action=restore", "", "Snapshot", 202, snapshot},
      {"POST", "/v1/hosts", R"({"id":"h1","url":"http://h:1","capacity":{"vm_count":1}})", "Host", 201,
       render_host(some_host("h1"), {})},
      {"POST", "/v1/hosts?action=explain", R"({"spec":{}})", "Explanation", 200, ""},
      {"GET", "/v1/hosts", "", "HostList", 200, ""},
      {"GET", "/v1/hosts/h1", "", "Host", 200, ""},
      {"POST", "/v1/api-keys", R"({"label":"a","tenant_id":"t","expires_in_seconds":60})", "CreatedKey", 201, ""},
      {"GET", "/v1/api-keys?limit=1", "", "KeyList", 200, ""},
      {"GET", "/v1/operations", "", "OperationList", 200, ""},
      {"GET", "/v1/operations/op_1", "", "Operation", 200, ""},
      {"GET", "/v1/audit?limit=1", "", "AuditList", 200, ""},
      {"GET", "/v1/dead-letters", "", "DeadLetterList", 200, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.method) + ' ' + c.target);
    if (!c.answer.empty()) server.engine->answer_with({c.status, c.answer, c.status == 202 ? "/x" : "", false});
    const Received received = server.ask(c.method, c.target, c.body);
    EXPECT_EQ(received.status, c.status) << received.body;
    conforms(received.body, c.schema);
  }
}

// A body each route takes, so that it reaches the engine.
std::string good_body(const RouteSpec& route) {
  switch (route.id) {
    case RouteId::create_environment:
      return R"({"task_id":"a"})";
    case RouteId::exec:
      return R"({"cmd":["a"]})";
    case RouteId::computer_action:
      return R"({"action":"a"})";
    case RouteId::put_secrets:
      return R"({"secrets":{}})";
    case RouteId::register_host:
      return R"({"id":"h1","url":"http://h:1","capacity":{"vm_count":1}})";
    case RouteId::explain:
      return R"({"spec":{}})";
    default:
      return route.request.empty() ? "" : "{}";
  }
}

std::string target_of(const RouteSpec& route) {
  std::string target(route.pattern);
  if (const std::size_t at = target.find('{'); at != std::string::npos) {
    target.replace(at, target.find('}') - at + 1, "fuse-a");
  }
  target += route.action.empty() ? "?x=y" : "?action=" + std::string(route.action);
  return target + "&path=/a&tty=1&cmd=a&layer_key=k&arch=arm64";
}

std::vector<http::Header> headers_of(const RouteSpec& route) {
  if (route.answer != AnswerKind::upgrade) return {};
  for (const Parameter& parameter : route.parameters) {
    if (parameter.name == "Upgrade") return {{"Upgrade", std::string(parameter.text)}};
  }
  return {};
}

// Every route, every refusal it may give: in the envelope, with its status, and listed.
TEST(Document, ListsEveryRefusal) {
  ApiServer server;
  server.add_environment("fuse-a");
  for (const RouteSpec& route : route_table()) {
    if (route.access != Access::caller) continue;
    SCOPED_TRACE(std::string(route.method) + ' ' + std::string(route.pattern) + ' ' + std::string(route.action));
    const std::set<int> listed = statuses_of(route);
    const auto expect_listed = [&listed](const Received& received) {
      EXPECT_TRUE(listed.contains(received.status)) << received.status << ' ' << received.body;
      conforms(received.body, "Error");
    };
    expect_listed(server.ask(route.method, target_of(route), good_body(route), headers_of(route), ""));
    expect_listed(server.ask(route.method, target_of(route), good_body(route), headers_of(route),
                             server.add_key([](ApiKeyRow& row) { row.scopes = std::vector<std::string>{}; })));
    if (route.body_bytes_max != 0 && route.body != BodyRule::bytes) {
      const Received large =
          server.ask(route.method, target_of(route), std::string(route.body_bytes_max + 1, ' '), headers_of(route));
      EXPECT_EQ(large.status, 413);
      expect_listed(large);
    }
    for (const int status : route.statuses) {
      if (status < 400 || route.answer == AnswerKind::events) continue;  // an event stream asks no engine
      server.engine->fail_with(refuse(status, "scripted").error());
      const Received received = server.ask(route.method, target_of(route), good_body(route), headers_of(route));
      if (received.status >= 400) expect_listed(received);
    }
    server.engine->fail_with({});
  }
}

TEST(Document, ListsNoRouteTheServerLacks) {
  ApiServer server;
  for (const RouteSpec& route : route_table()) {
    const int status = server.ask(route.method, target_of(route), "", headers_of(route), "").status;
    EXPECT_TRUE(status != 405 && status != 0) << route.method << ' ' << route.pattern;
    if (status == 404) {
      EXPECT_NE(server.ask(route.method, target_of(route)).code(), "route_not_found") << route.pattern;
    }
  }
}

}  // namespace
}  // namespace fusebox::fleet::test
