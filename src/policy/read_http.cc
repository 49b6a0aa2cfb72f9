#include <algorithm>
#include <array>

#include "policy/http_path.h"
#include "policy/http_rule.h"
#include "policy/limits.h"
#include "policy/load.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

void read_host(const Source& source, const Node& node, HttpRule& rule) {
  const std::string* text = read_text(source, node, "host", kHostBytesMax + 2);
  if (text == nullptr) return;
  auto host = rule_host(*text);
  if (host)
    rule.host = std::move(*host);
  else
    source.problem(node, concat({"host: ", host.error().message}));
}

void read_path(const Source& source, const Node& node, HttpRule& rule) {
  const std::string* text = read_text(source, node, "path", kUrlBytesMax);
  if (text == nullptr) return;
  auto path = rule_path(*text, rule.path_match);
  if (path)
    rule.path = std::move(*path);
  else
    source.problem(node, concat({"path: ", path.error().message}));
}

void read_methods(const Source& source, ObjectReader& reader, bool deny, HttpRule& rule) {
  if (!reader.has("methods")) return;
  rule.methods.emplace();
  for (const Node& item : read_list(reader, "methods", kMethodsMax)) {
    const std::string* text = read_text(source, item, "method", kMethodBytesMax);
    if (text == nullptr) continue;
    if (const auto checked = check_method(*text, deny); !checked)
      source.problem(item, checked.error().message);
    else if (std::ranges::find(*rule.methods, *text) == rule.methods->end())
      rule.methods->push_back(*text);
  }
  const Node* node = reader.optional("methods");
  if (node->is_array() && node->elements().empty())
    source.problem(*node, "methods is empty, so the entry matches nothing");
}

HttpRule read_entry_object(const Source& source, const Node& node, bool deny) {
  HttpRule rule;
  ObjectReader reader = source.object(node, deny ? "deny entry" : "allow entry");
  read_table(reader, deny ? keys::kHttpDeny : keys::kHttpAllow, rule);
  if (!deny || reader.has("scheme")) rule.scheme = keys::kSchemeNames[reader.choice("scheme", 0, keys::kSchemeNames)];
  if (const Node* host = deny ? reader.optional("host") : reader.required("host")) read_host(source, *host, rule);
  if (!deny) rule.port = default_port(*rule.scheme);
  if (reader.has("port")) rule.port = static_cast<std::uint16_t>(read_number(reader, "port", 1, 1, 65535, Unit::count));
  if (!deny) rule.methods = std::vector<std::string>{"GET", "HEAD"};
  read_methods(source, reader, deny, rule);
  if (!deny) rule.path = "/";
  if (const Node* path = reader.optional("path")) read_path(source, *path, rule);
  if (deny && reader.has("allow_private"))
    reader.problem(*node.find("allow_private"), "allow_private belongs to allow entries; a deny entry grants nothing");
  if (deny && !reader.has("path") && reader.has("path_match"))
    reader.problem(*node.find("path_match"), "path_match says how path is compared, and this entry has no path");
  reader.finish();
  return rule;
}

void read_entries(const Source& source, ObjectReader& reader, std::string_view key, std::vector<HttpRule>& out) {
  const bool deny = key == "deny";
  for (const Node& item : read_list(reader, key, kHttpEntriesMax)) {
    if (item.is_object()) {
      out.push_back(read_entry_object(source, item, deny));
    } else if (item.is_string()) {
      auto rule = short_rule(item.string(), deny);
      if (rule)
        out.push_back(std::move(*rule));
      else
        source.problem(item, rule.error().message);
    } else {
      source.problem(item, concat({"an entry must be an object or a text like \"GET https://host/path*\", not ",
                                   to_string(item.kind())}));
    }
  }
}

void read_headers(const Source& source, ObjectReader& reader, std::string_view key, std::vector<std::string>& out) {
  if (!reader.has(key)) return;
  out.clear();
  for (const Node& item : read_list(reader, key, kHeaderNamesMax)) {
    const std::string* text = read_text(source, item, "header name", kHeaderNameBytesMax);
    if (text == nullptr) continue;
    auto name = header_name(*text);
    if (!name)
      source.problem(item, name.error().message);
    else if (std::ranges::find(out, *name) == out.end())
      out.push_back(std::move(*name));
  }
}

}  // namespace

void read_http(const Source& source, const Node& node, HttpRules& out) {
  ObjectReader reader = source.object(node, "http.request");
  if (!node.is_object()) return;
  refuse_registration(reader, node, "http.request");
  read_table(reader, keys::kHttp, out);
  read_entries(source, reader, "allow", out.allow);
  read_entries(source, reader, "deny", out.deny);
  read_headers(source, reader, "response_headers", out.response_headers);
  read_headers(source, reader, "request_headers", out.request_headers);
  reader.finish();
}

}  // namespace fusebox::policy::readers
