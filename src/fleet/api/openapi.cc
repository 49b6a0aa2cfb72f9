#include "fleet/api/openapi.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/json.h"
#include "base/json_text.h"
#include "fleet/api/schemas.h"

namespace fusebox::fleet {

namespace {

using base::json::Writer;

// Routes of one method and path: one operation of the document.
using Group = std::vector<const RouteSpec*>;

std::map<std::string_view, std::map<std::string, Group>> grouped() {
  std::map<std::string_view, std::map<std::string, Group>> paths;
  for (const RouteSpec& route : route_table()) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    paths[route.pattern][method].push_back(&route);
  }
  return paths;
}

void write_type(Writer& writer, std::string_view type);

void write_enum(Writer& writer, std::string_view type) {
  writer.key("type").string("string").key("enum").begin_array();
  while (true) {
    const std::size_t bar = type.find('|');
    writer.string(type.substr(0, bar));
    if (bar == std::string_view::npos) break;
    type.remove_prefix(bar + 1);
  }
  writer.end_array();
}

// The members of a schema object, without its braces.
void write_type_members(Writer& writer, std::string_view type) {
  if (type.front() == '#') {
    writer.key("$ref").string("#/components/schemas/" + std::string(type.substr(1)));
  } else if (type.front() == '[') {
    writer.key("type").string("array").key("items");
    write_type(writer, type.substr(1, type.size() - 2));
  } else if (type.front() == '{') {
    writer.key("type").string("object").key("additionalProperties");
    write_type(writer, type.substr(1, type.size() - 2));
  } else if (type == "int32" || type == "int64") {
    writer.key("type").string("integer").key("format").string(type);
  } else if (type == "number" || type == "string") {
    writer.key("type").string(type);
  } else if (type == "bool") {
    writer.key("type").string("boolean");
  } else if (type == "time") {
    writer.key("type").string("string").key("format").string("date-time");
  } else if (type.find('|') != std::string_view::npos) {
    write_enum(writer, type);
  }  // any: no member at all
}

void write_type(Writer& writer, std::string_view type) {
  writer.begin_object();
  write_type_members(writer, type);
  writer.end_object();
}

void write_field(Writer& writer, const SchemaField& field) {
  writer.key(field.name).begin_object();
  // Beside a $ref nothing else is heeded in 3.0: what else there is to say goes around it.
  if (field.type.front() == '#' && (field.fusebox || !field.text.empty())) {
    writer.key("allOf").begin_array();
    write_type(writer, field.type);
    writer.end_array();
  } else {
    write_type_members(writer, field.type);
  }
  if (!field.text.empty()) writer.key("description").string(field.text);
  if (field.fusebox) writer.key("x-fusebox").boolean(true);
  writer.end_object();
}

void write_schema(Writer& writer, const Schema& schema) {
  writer.key(schema.name).begin_object().key("type").string("object");
  if (!schema.fields.empty()) {
    writer.key("properties").begin_object();
    for (const SchemaField& field : schema.fields) write_field(writer, field);
    writer.end_object();
  }
  if (std::ranges::any_of(schema.fields, &SchemaField::required)) {
    writer.key("required").begin_array();
    for (const SchemaField& field : schema.fields) {
      if (field.required) writer.string(field.name);
    }
    writer.end_array();
  }
  if (schema.open) writer.key("additionalProperties").boolean(true);
  writer.end_object();
}

void write_path_parameters(Writer& writer, std::string_view pattern) {
  for (std::size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
    const std::string_view name = pattern.substr(at + 1, pattern.find('}', at) - at - 1);
    writer.begin_object().key("name").string(name).key("in").string("path").key("required").boolean(true);
    writer.key("schema");
    write_type(writer, "string");
    writer.end_object();
  }
}

void write_parameter(Writer& writer, const Parameter& parameter) {
  writer.begin_object().key("name").string(parameter.name);
  writer.key("in").string(parameter.header ? "header" : "query");
  if (parameter.required) writer.key("required").boolean(true);
  writer.key("description").string(parameter.text).key("schema");
  write_type(writer, parameter.type);
  if (parameter.fusebox) writer.key("x-fusebox").boolean(true);
  writer.end_object();
}

void write_action(Writer& writer, const Group& group) {
  const bool may_lack = std::ranges::any_of(group, [](const RouteSpec* route) { return route->action.empty(); });
  writer.begin_object().key("name").string("action").key("in").string("query");
  if (!may_lack) writer.key("required").boolean(true);
  writer.key("schema").begin_object().key("type").string("string").key("enum").begin_array();
  for (const RouteSpec* route : group) {
    if (!route->action.empty()) writer.string(route->action);
  }
  writer.end_array().end_object().end_object();
}

void write_parameters(Writer& writer, const Group& group) {
  writer.key("parameters").begin_array();
  write_path_parameters(writer, group.front()->pattern);
  if (std::ranges::any_of(group, [](const RouteSpec* route) { return !route->action.empty(); })) {
    write_action(writer, group);
  }
  std::set<std::string_view> told;
  for (const RouteSpec* route : group) {
    for (const Parameter& parameter : route->parameters) {
      if (told.insert(parameter.name).second) write_parameter(writer, parameter);
    }
  }
  writer.end_array();
}

// One schema, or any of several.
void write_any_of(Writer& writer, const std::set<std::string_view>& names) {
  writer.begin_object();
  if (names.size() > 1) writer.key("anyOf").begin_array();
  for (const std::string_view name : names) {
    if (names.size() > 1) writer.begin_object();
    writer.key("$ref").string("#/components/schemas/" + std::string(name));
    if (names.size() > 1) writer.end_object();
  }
  if (names.size() > 1) writer.end_array();
  writer.end_object();
}

void write_request_body(Writer& writer, const Group& group) {
  std::set<std::string_view> schemas;
  bool bytes = false;
  bool required = group.size() == 1;
  for (const RouteSpec* route : group) {
    if (!route->request.empty()) schemas.insert(route->request);
    bytes = bytes || route->body == BodyRule::bytes;
    required = required && route->body == BodyRule::required_json;
  }
  if (schemas.empty() && !bytes) return;
  writer.key("requestBody").begin_object();
  if (required) writer.key("required").boolean(true);
  writer.key("content").begin_object();
  if (bytes) {
    writer.key("application/octet-stream").begin_object().key("schema").begin_object();
    writer.key("type").string("string").key("format").string("binary").end_object().end_object();
  } else {
    writer.key("application/json").begin_object().key("schema");
    write_any_of(writer, schemas);
    writer.end_object();
  }
  writer.end_object().end_object();
}

// Content type -> schemas of one status.
using Contents = std::map<std::string_view, std::set<std::string_view>>;

void add_success(Contents& contents, const RouteSpec& route, int status) {
  if (route.answer == AnswerKind::upgrade) return;
  if (status == 202 && route.answer == AnswerKind::empty) {
    contents["application/json"].insert("Snapshot");
    return;
  }
  if (route.answer == AnswerKind::empty) return;
  auto& schemas = contents[content_type_of(route.answer)];
  if (!route.response.empty() && route.id != RouteId::read_file) schemas.insert(route.response);
  if (route.id == RouteId::read_file) {
    contents["application/json"].insert(route.response);
    contents["application/x-tar"];
  }
}

void write_contents(Writer& writer, const Contents& contents) {
  if (contents.empty()) return;
  writer.key("content").begin_object();
  for (const auto& [type, schemas] : contents) {
    writer.key(type).begin_object().key("schema");
    if (schemas.empty()) {
      writer.begin_object().key("type").string("string");
      if (!type.starts_with("text/")) writer.key("format").string("binary");
      writer.end_object();
    } else {
      write_any_of(writer, schemas);
    }
    writer.end_object();
  }
  writer.end_object();
}

std::string_view sentence(int status) noexcept {
  switch (status) {
    case 101:
      return "the connection speaks the asked protocol from here on";
    case 200:
      return "done";
    case 201:
      return "made";
    case 202:
      return "accepted; Location says where it can be watched";
    case 204:
      return "done, nothing to say";
    case 400:
      return "the request is wrong";
    case 401:
      return "no credentials, or wrong ones";
    case 403:
      return "not for this caller";
    case 404:
      return "there is no such thing";
    case 405:
      return "not with this method";
    case 409:
      return "not in this state";
    case 413:
      return "the body is too large";
    case 429:
      return "too many requests";
    case 500:
      return "it failed";
    case 501:
      return "the provider cannot do this";
    case 502:
      return "the host's agent cannot be used";
    default:
      return "not now; trying again may help";
  }
}

void write_headers(Writer& writer, const Group& group, int status) {
  if (group.front()->access == Access::open) return;
  writer.key("headers").begin_object();
  writer.key("X-Request-ID").begin_object().key("$ref").string("#/components/headers/RequestId").end_object();
  if (status == 202) {
    writer.key("Location").begin_object().key("$ref").string("#/components/headers/Location").end_object();
  }
  if (status == 429 || status == 503) {
    writer.key("Retry-After").begin_object().key("$ref").string("#/components/headers/RetryAfter").end_object();
  }
  writer.end_object();
}

void write_responses(Writer& writer, const Group& group) {
  std::map<int, Contents> responses;
  for (const RouteSpec* route : group) {
    for (const int status : statuses_of(*route)) {
      Contents& contents = responses[status];
      if (status < 300) {
        add_success(contents, *route, status);
      } else {
        contents["application/json"].insert(route->id == RouteId::ready ? "Ready" : "Error");
      }
    }
  }
  writer.key("responses").begin_object();
  for (const auto& [status, contents] : responses) {
    writer.key(std::to_string(status)).begin_object().key("description").string(sentence(status));
    write_headers(writer, group, status);
    write_contents(writer, contents);
    writer.end_object();
  }
  writer.end_object();
}

std::string operation_id(const Group& group) {
  std::string id(group.front()->method);
  for (const char c : group.front()->pattern) {
    if (c == '/' || c == '-' || c == '.') id += '_';
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) id += c;
  }
  return id;
}

std::string summary_of(const Group& group) {
  if (group.size() == 1) return std::string(group.front()->summary);
  std::string text;
  for (const RouteSpec* route : group) {
    if (!text.empty()) text += "; ";
    if (!route->action.empty()) text += std::string(route->action) + ": ";
    text += route->summary;
  }
  return text;
}

void write_operation(Writer& writer, const std::string& method, const Group& group) {
  writer.key(method).begin_object();
  writer.key("operationId").string(operation_id(group)).key("summary").string(summary_of(group));
  if (std::ranges::all_of(group, &RouteSpec::fusebox)) writer.key("x-fusebox").boolean(true);
  writer.key("x-scopes").begin_array();
  std::set<std::string_view> scopes;
  for (const RouteSpec* route : group) {
    if (!route->act) continue;
    const std::string_view scope = to_string(rule_of(*route->act).scope);
    if (scopes.insert(scope).second) writer.string(scope);
  }
  writer.end_array();
  if (group.front()->access != Access::caller && group.front()->id != RouteId::metrics) {
    writer.key("security").begin_array().end_array();
  }
  write_parameters(writer, group);
  write_request_body(writer, group);
  write_responses(writer, group);
  writer.end_object();
}

void write_components(Writer& writer) {
  writer.key("components").begin_object();
  writer.key("securitySchemes").begin_object();
  writer.key("token").begin_object().key("type").string("http").key("scheme").string("bearer").end_object();
  writer.key("session").begin_object().key("type").string("apiKey").key("in").string("cookie");
  writer.key("name").string("fuse_session").end_object().end_object();
  writer.key("headers").begin_object();
  writer.key("RequestId").begin_object().key("schema");
  write_type(writer, "string");
  writer.end_object().key("Location").begin_object().key("schema");
  write_type(writer, "string");
  writer.end_object().key("RetryAfter").begin_object().key("schema");
  write_type(writer, "int32");
  writer.end_object().end_object();
  writer.key("schemas").begin_object();
  for (const Schema& schema : schema_table()) write_schema(writer, schema);
  writer.end_object().end_object();
}

void append_yaml(std::string& out, const base::json::Node& node, std::size_t depth);

void append_scalar(std::string& out, const base::json::Node& node) {
  using base::json::Kind;
  switch (node.kind()) {
    case Kind::boolean:
      out += node.boolean() ? "true" : "false";
      break;
    case Kind::integer:
      out += (node.negative() ? "-" : "") + std::to_string(node.magnitude());
      break;
    case Kind::number:
      base::json::append_number(out, node.number());
      break;
    case Kind::string:
      base::json::append_quoted(out, node.string());
      break;
    default:
      out += "null";
      break;
  }
}

bool is_block(const base::json::Node& node) {
  return (node.is_object() || node.is_array()) && !node.elements().empty();
}

// Behind a key or a dash: a block on the next lines, or a scalar on this one.
void append_value(std::string& out, const base::json::Node& node, std::size_t depth) {
  if (is_block(node)) {
    out += '\n';
    append_yaml(out, node, depth);
    return;
  }
  out += ' ';
  if (node.is_object()) {
    out += "{}";
  } else if (node.is_array()) {
    out += "[]";
  } else {
    append_scalar(out, node);
  }
  out += '\n';
}

void append_yaml(std::string& out, const base::json::Node& node, std::size_t depth) {
  for (std::size_t at = 0; at < node.elements().size(); ++at) {
    out.append(depth * 2, ' ');
    if (node.is_array()) {
      out += '-';
    } else {
      base::json::append_quoted(out, node.keys()[at]);
      out += ':';
    }
    append_value(out, node.elements()[at], depth + 1);
  }
}

}  // namespace

std::string_view content_type_of(AnswerKind kind) noexcept {
  switch (kind) {
    case AnswerKind::text:
      return "text/plain";
    case AnswerKind::yaml:
      return "application/yaml";
    case AnswerKind::bytes:
      return "application/octet-stream";
    case AnswerKind::ndjson:
      return "application/x-ndjson";
    case AnswerKind::events:
      return "text/event-stream";
    default:
      return "application/json";
  }
}

std::set<int> statuses_of(const RouteSpec& route) {
  std::set<int> statuses(route.statuses.begin(), route.statuses.end());
  statuses.insert(route.success);
  statuses.insert(405);
  if (route.access == Access::listed) statuses.insert(403);
  if (route.access == Access::caller) statuses.insert({401, 403, 429, 500, 503});
  if (route.body_bytes_max != 0) statuses.insert(413);
  statuses.insert(400);  // of any route: what is not HTTP, or a header nobody can read
  if (route.idempotent) statuses.insert(409);
  return statuses;
}

std::string openapi_json(std::string_view product_version) {
  Writer writer;
  writer.begin_object().key("openapi").string("3.0.3");
  writer.key("info").begin_object().key("title").string("Fusebox control plane");
  writer.key("version").string(product_version);
  writer.key("description")
      .string("Sandboxes on one machine or many. x-fusebox marks what other control planes of this API do not have.");
  writer.end_object();
  writer.key("security").begin_array();
  writer.begin_object().key("token").begin_array().end_array().end_object();
  writer.begin_object().key("session").begin_array().end_array().end_object();
  writer.end_array();
  writer.key("paths").begin_object();
  for (const auto& [pattern, operations] : grouped()) {
    writer.key(pattern).begin_object();
    for (const auto& [method, group] : operations) write_operation(writer, method, group);
    writer.end_object();
  }
  writer.end_object();
  write_components(writer);
  writer.end_object();
  std::string text = writer.take();
  text += '\n';
  return text;
}

std::string openapi_yaml(std::string_view product_version) {
  const auto document = base::json::parse(openapi_json(product_version));
  std::string out;
  if (document) append_yaml(out, *document->root, 0);
  return out;
}

}  // namespace fusebox::fleet
