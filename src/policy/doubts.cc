#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/units.h"
#include "policy/capability_id.h"
#include "policy/check.h"
#include "policy/http_match.h"
#include "policy/key_tables.h"
#include "policy/load.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

class Doubts {
 public:
  void add(std::string pointer, std::string message) { list_.push_back({std::move(pointer), std::move(message)}); }
  void add_if(bool condition, std::string pointer, std::string message) {
    if (condition) add(std::move(pointer), std::move(message));
  }
  std::vector<Doubt> take() { return std::move(list_); }

 private:
  std::vector<Doubt> list_;
};

// A switch without rules does nothing, and rules without the switch do nothing.
void doubt_switch(Doubts& out, std::string_view id, std::string_view rules_key, bool enabled, bool has_rules) {
  const std::string pointer = concat({"/capabilities/", id});
  out.add_if(enabled && !has_rules, pointer,
             concat({id, " is enabled but its ", rules_key, " is empty, so every call is refused"}));
  out.add_if(!enabled && has_rules, pointer, concat({id, " is not enabled, so its ", rules_key, " has no effect"}));
}

void doubt_limits(Doubts& out, const Policy& policy) {
  const Limits& limits = policy.limits;
  out.add_if(limits.cpu_limit_ns() > limits.wall_limit_ns(), "/limits/cpu_ms",
             "the limit of CPU time is above the limit of total time and can never be met");
  out.add_if(
      limits.memory_bytes % kPageBytes != 0, "/limits/memory_bytes",
      concat({"memory comes in pages of 64 KiB; this allows ", base::format_count(limits.memory_pages()), " of them"}));
  out.add_if(policy.log.enabled && policy.log.max_message_bytes > policy.log.max_total_bytes,
             "/capabilities/log/max_message_bytes",
             "one message may be longer than all messages together (max_total_bytes)");
}

void doubt_integrity(Doubts& out, const Policy& policy) {
  const Integrity& integrity = policy.integrity;
  out.add_if(integrity.require == IntegrityRequire::hash && integrity.sha256.empty() && policy.registered.empty(),
             "/integrity", "integrity requires a hash and none is listed, so no module can run");
  out.add_if(integrity.require == IntegrityRequire::signature && integrity.trusted_keys.empty(), "/integrity",
             "integrity requires a signature and no key is trusted, so no module can run");
  out.add_if(
      integrity.require == IntegrityRequire::none && !(integrity.sha256.empty() && integrity.trusted_keys.empty()),
      "/integrity", "hashes and keys are listed but \"require\" is none, so any module can run");
}

void doubt_entries(Doubts& out, const HttpRules& http) {
  for (std::size_t i = 0; i < http.allow.size(); ++i) {
    const HttpRule& rule = http.allow[i];
    const std::string pointer = concat({"/capabilities/http.request/allow/", std::to_string(i)});
    out.add_if(rule.path && rule.path_match != PathMatch::text_prefix && rule.path->find('*') != std::string::npos,
               concat({pointer, "/path"}),
               "'*' stands for itself in a path; for all below a folder end the path in '/', or use the short form");
    out.add_if(std::ranges::any_of(http.deny,
                                   [&](const HttpRule& deny) {
                                     HttpRule open = deny;
                                     open.allow_private = true;
                                     return covers(open, rule);
                                   }),
               pointer, "a deny entry covers this entry wholly, so it allows nothing");
    for (std::size_t k = 0; k < http.allow.size(); ++k)
      if (k != i && covers(http.allow[k], rule) && (k < i || !covers(rule, http.allow[k]))) {
        out.add(pointer, concat({"allow entry ", std::to_string(k), " covers this entry wholly"}));
        break;
      }
    out.add_if(http.max_redirects > 0 && rule.methods && std::ranges::find(*rule.methods, "GET") == rule.methods->end(),
               pointer, "redirects are followed, most of them as GET, and this entry does not allow GET");
  }
}

void doubt_http(Doubts& out, const HttpRules& http) {
  doubt_switch(out, "http.request", "allow list", http.enabled, !http.allow.empty());
  if (!http.enabled) return;
  doubt_entries(out, http);
  out.add_if(
      http.max_redirects == 0 && std::ranges::find(http.response_headers, "location") == http.response_headers.end(),
      "/capabilities/http.request/response_headers", "redirects go to the guest, which cannot see their \"location\"");
  constexpr std::array<std::string_view, 10> kNever = {
      "host",    "content-length",    "connection", "keep-alive",       "te",
      "trailer", "transfer-encoding", "upgrade",    "proxy-connection", "proxy-authorization"};
  for (const std::string& name : http.request_headers)
    out.add_if(std::ranges::find(kNever, name) != kNever.end(), "/capabilities/http.request/request_headers",
               concat({"the header ", in_quotes(name), " can never be set by a guest"}));
}

void doubt_files(Doubts& out, const FileRules& rules, std::string_view id) {
  doubt_switch(out, id, "root list", rules.enabled, !rules.roots.empty());
  for (std::size_t i = 0; rules.enabled && i < rules.roots.size(); ++i) {
    const FileRoot& root = rules.roots[i];
    const std::string pointer = concat({"/capabilities/", id, "/roots/", std::to_string(i)});
    out.add_if(root.max_file_bytes > rules.max_total_bytes, pointer,
               "one file may be larger than all files together (max_total_bytes)");
    out.add_if(id == "fs.write" && !root.create && !root.overwrite, pointer,
               "neither create nor overwrite is set, so nothing can be written");
  }
}

void doubt_registered(Doubts& out, const Policy& policy) {
  std::vector<std::string_view> names;
  for (const keys::HostCapability& host : keys::kHostCapabilities)
    for (const std::string_view name : {host.id, host.alias})
      if (!name.empty()) names.push_back(name);
  const auto enabled = [&](std::string_view id) {
    return id == "log"            ? policy.log.enabled
           : id == "env"          ? policy.env.enabled
           : id == "http.request" ? policy.http.enabled
           : id == "fs.read"      ? policy.fs_read.enabled
                                  : policy.fs_write.enabled;
  };
  for (const auto& [id, capability] : policy.registered) {
    const std::string near = base::json::nearest(id, names);
    out.add_if(!near.empty(), concat({"/capabilities/", id}),
               concat({in_quotes(id), " is taken for a registered capability; did you mean ", in_quotes(near), "?"}));
    for (const std::string& host : capability.hosts)
      out.add_if(capability.enabled && !enabled(host), concat({"/capabilities/", id, "/hosts"}),
                 concat({id, " may use ", host, ", which is not enabled"}));
  }
}

void doubt_schedule(Doubts& out, const Schedule& schedule) {
  const bool event = (schedule.activation_mask & Schedule::kEvent) != 0;
  out.add_if(event && schedule.event_subscribe == 0, "/schedule",
             "EVENT activates the module, and it subscribes to no event");
  out.add_if(!event && schedule.event_subscribe != 0, "/schedule",
             "events are subscribed to, and EVENT does not activate the module");
  out.add_if((schedule.activation_mask & Schedule::kManual) != 0 && schedule.activation_mask != Schedule::kManual,
             "/schedule", "MANUAL is combined with another activation; MANUAL wins");
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace

std::vector<Doubt> doubts(const Policy& policy) {
  Doubts out;
  doubt_limits(out, policy);
  doubt_integrity(out, policy);
  doubt_switch(out, "env", "variable list", policy.env.enabled, !policy.env.vars.empty());
  doubt_http(out, policy.http);
  doubt_files(out, policy.fs_read, "fs.read");
  doubt_files(out, policy.fs_write, "fs.write");
  doubt_registered(out, policy);
  doubt_schedule(out, policy.schedule);
  return out.take();
}

std::vector<Doubt> missing_folders(const Policy& policy) {
  Doubts out;
  for (const auto& [id, rules] : {std::pair{"fs.read", &policy.fs_read}, std::pair{"fs.write", &policy.fs_write}})
    for (std::size_t i = 0; rules->enabled && i < rules->roots.size(); ++i) {
      const std::filesystem::path folder = resolve(policy, rules->roots[i].host);
      out.add_if(!is_folder(folder), concat({"/capabilities/", id, "/roots/", std::to_string(i), "/host"}),
                 concat({"the folder ", in_quotes(folder.string()), " does not exist; make it, or name another"}));
    }
  if (!policy.audit.path.empty()) {
    const std::filesystem::path folder = std::filesystem::absolute(resolve(policy, policy.audit.path)).parent_path();
    out.add_if(!is_folder(folder), "/audit/path",
               concat({"the folder ", in_quotes(folder.string()), " does not exist; make it, or name another"}));
  }
  return out.take();
}

}  // namespace fusebox::policy
