#include <algorithm>
#include <array>

#include "policy/capability_id.h"
#include "policy/limits.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

using base::json::Kind;

constexpr std::array<std::string_view, 7> kTypeNames = {"null",   "boolean", "integer", "number",
                                                        "string", "array",   "object"};
// Contract 8.6: the subset of JSON schema that arguments are checked by.
constexpr std::array<std::string_view, 13> kSchemaKeys = {"type",    "properties", "required",  "additionalProperties",
                                                          "items",   "enum",       "const",     "minimum",
                                                          "maximum", "minLength",  "maxLength", "minItems",
                                                          "maxItems"};

// Recursion ends at json::kDepthMax, which the document has been read under.
void check_schema(const Source& source, const Node& node);

void check_type_name(const Source& source, const Node& node) {
  if (!node.is_string() || std::ranges::find(kTypeNames, node.string()) == kTypeNames.end())
    source.problem(node, concat({"type must be one of ", join(kTypeNames)}));
}

void check_type(const Source& source, const Node& node) {
  if (!node.is_array()) return check_type_name(source, node);
  if (node.elements().empty()) source.problem(node, "type is an empty list, so nothing would be accepted");
  for (const Node& item : node.elements()) check_type_name(source, item);
}

void check_required(const Source& source, const Node& node) {
  if (!node.is_array()) return source.problem(node, "required must be a list of names");
  for (const Node& item : node.elements())
    if (!item.is_string()) source.problem(item, concat({"required must hold strings, not ", to_string(item.kind())}));
}

void check_count(const Source& source, const Node& node, std::string_view key) {
  if (!node.as_u64()) source.problem(node, concat({key, " must be an integer of 0 or more"}));
}

void check_bound(const Source& source, const Node& node, std::string_view key) {
  if (node.kind() != Kind::integer && node.kind() != Kind::number)
    source.problem(node, concat({key, " must be a number, not ", to_string(node.kind())}));
}

void check_order(const Source& source, const Node& node, std::string_view low_key, std::string_view high_key) {
  const Node* low = node.find(low_key);
  const Node* high = node.find(high_key);
  if (low == nullptr || high == nullptr) return;
  const auto is_number = [](const Node& n) { return n.kind() == Kind::integer || n.kind() == Kind::number; };
  if (is_number(*low) && is_number(*high) && low->number() > high->number())
    source.problem(*high, concat({high_key, " is below ", low_key, ", so nothing would be accepted"}));
}

void check_schema_key(const Source& source, const std::string& key, const Node& value) {
  if (key == "type") return check_type(source, value);
  if (key == "required") return check_required(source, value);
  if (key == "items") return check_schema(source, value);
  if (key == "const") return;
  if (key == "minimum" || key == "maximum") return check_bound(source, value, key);
  if (key == "enum") {
    if (!value.is_array() || value.elements().empty())
      source.problem(value, "enum must be a list with at least one value");
    return;
  }
  if (key == "additionalProperties") {
    if (value.kind() != Kind::boolean) check_schema(source, value);
    return;
  }
  if (key == "properties") {
    if (!value.is_object()) return source.problem(value, "properties must be an object of schemas");
    for (const Node& property : value.elements()) check_schema(source, property);
    return;
  }
  check_count(source, value, key);
}

void check_schema(const Source& source, const Node& node) {
  ObjectReader reader = source.object(node, "arguments schema");
  if (!node.is_object()) return;
  for (const std::string_view key : kSchemaKeys) reader.has(key);
  reader.finish();
  for (std::size_t i = 0; i < node.keys().size(); ++i)
    if (std::ranges::find(kSchemaKeys, node.keys()[i]) != kSchemaKeys.end())
      check_schema_key(source, node.keys()[i], node.elements()[i]);
  check_order(source, node, "minimum", "maximum");
  check_order(source, node, "minLength", "maxLength");
  check_order(source, node, "minItems", "maxItems");
}

}  // namespace

void read_registered(const Source& source, const Node& node, std::string_view id, RegisteredCapability& out) {
  ObjectReader reader = source.object(node, concat({"capability ", in_quotes(id)}));
  if (!node.is_object()) return;
  read_table(reader, keys::kRegistered, out);
  if (const Node* arguments = reader.optional("arguments")) {
    check_schema(source, *arguments);
    out.arguments_schema = base::json::canonical(*arguments);
  }
  for (const Node& item : read_list(reader, "hosts", 64)) {
    const std::string* text = read_text(source, item, "hosts", kCapabilityIdBytesMax);
    if (text == nullptr) continue;
    const std::string_view host = host_capability(*text);
    if (host.empty())
      source.problem(item, concat({"hosts: ", in_quotes(*text),
                                   " is no host capability; they are log, env, http.request, fs.read, fs.write"}));
    else if (std::ranges::find(out.hosts, host) == out.hosts.end())
      out.hosts.emplace_back(host);
  }
  std::ranges::sort(out.hosts);
  reader.finish();
}

}  // namespace fusebox::policy::readers
