#include "policy/explain.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/json.h"
#include "base/units.h"
#include "policy/explain_edge.h"
#include "policy/http_match.h"
#include "policy/key_tables.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::format_count;
using base::format_size;

std::uint64_t saturating_product(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? std::numeric_limits<std::uint64_t>::max() : out;
}

std::string time_text(std::uint64_t nanoseconds) {
  return base::format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds)));
}

std::string plural(std::uint64_t count, std::string_view one) {
  return concat({format_count(count), " ", one, count == 1 ? "" : "s"});
}

std::string resources(const Policy& policy) {
  const Limits& limits = policy.limits;
  return concat({"can use at most ", format_size(limits.memory_pages() * kPageBytes), " of memory, ",
                 time_text(limits.cpu_limit_ns()), " of CPU and ", time_text(limits.wall_limit_ns()),
                 " in all per call, ", format_size(limits.stack_bytes), " of stack, ",
                 plural(limits.table_elements, "table element"), ", ",
                 limits.ticks == 0 ? std::string("no tick budget") : plural(limits.ticks, "tick")});
}

std::string data(const Policy& policy) {
  const Limits& limits = policy.limits;
  return concat({"takes at most ", format_size(limits.input_bytes), " of input (",
                 keys::kInputNames[static_cast<std::size_t>(policy.input_format)], "), gives at most ",
                 format_size(limits.result_bytes), " of result (",
                 keys::kResultNames[static_cast<std::size_t>(policy.result_format)], "), from a module of at most ",
                 format_size(limits.module_bytes)});
}

std::string calls(const Policy& policy) {
  return concat({"can make at most ", plural(policy.limits.host_calls, "host call"), " per call; ",
                 plural(policy.limits.concurrent, "call"), " at a time; a denied host call ",
                 policy.on_denied == OnDenied::trap ? "stops the guest" : "returns an error to the guest"});
}

std::string modules(const Policy& policy) {
  std::string out;
  switch (policy.integrity.require) {
    case IntegrityRequire::none:
      out = "runs any module";
      break;
    case IntegrityRequire::hash:
      out = concat(
          {"runs only modules whose hash is listed (", format_count(policy.integrity.sha256.size()), ") or pinned"});
      break;
    case IntegrityRequire::signature:
      out = concat(
          {"runs only modules signed by a trusted key (", format_count(policy.integrity.trusted_keys.size()), ")"});
      break;
  }
  if (policy.metering == Metering::preferred) out += "; one that cannot be metered runs without ticks";
  return out;
}

std::string rules_text(const std::vector<HttpRule>& rules) {
  std::string out;
  for (const HttpRule& rule : rules) out += concat({out.empty() ? "" : "; ", describe(rule)});
  return out;
}

std::string network(const HttpRules& http) {
  if (!http.enabled || http.allow.empty() || http.max_requests == 0) return "cannot reach the network";
  std::string out = concat({"can reach ", rules_text(http.allow)});
  if (!http.deny.empty()) out += concat({", except ", rules_text(http.deny)});
  out += concat({"; at most ", plural(http.max_requests, "request"), " per call, each ",
                 format_size(http.max_request_bytes), " out, ", format_size(http.max_response_bytes), " in, ",
                 time_text(http.timeout_ms * 1'000'000)});
  if (http.max_per_second != 0) out += concat({", ", format_count(http.max_per_second), " a second"});
  out += http.max_redirects == 0
             ? std::string("; redirects are not followed")
             : concat({"; follows ", plural(http.max_redirects, "redirect"), " inside these rules"});
  return out;
}

std::string root_text(const FileRoot& root, bool write) {
  std::string out =
      concat({root.guest, " (host folder ", in_quotes(root.host), ", files up to ", format_size(root.max_file_bytes)});
  if (write)
    out +=
        concat({", ", plural(root.max_files, "file"), root.create ? ", may create" : ", may not create",
                root.overwrite ? ", may overwrite" : ", may not overwrite", root.mkdirs ? ", may make folders" : ""});
  if (root.symlinks == Symlinks::within) out += ", symbolic links followed inside";
  return out + ")";
}

std::string files(const FileRules& rules, std::string_view verb, bool write) {
  if (!rules.enabled || rules.roots.empty() || rules.max_calls == 0) return concat({"cannot ", verb, " files"});
  std::string roots;
  for (const FileRoot& root : rules.roots) roots += concat({roots.empty() ? "" : "; ", root_text(root, write)});
  return concat({"can ", verb, " files below ", roots, "; at most ", plural(rules.max_calls, "call"), " and ",
                 format_size(rules.max_total_bytes), " per call of the sandbox"});
}

std::string environment(const EnvRules& env) {
  if (!env.enabled || env.vars.empty()) return "cannot read any variable";
  std::string names;
  for (const auto& [name, value] : env.vars) names += concat({names.empty() ? "" : ", ", name});
  return concat({"can read the ", env.vars.size() == 1 ? "variable " : "variables ", names});
}

std::string logging(const LogRules& log) {
  if (!log.enabled) return "cannot log";
  return concat({"can log at most ", plural(log.max_messages, "message"), " of ", format_size(log.max_message_bytes),
                 ", ", format_size(log.max_total_bytes), " in all per call, from level ",
                 keys::kLogLevelNames[static_cast<std::size_t>(log.level_min)]});
}

std::string registered(const Policy& policy) {
  std::string out;
  for (const auto& [id, capability] : policy.registered) {
    if (!capability.enabled) continue;
    out += concat({out.empty() ? "offers " : "; ", id,
                   capability.hosts.empty() ? " without host capabilities" : " with ", join(capability.hosts)});
    if (capability.arguments_schema.empty()) out += ", with any arguments";
  }
  return out.empty() ? "offers no registered capability" : out;
}

std::string audit(const AuditRules& rules) {
  std::string out = rules.path.empty() ? std::string("keeps its last 10,000 audit records in memory")
                                       : concat({"writes its audit log to ", in_quotes(rules.path)});
  out += rules.on_failure == OnAuditFailure::deny ? "; nothing runs while it cannot be written"
                                                  : "; goes on when it cannot be written";
  if (!rules.sign_key.empty()) out += "; checkpoints are signed";
  return out;
}

void entry_warnings(const HttpRules& http, std::vector<std::string>& out) {
  for (const HttpRule& rule : http.allow) {
    const std::string text = describe(rule);
    if (rule.allow_private) out.push_back(concat({text, ": may contact this machine and its private networks"}));
    if (rule.scheme == "http") out.push_back(concat({text, ": http is neither encrypted nor authenticated"}));
    if (rule.host && rule.host->starts_with("*."))
      out.push_back(
          concat({text, ": every name below ", rule.host->substr(2), " is trusted, also names not made yet"}));
  }
}

void file_warnings(const Policy& policy, std::vector<std::string>& out) {
  for (const FileRules* rules : {&policy.fs_read, &policy.fs_write}) {
    if (!rules->enabled) continue;
    const bool write = rules == &policy.fs_write;
    for (const FileRoot& root : rules->roots) {
      const std::string name = concat({write ? "fs.write " : "fs.read ", root.guest});
      if (write && root.overwrite) out.push_back(concat({name, ": existing files may be replaced"}));
      if (root.symlinks == Symlinks::within)
        out.push_back(concat({name, ": symbolic links below the folder are followed"}));
      if (root.host == "/") out.push_back(concat({name, ": the host folder is the whole file system"}));
    }
  }
}

std::vector<std::string> warnings_of(const Policy& policy, const Wording& wording) {
  std::vector<std::string> out;
  if (wording.stepped && policy.limits.cpu_limit_ns() == kNoTimeLimit)
    out.emplace_back("cpu_quota_us 0: a step may use the processor for as long as it likes");
  if (policy.integrity.require == IntegrityRequire::none)
    out.emplace_back("integrity none: any module may use these grants");
  if (policy.metering == Metering::preferred)
    out.emplace_back("metering preferred: some modules run without a tick count");
  if (policy.http.enabled) entry_warnings(policy.http, out);
  file_warnings(policy, out);
  return out;
}

std::string worst_text(const WorstCase& worst, const Wording& wording) {
  if (wording.stepped)
    return concat({"worst case of one step: ", format_size(worst.memory_bytes), " of memory, ",
                   worst.cpu_ns == kNoTimeLimit ? std::string("no limit") : time_text(worst.cpu_ns), " of CPU"});
  return concat({"worst case of one call: ", format_size(worst.memory_bytes), " of memory, ", time_text(worst.wall_ns),
                 ", ", plural(worst.http_requests, "request"), " sending ", format_size(worst.http_sent_bytes),
                 " and receiving ", format_size(worst.http_received_bytes), ", ", format_size(worst.file_read_bytes),
                 " read, ", format_size(worst.file_written_bytes), " written, ", format_size(worst.log_bytes),
                 " logged; all calls at a time: ", format_size(worst.concurrent_memory_bytes), " of memory"});
}

// Each call moves at most the largest file that any root allows.
std::uint64_t file_bytes(const FileRules& rules, bool write) noexcept {
  if (!rules.enabled) return 0;
  std::uint64_t largest = 0;
  for (const FileRoot& root : rules.roots)
    if (!write || root.max_files != 0) largest = std::max(largest, root.max_file_bytes);
  return std::min(rules.max_total_bytes, saturating_product(largest, rules.max_calls));
}

}  // namespace

WorstCase worst_case(const Policy& policy) {
  const Limits& limits = policy.limits;
  WorstCase out;
  out.memory_bytes = limits.memory_pages() * kPageBytes;
  out.cpu_ns = std::min(limits.cpu_limit_ns(), limits.wall_limit_ns());
  out.wall_ns = limits.wall_limit_ns();
  out.ticks = limits.ticks;
  if (policy.http.enabled && !policy.http.allow.empty()) {
    // Redirect hops count as requests without being host calls.
    out.http_requests =
        std::min(policy.http.max_requests, saturating_product(limits.host_calls, policy.http.max_redirects + 1));
    out.http_sent_bytes = saturating_product(out.http_requests, policy.http.max_request_bytes);
    out.http_received_bytes = saturating_product(out.http_requests, policy.http.max_response_bytes);
  }
  out.file_read_bytes = file_bytes(policy.fs_read, false);
  out.file_written_bytes = file_bytes(policy.fs_write, true);
  if (policy.log.enabled)
    out.log_bytes =
        std::min(policy.log.max_total_bytes, saturating_product(policy.log.max_messages, policy.log.max_message_bytes));
  out.concurrent_memory_bytes = saturating_product(out.memory_bytes, limits.concurrent);
  return out;
}

Explanation explanation(const Policy& policy, const Wording& wording) {
  Explanation out;
  const bool stepped = wording.stepped;
  out.topics.push_back({"memory and time", stepped ? step_resources(policy) : resources(policy)});
  if (!stepped) {
    out.topics.push_back({"data", data(policy)});
    out.topics.push_back({"host calls", calls(policy)});
  }
  if (stepped || policy.schedule != Schedule{}) out.topics.push_back({"schedule", schedule_text(policy, wording)});
  if (stepped || policy.schedule.restart != Restart::never) out.topics.push_back({"faults", faults(policy)});
  out.topics.push_back({"modules", modules(policy)});
  if (stepped || !policy.hal_groups.empty()) out.topics.push_back({"hardware", hardware(policy, wording)});
  out.topics.push_back({"network", network(policy.http)});
  out.topics.push_back({"reading files", files(policy.fs_read, "read", false)});
  out.topics.push_back({"writing files", files(policy.fs_write, "write", true)});
  out.topics.push_back({"variables", environment(policy.env)});
  out.topics.push_back({"log", stepped ? step_log(policy) : logging(policy.log)});
  if (!stepped) {
    out.topics.push_back({"registered capabilities", registered(policy)});
    out.topics.push_back({"audit", audit(policy.audit)});
  }
  out.worst = worst_case(policy);
  out.warnings = warnings_of(policy, wording);
  return out;
}

std::string explain(const Policy& policy, const Wording& wording) {
  const Explanation all = explanation(policy, wording);
  std::string out;
  for (const Topic& topic : all.topics) out += concat({topic.sentence, "\n"});
  out += concat({worst_text(all.worst, wording), "\n"});
  for (const std::string& warning : all.warnings) out += concat({"warning: ", warning, "\n"});
  return out;
}

std::string explain_json(const Policy& policy, const Wording& wording) {
  const Explanation all = explanation(policy, wording);
  base::json::Writer out;
  out.begin_object().key("hash");
  if (policy.hash_hex.empty())
    out.null();
  else
    out.string(policy.hash_hex);
  out.key("topics").begin_array();
  for (const Topic& topic : all.topics)
    out.begin_object().key("name").string(topic.name).key("sentence").string(topic.sentence).end_object();
  out.end_array().key("worst_case").begin_object();
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string_view, std::uint64_t>>{
           {"memory_bytes", all.worst.memory_bytes},
           {"cpu_ns", all.worst.cpu_ns},
           {"wall_ns", all.worst.wall_ns},
           {"ticks", all.worst.ticks},
           {"http_requests", all.worst.http_requests},
           {"http_sent_bytes", all.worst.http_sent_bytes},
           {"http_received_bytes", all.worst.http_received_bytes},
           {"file_read_bytes", all.worst.file_read_bytes},
           {"file_written_bytes", all.worst.file_written_bytes},
           {"log_bytes", all.worst.log_bytes},
           {"concurrent_memory_bytes", all.worst.concurrent_memory_bytes}})
    out.key(name).unsigned_integer(value);
  out.end_object().key("warnings").begin_array();
  for (const std::string& warning : all.warnings) out.string(warning);
  out.end_array().end_object();
  return out.take();
}

}  // namespace fusebox::policy
