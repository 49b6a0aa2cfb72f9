#include "edge/config/app_config.h"

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "edge/config/names.h"
#include "edge/config/read_app.h"
#include "edge/config/values.h"

namespace fusebox::edge::config {
namespace {

using base::in_quotes;
using base::json::Node;
using base::json::ObjectReader;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

bool is_identifier(std::string_view name) noexcept {
  const auto letter = [](char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; };
  const auto part = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::ranges::all_of(name, part);
}

// The text of a required key; null when absent or wrong.
const Node* read_text(const Source& source, ObjectReader& reader, std::string_view key, std::size_t bytes_max) {
  const Node* node = reader.required(key);
  if (node == nullptr) return nullptr;
  if (!node->is_string()) {
    source.error(*node, std::string(key) + " must be a string, not " + given(*node));
  } else if (node->string().empty()) {
    source.error(*node, std::string(key) + " is empty");
  } else if (node->string().size() > bytes_max) {
    source.error(*node, std::string(key) + " is " + std::to_string(node->string().size()) +
                            " bytes long; allowed are at most " + std::to_string(bytes_max));
  } else if (node->string().find('\0') != std::string::npos) {
    source.error(*node, std::string(key) + " contains a NUL");
  } else {
    return node;
  }
  return nullptr;
}

void read_module_name(const Source& source, ObjectReader& reader, std::vector<ModuleConfig>& before,
                      ModuleConfig& out) {
  const Node* node = read_text(source, reader, "name", kModuleNameBytesMax);
  if (node == nullptr) return;
  if (!is_identifier(node->string())) {
    source.error(*node, "module name " + in_quotes(node->string()) +
                            " must be a C identifier: letters, digits and _, not beginning with a digit");
    return;
  }
  const auto other =
      std::ranges::find(before, lower(node->string()), [](const ModuleConfig& module) { return lower(module.name); });
  if (other != before.end())
    source.error(*node, other->name == node->string()
                            ? "module name " + in_quotes(node->string()) + " is used twice"
                            : "module names " + in_quotes(other->name) + " and " + in_quotes(node->string()) +
                                  " differ in upper and lower case only");
  out.name = node->string();
}

ModuleConfig read_module(const Source& source, const Node& node, const PolicyContext& context, bool strict,
                         std::vector<ModuleConfig>& before) {
  ModuleConfig out;
  ObjectReader reader = source.object(node, "module");
  if (!node.is_object()) return out;
  read_module_name(source, reader, before, out);
  if (const Node* binary = read_text(source, reader, "binary", kBinaryBytesMax)) out.binary = binary->string();
  if (const Node* policy = reader.required("policy")) read_policy(source, *policy, context, out.policy);
  finish(source, reader, strict);
  return out;
}

void read_modules(const Source& source, const Node& node, bool strict, AppConfig& out) {
  if (!node.is_array()) {
    source.error(node, "modules must be a list, not " + given(node));
    return;
  }
  const std::size_t count = node.elements().size();
  const std::uint32_t allowed = out.max_modules == 0 ? kConfigModulesMax : out.max_modules;
  if (count == 0) source.error(node, "modules is empty; leave the key out for a deployment without modules");
  if (count > allowed)
    source.error(node, "modules has " + std::to_string(count) + " entries; application.max_modules allows " +
                           std::to_string(allowed));
  PolicyContext context;
  context.events = out.events;
  context.groups = out.hal_mask;
  for (const Node& item : node.elements().first(std::min<std::size_t>(count, kConfigModulesMax)))
    out.modules.push_back(read_module(source, item, context, strict, out.modules));
}

// Contract 6.4: who may post where nobody listens.
void warn_about_posts(const Source& source, const Node& modules, const AppConfig& config) {
  const bool heard = std::ranges::any_of(
      config.modules, [](const ModuleConfig& module) { return module.policy.policy.event_subscribe != 0; });
  for (std::size_t i = 0; !heard && i < config.modules.size(); ++i)
    if ((config.modules[i].policy.policy.capabilities & FUSE_CAP_EVENT_POST) != 0)
      source.warning(*modules.elements()[i].find("policy")->find("capabilities"),
                     "EVENT_POST is granted, and no module subscribes to any event");
}

AppConfig read_document(const Source& source, const Node& root, bool strict) {
  AppConfig out;
  out.options.size = sizeof out.options;
  ObjectReader reader = source.object(root, "app_config");
  if (!root.is_object()) return out;
  if (const Node* application = reader.required("application")) read_application(source, *application, strict, out);
  const Node* modules = reader.optional("modules");
  if (modules != nullptr) read_modules(source, *modules, strict, out);
  finish(source, reader, strict);
  if (modules != nullptr && source.notes.ok()) warn_about_posts(source, *modules, out);
  return out;
}

}  // namespace

bool is_free_key(std::string_view key) noexcept {
  return key == "$schema" || key == "description" || key.starts_with("x-");
}

void finish(const Source& source, ObjectReader& reader, bool strict) {
  reader.finish(strict ? source.notes.errors : source.notes.warnings, &is_free_key);
}

std::optional<AppConfig> parse_app_config(std::string_view text, std::string file, const ConfigOptions& options,
                                          Notes& notes) {
  const std::size_t before = notes.errors.count();
  const auto document =
      base::json::parse(text, {.file = std::move(file), .bytes_max = kConfigBytesMax, .pointers = true}, notes.errors);
  AppConfig out;
  if (document) out = read_document({*document, notes}, *document->root, options.strict);
  if (notes.errors.count() != before) return std::nullopt;
  return out;
}

base::Result<std::optional<AppConfig>> load_app_config(const std::filesystem::path& file, const ConfigOptions& options,
                                                       Notes& notes) {
  FB_TRY(const std::string text, base::read_file(file, kConfigBytesMax));
  return parse_app_config(text, file.string(), options, notes);
}

}  // namespace fusebox::edge::config
