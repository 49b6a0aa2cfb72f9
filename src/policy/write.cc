#include "policy/write.h"

#include <chrono>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "policy/http_path.h"
#include "policy/key_tables.h"
#include "policy/pretty.h"

namespace fusebox::policy {
namespace {

using base::json::Writer;

template <class T>
void write_table(Writer& out, const KeyTable<T>& table, const T& value) {
  for (const auto& key : table.numbers) out.key(key.name).unsigned_integer(value.*key.field);
  for (const auto& key : table.flags) out.key(key.name).boolean(value.*key.field);
  for (const auto& key : table.choices) out.key(key.name).string(key.names[key.get(value)]);
}

template <class Items>
void write_strings(Writer& out, std::string_view key, const Items& items) {
  out.key(key).begin_array();
  for (const auto& item : items) out.string(item);
  out.end_array();
}

// format_rfc3339 stops at microseconds; the three digits below follow.
std::string time_text(std::int64_t unix_ns) {
  std::string text = base::format_rfc3339(std::chrono::nanoseconds(unix_ns));
  const std::int64_t below = ((unix_ns % 1000) + 1000) % 1000;
  if (below == 0) return text;
  const std::string digits = std::to_string(1000 + below).substr(1);
  return text.insert(text.size() - 1, digits);
}

void write_integrity(Writer& out, const Integrity& integrity) {
  out.key("integrity").begin_object();
  write_table(out, keys::kIntegrity, integrity);
  out.key("sha256").begin_array();
  for (const auto& hash : integrity.sha256) out.string(base::to_hex(hash));
  out.end_array().key("trusted_keys").begin_array();
  for (const TrustedKey& key : integrity.trusted_keys) {
    out.begin_object().key("id").string(key.id).key("public_key").string(base::to_base64(key.public_key));
    if (key.not_after_unix_ns) out.key("not_after").string(time_text(*key.not_after_unix_ns));
    out.end_object();
  }
  out.end_array().end_object();
}

void write_rule(Writer& out, const HttpRule& rule, bool deny) {
  out.begin_object();
  if (rule.scheme) out.key("scheme").string(*rule.scheme);
  if (rule.host) out.key("host").string(host_in_url(*rule.host));
  if (rule.port) out.key("port").unsigned_integer(*rule.port);
  if (rule.methods) write_strings(out, "methods", *rule.methods);
  if (rule.path) out.key("path").string(*rule.path);
  if (rule.path) out.key("path_match").string(keys::kPathMatchNames[static_cast<std::size_t>(rule.path_match)]);
  out.key("query").boolean(rule.query);
  if (!deny) out.key("allow_private").boolean(rule.allow_private);
  out.end_object();
}

void write_http(Writer& out, const HttpRules& http) {
  out.key("http.request").begin_object();
  write_table(out, keys::kHttp, http);
  out.key("allow").begin_array();
  for (const HttpRule& rule : http.allow) write_rule(out, rule, false);
  out.end_array().key("deny").begin_array();
  for (const HttpRule& rule : http.deny) write_rule(out, rule, true);
  out.end_array();
  write_strings(out, "response_headers", http.response_headers);
  write_strings(out, "request_headers", http.request_headers);
  out.end_object();
}

void write_files(Writer& out, bool write, const FileRules& files) {
  out.key(write ? "fs.write" : "fs.read").begin_object();
  write_table(out, write ? keys::kFsWrite : keys::kFsRead, files);
  out.key("roots").begin_array();
  for (const FileRoot& root : files.roots) {
    out.begin_object().key("guest").string(root.guest).key("host").string(root.host);
    write_table(out, write ? keys::kWriteRoot : keys::kReadRoot, root);
    out.end_object();
  }
  out.end_array().end_object();
}

void write_capabilities(Writer& out, const Policy& policy) {
  out.key("capabilities").begin_object().key("log").begin_object();
  write_table(out, keys::kLog, policy.log);
  out.end_object().key("env").begin_object();
  write_table(out, keys::kEnv, policy.env);
  out.key("vars").begin_object();
  for (const auto& [name, value] : policy.env.vars) out.key(name).string(value);
  out.end_object().end_object();
  write_http(out, policy.http);
  write_files(out, false, policy.fs_read);
  write_files(out, true, policy.fs_write);
  for (const auto& [id, capability] : policy.registered) {
    out.key(id).begin_object();
    write_table(out, keys::kRegistered, capability);
    if (!capability.arguments_schema.empty()) out.key("arguments").raw(capability.arguments_schema);
    write_strings(out, "hosts", capability.hosts);
    out.end_object();
  }
  out.end_object();
}

void write_audit(Writer& out, const AuditRules& audit) {
  out.key("audit").begin_object();
  write_table(out, keys::kAudit, audit);
  if (!audit.path.empty()) out.key("path").string(audit.path);
  if (!audit.sign_key.empty()) out.key("sign_key").string(audit.sign_key);
  write_strings(out, "redact", audit.redact);
  out.end_object();
}

void write_schedule(Writer& out, const Schedule& schedule) {
  out.key("schedule").begin_object();
  write_table(out, keys::kSchedule, schedule);
  out.key("activation").begin_array();
  for (std::size_t i = 0; i < std::size(keys::kActivationNames); ++i)
    if ((schedule.activation_mask >> i) & 1) out.string(keys::kActivationNames[i]);
  out.end_array().key("event_subscribe").begin_array();
  for (std::uint32_t event = 0; event < 32; ++event)
    if ((schedule.event_subscribe >> event) & 1) out.unsigned_integer(event);
  out.end_array().key("priority").integer(schedule.priority).end_object();
}

std::string written(const Policy& policy) {
  Writer out;
  out.begin_object().key("version").unsigned_integer(1);
  write_table(out, keys::kTop, policy);
  out.key("limits").begin_object();
  write_table(out, keys::kLimits, policy.limits);
  out.end_object().key("input").begin_object();
  write_table(out, keys::kInput, policy);
  out.end_object().key("result").begin_object();
  write_table(out, keys::kResult, policy);
  out.end_object();
  write_integrity(out, policy.integrity);
  write_capabilities(out, policy);
  write_audit(out, policy.audit);
  write_schedule(out, policy.schedule);
  write_strings(out, "hal_groups", policy.hal_groups);
  out.end_object();
  return out.take();
}

}  // namespace

std::string write(const Policy& policy) {
  std::string text = written(policy);
  const auto document = base::json::parse(text);
  // Only a policy made in code can hold text that is not UTF-8; its document then says so when it is read.
  return document ? base::json::canonical(*document->root) : text;
}

std::string write_pretty(const Policy& policy) {
  return pretty_json(write(policy));
}

bool same_rules(const Policy& a, const Policy& b) {
  Policy copy = b;
  copy.base_dir = a.base_dir;
  copy.hash_hex = a.hash_hex;
  return a == copy;
}

}  // namespace fusebox::policy
