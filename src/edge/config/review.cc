#include "edge/config/review.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/files.h"
#include "base/text.h"
#include "edge/config/keys.h"
#include "edge/config/names.h"
#include "policy/limits.h"

namespace fusebox::edge::config {
namespace {

using base::json::Document;
using base::json::Node;
using policy::ChangeKind;
using policy::Severity;

enum class Kind : std::uint8_t { other, policy, deployment };

// No JSON text holds a NUL, and no policy in use lacks one.
bool is_policy_bin(std::string_view bytes, std::string_view file) {
  return bytes.size() == kPolicyBinBytes && (file.ends_with(".bin") || bytes.find('\0') != std::string_view::npos);
}

Kind kind_of(const Node& root) {
  if (root.find("application") != nullptr) return Kind::deployment;
  if (root.find("version") != nullptr) return Kind::other;
  const bool flat =
      std::ranges::any_of(keys::kPolicyNumbers, [&](const auto& key) { return root.find(key.name) != nullptr; });
  return flat ? Kind::policy : Kind::other;
}

void add_bytes(Review& out, std::string_view bytes) {
  EdgePolicy policy;
  policy.policy = *policy_from_bin(base::as_bytes(bytes));
  for (std::string& sentence : unknown_parts(policy.policy))
    out.notes.warnings.add({out.file, {}, "", std::move(sentence)});
  out.modules.push_back({"", "", to_policy(policy)});
  out.hash_hex = base::sha256(base::as_bytes(bytes)).hex();
}

void add_policy(Review& out, std::string_view text) {
  PolicyContext context;
  context.activation_default = 0;
  const auto policy = parse_policy(text, out.file, context, out.notes);
  if (policy) out.modules.push_back({"", "", to_policy(*policy)});
}

void add_deployment(Review& out, std::string_view text) {
  out.deployment = true;
  const auto config = parse_app_config(text, out.file, {}, out.notes);
  if (!config) return;
  for (const ModuleConfig& module : config->modules)
    out.modules.push_back({module.name, module.binary, to_policy(module.policy, config->options)});
  out.events.resize(FUSE_MAX_EVENT_ID);
  for (const EventName& event : config->events) out.events[event.bit] = event.name;
}

// The log is a topic of its own.
std::vector<policy::Hardware> all_hardware() {
  std::vector<policy::Hardware> out;
  const HalTable table = hal_table();
  for (std::size_t i = 0; i < table.count; ++i)
    if (table.groups[i]->capability != FUSE_CAP_LOG) out.push_back({table.groups[i]->name, table.groups[i]->allows});
  return out;
}

void add_findings(const base::json::Problems& problems, Severity severity, policy::CheckReport& out) {
  for (const auto& problem : problems.list())
    out.findings.push_back(
        {severity, problem.file, problem.at.line, problem.at.column, problem.pointer, problem.message});
}

std::string member(std::string_view name) {
  return "/modules/" + std::string(name);
}

void add_changes(policy::Diff& out, const ReviewedModule& a, const ReviewedModule& b) {
  const std::string prefix = a.name.empty() ? "" : member(a.name);
  for (policy::Change& change : policy::diff(a.policy, b.policy).changes)
    out.changes.push_back({change.kind, prefix + change.pointer, std::move(change.message)});
  if (a.binary != b.binary)
    out.changes.push_back({ChangeKind::changed, prefix + "/binary",
                           "the module goes from " + base::in_quotes(a.binary) + " to " + base::in_quotes(b.binary)});
}

const ReviewedModule* find(const Review& review, std::string_view name) {
  const auto found = std::ranges::find(review.modules, name, &ReviewedModule::name);
  return found == review.modules.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Review> review_text(std::string_view bytes, std::string file) {
  Review out;
  out.file = std::move(file);
  if (is_policy_bin(bytes, out.file)) {
    add_bytes(out, bytes);
    return out;
  }
  if (out.file.ends_with(".bin")) {
    out.notes.errors.add(
        {out.file, {}, "", "a policy file has 32 bytes, this one has " + std::to_string(bytes.size())});
    return out;
  }
  // A tree with duplicate keys is good enough to see which reader will name all that is wrong.
  base::json::Problems ignored;
  const auto document = base::json::parse(bytes, {.file = out.file, .bytes_max = kConfigBytesMax}, ignored);
  if (!document) return std::nullopt;
  const Node& root = *document->root;
  const Kind kind = kind_of(root);
  if (kind == Kind::other) return std::nullopt;
  if (kind == Kind::policy) add_policy(out, bytes);
  if (kind == Kind::deployment) add_deployment(out, bytes);
  out.hash_hex = base::sha256(base::as_bytes(base::json::canonical(root))).hex();
  return out;
}

base::Result<std::optional<Review>> review(const std::filesystem::path& file) {
  static_assert(kConfigBytesMax <= policy::kPolicyBytesMax, "what is no edge document must still be readable");
  FB_TRY(const std::string bytes, base::read_file(file, policy::kPolicyBytesMax));
  return review_text(bytes, file.string());
}

std::string explain(const Review& review) {
  const auto hardware = all_hardware();
  const policy::Wording wording{.stepped = true, .hardware = hardware, .events = review.events};
  std::string out;
  for (const ReviewedModule& module : review.modules) {
    if (review.deployment)
      out += (out.empty() ? "" : "\n") + std::string("module ") + module.name + " (" + module.binary + ")\n";
    out += policy::explain(module.policy, wording);
  }
  if (review.modules.empty()) out += "no module: what runs is loaded by the host\n";
  for (const std::string& line : review.notes.lines()) out += line + "\n";
  return out;
}

std::string explain_json(const Review& review) {
  const auto hardware = all_hardware();
  const policy::Wording wording{.stepped = true, .hardware = hardware, .events = review.events};
  if (!review.deployment) return policy::explain_json(review.modules.front().policy, wording);
  base::json::Writer out;
  out.begin_object().key("hash").string(review.hash_hex).key("modules").begin_array();
  for (const ReviewedModule& module : review.modules) {
    out.begin_object().key("name").string(module.name).key("binary").string(module.binary);
    out.key("policy").raw(policy::explain_json(module.policy, wording)).end_object();
  }
  return out.end_array().end_object().take();
}

policy::CheckReport check(const Review& review) {
  policy::CheckReport out;
  add_findings(review.notes.errors, Severity::error, out);
  add_findings(review.notes.warnings, Severity::warning, out);
  if (review.notes.ok()) {
    out.policy = review.modules.empty() ? policy::Policy{} : review.modules.front().policy;
    out.policy->hash_hex = review.hash_hex;
  }
  return out;
}

base::Result<policy::Diff> diff(const Review& a, const Review& b) {
  if (a.deployment != b.deployment)
    return base::fail(base::Errc::invalid, base::in_quotes(a.file) + " and " + base::in_quotes(b.file) +
                                               " cannot be compared: one is a deployment, the other a single policy");
  policy::Diff out;
  for (const ReviewedModule& module : b.modules) {
    if (const ReviewedModule* before = find(a, module.name))
      add_changes(out, *before, module);
    else
      out.changes.push_back({ChangeKind::widened, member(module.name), "the module was added"});
  }
  for (const ReviewedModule& module : a.modules)
    if (find(b, module.name) == nullptr)
      out.changes.push_back({ChangeKind::narrowed, member(module.name), "the module was removed"});
  return out;
}

}  // namespace fusebox::edge::config
