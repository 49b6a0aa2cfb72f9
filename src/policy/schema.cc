#include "policy/schema.h"

#include "base/json.h"
#include "policy/key_tables.h"
#include "policy/pretty.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::json::Writer;

constexpr std::string_view kSizePattern = R"(^[0-9]+(\.[0-9]+)? ?[kKMGT]?i?[bB](ytes)?$)";
constexpr std::string_view kDurationPattern = R"(^([0-9]+(\.[0-9]+)? ?(ns|us|ms|s|m|h))+$)";

template <class T>
void number_schema(Writer& out, const NumberKey<T>& key) {
  out.key(key.name).begin_object();
  out.key("description").string(key.doc);
  if (key.unit == Unit::count)
    out.key("type").string("integer");
  else
    out.key("type").begin_array().string("integer").string("string").end_array();
  out.key("minimum").unsigned_integer(key.min).key("maximum").unsigned_integer(key.max);
  if (key.unit != Unit::count) out.key("pattern").string(key.unit == Unit::bytes ? kSizePattern : kDurationPattern);
  out.key("default").unsigned_integer(T{}.*key.field).end_object();
}

// The fragment of a key with its own reader, with the description put in front.
void other_schema(Writer& out, const OtherKey& key) {
  Writer description;
  description.begin_object().key("description").string(key.doc);
  out.key(key.name).raw(concat({description.text(), ",", key.schema.substr(1)}));
}

// The members of one object of the document: {"type":"object",...}.
template <class T>
void table_schema(Writer& out, const KeyTable<T>& table, std::string_view also_required = {}) {
  out.begin_object().key("type").string("object").key("additionalProperties").boolean(false);
  out.key("properties").begin_object();
  for (const auto& key : table.others) other_schema(out, key);
  for (const auto& key : table.choices) {
    out.key(key.name).begin_object().key("description").string(key.doc).key("enum").begin_array();
    for (const std::string_view name : key.names) out.string(name);
    out.end_array().key("default").string(key.names[key.get(T{})]).end_object();
  }
  for (const auto& key : table.flags)
    out.key(key.name)
        .begin_object()
        .key("description")
        .string(key.doc)
        .key("type")
        .string("boolean")
        .key("default")
        .boolean(T{}.*key.field)
        .end_object();
  for (const auto& key : table.numbers) number_schema(out, key);
  out.end_object();
  std::vector<std::string_view> required;
  for (const auto& key : table.others)
    if (key.required) required.push_back(key.name);
  if (!also_required.empty()) required.push_back(also_required);
  if (!required.empty()) {
    out.key("required").begin_array();
    for (const std::string_view name : required) out.string(name);
    out.end_array();
  }
  out.end_object();
}

template <class T>
void definition(Writer& out, std::string_view name, const KeyTable<T>& table) {
  out.key(name);
  table_schema(out, table);
}

// An HTTP entry is an object or its short form.
void entry_schema(Writer& out, std::string_view name, const KeyTable<HttpRule>& table, std::string_view required) {
  out.key(name).begin_object().key("anyOf").begin_array();
  out.raw(
      R"({"type":"string","pattern":"^[A-Z][^ ]* +[a-zA-Z]+://","description":"short form: \"GET,POST https://host[:port]/path*\""})");
  table_schema(out, table, required);
  out.end_array().end_object();
}

void capabilities_schema(Writer& out) {
  out.key("capabilities").begin_object().key("type").string("object").key("properties").begin_object();
  for (const keys::HostCapability& host : keys::kHostCapabilities) {
    const std::string definition_name = concat({R"({"$ref":"#/$defs/)", host.id, R"("})"});
    out.key(host.id).raw(definition_name);
    if (!host.alias.empty()) out.key(host.alias).raw(definition_name);
  }
  out.end_object();
  out.key("propertyNames").raw(R"({"pattern":"^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$","maxLength":128})");
  out.key("additionalProperties").raw(R"({"$ref":"#/$defs/registered"})").end_object();
}

// Contract 8.6: the subset of JSON schema for arguments.
constexpr std::string_view kArgumentsSchema =
    R"({"type":"object","additionalProperties":false,"properties":{)"
    R"("type":{"anyOf":[{"$ref":"#/$defs/type_name"},{"type":"array","minItems":1,"items":{"$ref":"#/$defs/type_name"}}]},)"
    R"("properties":{"type":"object","additionalProperties":{"$ref":"#/$defs/arguments"}},)"
    R"("required":{"type":"array","items":{"type":"string"}},)"
    R"("additionalProperties":{"anyOf":[{"type":"boolean"},{"$ref":"#/$defs/arguments"}]},)"
    R"("items":{"$ref":"#/$defs/arguments"},"enum":{"type":"array","minItems":1},"const":{},)"
    R"("minimum":{"type":"number"},"maximum":{"type":"number"},)"
    R"("minLength":{"type":"integer","minimum":0},"maxLength":{"type":"integer","minimum":0},)"
    R"("minItems":{"type":"integer","minimum":0},"maxItems":{"type":"integer","minimum":0}}})";

// One line of the documentation's table.
void row(std::string& out, std::string_view object, std::string_view name, std::string_view type,
         std::string_view fallback, std::string_view doc) {
  out += concat({"| `", object, object.empty() ? "" : ".", name, "` | ", type, " | ", fallback, " | ", doc, " |\n"});
}

template <class T>
void rows(std::string& out, std::string_view object, const KeyTable<T>& table) {
  for (const auto& key : table.flags) row(out, object, key.name, "boolean", T{}.*key.field ? "true" : "false", key.doc);
  for (const auto& key : table.choices) {
    std::string names;
    for (const std::string_view name : key.names) names += concat({names.empty() ? "" : ", ", "`", name, "`"});
    row(out, object, key.name, names, concat({"`", key.names[key.get(T{})], "`"}), key.doc);
  }
  for (const auto& key : table.others) row(out, object, key.name, key.type, key.fallback, key.doc);
  for (const auto& key : table.numbers)
    row(out, object, key.name,
        concat({std::to_string(key.min), "..", std::to_string(key.max), readers::unit_text(key.unit)}),
        std::to_string(T{}.*key.field), key.doc);
}

}  // namespace

std::string schema_json() {
  Writer out;
  out.begin_object().key("$schema").string("https://json-schema.org/draft/2020-12/schema");
  out.key("title").string("Fusebox policy").key("$ref").string("#/$defs/policy").key("$defs").begin_object();
  definition(out, "policy", keys::kTop);
  definition(out, "limits", keys::kLimits);
  definition(out, "integrity", keys::kIntegrity);
  definition(out, "trusted_key", keys::kTrustedKey);
  definition(out, "input", keys::kInput);
  definition(out, "result", keys::kResult);
  capabilities_schema(out);
  definition(out, "log", keys::kLog);
  definition(out, "env", keys::kEnv);
  definition(out, "http.request", keys::kHttp);
  entry_schema(out, "http_allow", keys::kHttpAllow, "host");
  entry_schema(out, "http_deny", keys::kHttpDeny, {});
  definition(out, "fs.read", keys::kFsRead);
  definition(out, "fs.write", keys::kFsWrite);
  definition(out, "read_root", keys::kReadRoot);
  definition(out, "write_root", keys::kWriteRoot);
  definition(out, "registered", keys::kRegistered);
  out.key("arguments").raw(kArgumentsSchema);
  out.key("type_name").raw(R"({"enum":["null","boolean","integer","number","string","array","object"]})");
  definition(out, "audit", keys::kAudit);
  definition(out, "schedule", keys::kSchedule);
  out.end_object().end_object();
  return pretty_json(out.text());
}

std::string keys_markdown() {
  std::string out = "| key | values | default | meaning |\n|---|---|---|---|\n";
  rows(out, "", keys::kTop);
  rows(out, "limits", keys::kLimits);
  rows(out, "integrity", keys::kIntegrity);
  rows(out, "integrity.trusted_keys[]", keys::kTrustedKey);
  rows(out, "input", keys::kInput);
  rows(out, "result", keys::kResult);
  rows(out, "log", keys::kLog);
  rows(out, "env", keys::kEnv);
  rows(out, "http.request", keys::kHttp);
  rows(out, "http.request.allow[]", keys::kHttpAllow);
  rows(out, "fs.read, fs.write", keys::kFsRead);
  rows(out, "roots[]", keys::kWriteRoot);
  rows(out, "<id>", keys::kRegistered);
  rows(out, "audit", keys::kAudit);
  rows(out, "schedule", keys::kSchedule);
  return out;
}

}  // namespace fusebox::policy
