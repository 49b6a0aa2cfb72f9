// Every key of a policy document: name, range, meaning. Defaults are those of the Policy value itself (policy.h).
//
// Contract capability.md 8.2 to 8.6 and 11. Maxima the contract leaves open are reasoned in the comments here.
// Threads  constants.
#pragma once

#include "policy/keys.h"
#include "policy/policy.h"

namespace fusebox::policy::keys {

inline constexpr std::uint64_t kHourMs = 3'600'000;  // contract 8.2: the longest time limit
inline constexpr std::uint64_t kHourNs = kHourMs * 1'000'000;
inline constexpr std::uint64_t kCountMax =
    2'147'483'647;  // contract 8.2 gives it for host_calls; what an i32 result can count
inline constexpr std::uint64_t kBodyBytesMax = 268'435'456;  // contract 8.2: the largest input and result
inline constexpr std::uint64_t kTotalBytesMax = std::uint64_t{1}
                                                << 40;  // 1 TiB: above what one execution of an hour can move
inline constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kMemoryPagesMax = kMemoryBytesMax / kPageBytes;
inline constexpr std::uint64_t kTicksMax = (std::uint64_t{1} << 63) - 1;
inline constexpr std::uint64_t kMicrosMax = 4'294'967'295;  // contract edge.md 6.3: 32 bits in the edge form

inline constexpr NumberKey<Limits> kLimitsNumbers[] = {
    {"memory_bytes", &Limits::memory_bytes, kPageBytes, kMemoryBytesMax, Unit::bytes,
     "linear memory of all memories together, in whole pages of 64 KiB; checked at load and at growth"},
    {"cpu_ms", &Limits::cpu_ms, 1, kHourMs, Unit::milliseconds,
     "processor time of guest code per execution, start function included"},
    {"wall_ms", &Limits::wall_ms, 1, kHourMs, Unit::milliseconds, "total time per execution, host functions included"},
    {"ticks", &Limits::ticks, 0, kTicksMax, Unit::count, "deterministic budget of instructions; 0 = off", Zero::off},
    {"stack_bytes", &Limits::stack_bytes, 4096, 8'388'608, Unit::bytes, "call depth, as bytes of stack"},
    {"input_bytes", &Limits::input_bytes, 0, kBodyBytesMax, Unit::bytes, "largest input"},
    {"result_bytes", &Limits::result_bytes, 0, kBodyBytesMax, Unit::bytes, "largest result"},
    {"host_calls", &Limits::host_calls, 0, kCountMax, Unit::count, "calls of host functions per execution"},
    {"module_bytes", &Limits::module_bytes, 8, kBodyBytesMax, Unit::bytes, "largest module"},
    {"table_elements", &Limits::table_elements, 0, 10'000'000, Unit::count, "elements of all tables together"},
    {"concurrent", &Limits::concurrent, 1, 4096, Unit::count, "executions at a time per sandbox"},
    {"cpu_ns", &Limits::cpu_ns, 0, kHourNs, Unit::nanoseconds,
     "processor time below a millisecond; 0 = `cpu_ms` counts, else it replaces `cpu_ms`"},
    {"wall_ns", &Limits::wall_ns, 0, kHourNs, Unit::nanoseconds,
     "total time below a millisecond; 0 = `wall_ms` counts, else it replaces `wall_ms`"},
};
inline constexpr OtherKey kLimitsOthers[] = {
    {"memory_pages_max", R"({"type":"integer","minimum":1,"maximum":65536})", "integer 1..65536", "absent",
     "`memory_bytes` in pages of 64 KiB; give one of the two"},
    {"fuel", R"({"type":"integer","minimum":0,"maximum":9223372036854775807})", "integer 0..9223372036854775807",
     "absent", "another name of `ticks`; give one of the two"},
};
inline constexpr KeyTable<Limits> kLimits{kLimitsNumbers, {}, {}, kLimitsOthers};

inline constexpr std::string_view kIntegrityNames[] = {"none", "hash", "signature"};
inline constexpr ChoiceKey<Integrity> kIntegrityChoices[] = {
    choice<&Integrity::require>("require", kIntegrityNames, Effect::restricts,
                                "what a module needs to run: nothing, a listed hash, a trusted signature")};
inline constexpr OtherKey kIntegrityOthers[] = {
    {"sha256", R"({"type":"array","maxItems":4096,"items":{"type":"string","pattern":"^[0-9a-fA-F]{64}$"}})",
     "list of 64 hex digits", "`[]`", "hashes of the modules that may run with `hash`"},
    {"trusted_keys", R"({"type":"array","maxItems":64,"items":{"$ref":"#/$defs/trusted_key"}})", "list of keys", "`[]`",
     "signers accepted with `signature`"},
};
inline constexpr KeyTable<Integrity> kIntegrity{{}, {}, kIntegrityChoices, kIntegrityOthers};

inline constexpr OtherKey kTrustedKeyOthers[] = {
    {"id", R"({"type":"string","minLength":1,"maxLength":128})", "string", "required",
     "how messages and audit records name the key", true},
    {"public_key", R"({"type":"string","contentEncoding":"base64","minLength":44,"maxLength":44})",
     "base64 of 32 bytes", "required", "raw Ed25519 public key", true},
    {"not_after", R"({"type":"string","format":"date-time"})", "RFC 3339 time", "absent",
     "last moment the key is accepted"},
};
inline constexpr KeyTable<TrustedKey> kTrustedKey{{}, {}, {}, kTrustedKeyOthers};

inline constexpr std::string_view kLogLevelNames[] = {"debug", "info", "warn", "error"};
inline constexpr FlagKey<LogRules> kLogFlags[] = {{"enabled", &LogRules::enabled, Effect::grants, "the guest may log"}};
inline constexpr ChoiceKey<LogRules> kLogChoices[] = {
    choice<&LogRules::level_min>("level_min", kLogLevelNames, Effect::restricts, "lower levels are dropped")};
inline constexpr NumberKey<LogRules> kLogNumbers[] = {
    {"max_message_bytes", &LogRules::max_message_bytes, 1, 1u << 20, Unit::bytes,
     "longer messages are cut at a character border"},
    {"max_messages", &LogRules::max_messages, 0, kCountMax, Unit::count, "messages per execution"},
    {"max_total_bytes", &LogRules::max_total_bytes, 0, kTotalBytesMax, Unit::bytes, "bytes of messages per execution"},
};
inline constexpr KeyTable<LogRules> kLog{kLogNumbers, kLogFlags, kLogChoices, {}};

inline constexpr FlagKey<EnvRules> kEnvFlags[] = {
    {"enabled", &EnvRules::enabled, Effect::grants, "the guest may read the variables listed here, and no others"}};
inline constexpr OtherKey kEnvOthers[] = {
    {"vars", R"({"type":"object","maxProperties":1024,"additionalProperties":{"type":"string","maxLength":131072}})",
     "object of strings", "`{}`", "name to value; the process environment is never consulted"}};
inline constexpr KeyTable<EnvRules> kEnv{{}, kEnvFlags, {}, kEnvOthers};

inline constexpr FlagKey<HttpRules> kHttpFlags[] = {
    {"enabled", &HttpRules::enabled, Effect::grants, "the guest may send the requests allowed here"}};
inline constexpr NumberKey<HttpRules> kHttpNumbers[] = {
    {"max_requests", &HttpRules::max_requests, 0, kCountMax, Unit::count,
     "requests per execution, redirect hops included"},
    {"max_request_bytes", &HttpRules::max_request_bytes, 0, kBodyBytesMax, Unit::bytes, "largest request body"},
    {"max_response_bytes", &HttpRules::max_response_bytes, 0, kBodyBytesMax, Unit::bytes, "largest response body"},
    {"timeout_ms", &HttpRules::timeout_ms, 1, kHourMs, Unit::milliseconds, "time per request, all hops together"},
    {"max_per_second", &HttpRules::max_per_second, 0, 1'000'000, Unit::count, "requests a second per sandbox; 0 = off",
     Zero::off},
    // curl and browsers give up at 20 to 50 hops.
    {"max_redirects", &HttpRules::max_redirects, 0, 50, Unit::count,
     "hops followed; 0 = a 3xx answer goes to the guest"},
};
inline constexpr OtherKey kHttpOthers[] = {
    {"allow", R"({"type":"array","maxItems":1024,"items":{"$ref":"#/$defs/http_allow"}})", "list of entries", "`[]`",
     "what may be requested; nothing matches = refused"},
    {"deny", R"({"type":"array","maxItems":1024,"items":{"$ref":"#/$defs/http_deny"}})", "list of entries", "`[]`",
     "checked first; a field left out matches everything"},
    {"response_headers",
     R"({"type":"array","maxItems":100,"items":{"type":"string"},"default":["content-type","content-length","etag","location"]})",
     "list of names", "`[\"content-type\", \"content-length\", \"etag\", \"location\"]`", "headers the guest sees"},
    {"request_headers",
     R"({"type":"array","maxItems":100,"items":{"type":"string"},"default":["accept","content-type","authorization","if-none-match"]})",
     "list of names", "`[\"accept\", \"content-type\", \"authorization\", \"if-none-match\"]`",
     "headers the guest may set"},
};
inline constexpr KeyTable<HttpRules> kHttp{kHttpNumbers, kHttpFlags, {}, kHttpOthers};

inline constexpr std::string_view kSchemeNames[] = {"https", "http"};
inline constexpr std::string_view kPathMatchNames[] = {"prefix", "exact", "text_prefix"};
inline constexpr FlagKey<HttpRule> kEntryFlags[] = {
    {"query", &HttpRule::query, Effect::neutral, "false: matches only URLs without a query"},
    {"allow_private", &HttpRule::allow_private, Effect::grants,
     "addresses of private networks and of this machine may be contacted; not in deny entries"},
};
inline constexpr ChoiceKey<HttpRule> kEntryChoices[] = {
    choice<&HttpRule::path_match>("path_match", kPathMatchNames, Effect::neutral,
                                  "prefix ends at segment borders; text_prefix is the short form's trailing `*`")};
inline constexpr OtherKey kEntryOthers[] = {
    {"scheme", R"({"enum":["https","http"],"default":"https"})", "`https`, `http`", "`https`", "deny: absent = both"},
    {"host", R"({"type":"string","minLength":1,"maxLength":255})", "string", "required in allow",
     "name, `*.name` for names below it, or address; IPv6 in brackets"},
    {"port", R"({"type":"integer","minimum":1,"maximum":65535})", "integer 1..65535", "of the scheme",
     "deny: absent = all"},
    {"methods", R"({"type":"array","minItems":1,"maxItems":16,"items":{"type":"string"},"default":["GET","HEAD"]})",
     "list of methods", "`[\"GET\", \"HEAD\"]`", "deny: absent = all"},
    {"path", R"({"type":"string","maxLength":8192,"default":"/"})", "string", "`/`",
     "compared after normalisation; deny: absent = all"},
};
inline constexpr KeyTable<HttpRule> kHttpAllow{{}, kEntryFlags, kEntryChoices, kEntryOthers};
inline constexpr KeyTable<HttpRule> kHttpDeny{{}, std::span(kEntryFlags).first(1), kEntryChoices, kEntryOthers};

inline constexpr FlagKey<FileRules> kFileFlags[] = {
    {"enabled", &FileRules::enabled, Effect::grants, "the guest may reach the files below the roots"}};
inline constexpr NumberKey<FileRules> kFileNumbers[] = {
    {"max_calls", &FileRules::max_calls, 0, kCountMax, Unit::count, "calls per execution"},
    {"max_total_bytes", &FileRules::max_total_bytes, 0, kTotalBytesMax, Unit::bytes, "bytes per execution"},
};
inline constexpr OtherKey kReadOthers[] = {{"roots",
                                            R"({"type":"array","maxItems":64,"items":{"$ref":"#/$defs/read_root"}})",
                                            "list of roots", "`[]`", "the longest matching guest prefix wins"}};
inline constexpr OtherKey kWriteOthers[] = {{"roots",
                                             R"({"type":"array","maxItems":64,"items":{"$ref":"#/$defs/write_root"}})",
                                             "list of roots", "`[]`", "the longest matching guest prefix wins"}};
inline constexpr KeyTable<FileRules> kFsRead{kFileNumbers, kFileFlags, {}, kReadOthers};
inline constexpr KeyTable<FileRules> kFsWrite{kFileNumbers, kFileFlags, {}, kWriteOthers};

inline constexpr std::string_view kSymlinksNames[] = {"deny", "within"};
inline constexpr NumberKey<FileRoot> kRootNumbers[] = {
    {"max_file_bytes", &FileRoot::max_file_bytes, 0, kCountMax, Unit::bytes, "largest file"},
    {"max_files", &FileRoot::max_files, 0, kCountMax, Unit::count, "write: files one execution may write"},
};
inline constexpr ChoiceKey<FileRoot> kRootChoices[] = {choice<&FileRoot::symlinks>(
    "symlinks", kSymlinksNames, Effect::grants, "within: followed while they stay below the root")};
inline constexpr FlagKey<FileRoot> kRootFlags[] = {
    {"create", &FileRoot::create, Effect::grants, "write: new files may be made"},
    {"overwrite", &FileRoot::overwrite, Effect::grants, "write: existing files may be replaced"},
    {"mkdirs", &FileRoot::mkdirs, Effect::grants, "write: missing folders are made"},
};
inline constexpr OtherKey kRootOthers[] = {
    {"guest", R"({"type":"string","pattern":"^/","maxLength":4096})", "string", "required",
     "absolute path the guest uses", true},
    {"host", R"({"type":"string","minLength":1,"maxLength":4096})", "string", "required",
     "folder on the host; relative ones start at the policy file", true},
};
inline constexpr KeyTable<FileRoot> kReadRoot{std::span(kRootNumbers).first(1), {}, kRootChoices, kRootOthers};
inline constexpr KeyTable<FileRoot> kWriteRoot{kRootNumbers, kRootFlags, kRootChoices, kRootOthers};

inline constexpr FlagKey<RegisteredCapability> kRegisteredFlags[] = {
    {"enabled", &RegisteredCapability::enabled, Effect::grants, "the capability may be invoked"}};
inline constexpr OtherKey kRegisteredOthers[] = {
    {"arguments", R"({"$ref":"#/$defs/arguments"})", "schema", "absent = anything",
     "what its arguments must look like"},
    {"hosts",
     R"({"type":"array","uniqueItems":true,"items":{"enum":["log","env","http.request","network.request","fs.read","filesystem.read","fs.write","filesystem.write"]}})",
     "list of host capability ids", "`[]`", "host capabilities it may use, if they are enabled"},
};
inline constexpr KeyTable<RegisteredCapability> kRegistered{{}, kRegisteredFlags, {}, kRegisteredOthers};

inline constexpr std::string_view kOnFailureNames[] = {"continue", "deny"};
inline constexpr NumberKey<AuditRules> kAuditNumbers[] = {{"max_file_bytes", &AuditRules::max_file_bytes, 4096,
                                                           kTotalBytesMax, Unit::bytes,
                                                           "a new file is begun at this size"}};
inline constexpr ChoiceKey<AuditRules> kAuditChoices[] = {choice<&AuditRules::on_failure>(
    "on_failure", kOnFailureNames, Effect::restricts, "deny: no execution without its audit record")};
inline constexpr OtherKey kAuditOthers[] = {
    {"path", R"({"type":"string","minLength":1,"maxLength":4096})", "string",
     "absent = the last 10000 records in memory", "audit file; relative ones start at the policy file"},
    {"redact", R"({"type":"array","maxItems":256,"items":{"type":"string"}})", "list of names", "`[]`",
     "further names whose values are written as [redacted]"},
    {"sign_key", R"({"type":"string","minLength":1,"maxLength":4096})", "string", "absent",
     "file with the 32-byte Ed25519 seed that signs checkpoints"},
};
inline constexpr KeyTable<AuditRules> kAudit{kAuditNumbers, {}, kAuditChoices, kAuditOthers};

inline constexpr std::string_view kActivationNames[] = {"INTERVAL", "EVENT", "MANUAL"};
inline constexpr NumberKey<Schedule> kScheduleNumbers[] = {
    {"step_interval_us", &Schedule::step_interval_us, 0, kMicrosMax, Unit::microseconds,
     "time between steps, start to start; 0 = as often as possible"},
    {"phase_us", &Schedule::phase_us, 0, kMicrosMax, Unit::microseconds, "first due time after start"},
    {"deadline_us", &Schedule::deadline_us, 0, kMicrosMax, Unit::microseconds, "missed deadlines are counted; 0 = off"},
    {"init_budget_us", &Schedule::init_budget_us, 0, kMicrosMax, Unit::microseconds,
     "time of start function, module_init and module_deinit, each; 0 = the runtime's own"},
    {"log_entries_per_step", &Schedule::log_entries_per_step, 0, kMicrosMax, Unit::count,
     "further log calls of a step are dropped; 0 = off", Zero::off},
    {"restart_max", &Schedule::restart_max, 0, kMicrosMax, Unit::count, "restarts in all, when `restart` is limited"},
    {"restart_backoff_us", &Schedule::restart_backoff_us, 0, kMicrosMax, Unit::microseconds, "time before a restart"},
};
inline constexpr std::string_view kRestartNames[] = {"never", "limited", "always"};
inline constexpr ChoiceKey<Schedule> kScheduleChoices[] = {choice<&Schedule::restart>(
    "restart", kRestartNames, Effect::grants, "whether a module that trapped or used up its quota starts again")};
inline constexpr FlagKey<Schedule> kScheduleFlags[] = {
    {"drift_free", &Schedule::drift_free, Effect::neutral, "due times are start + phase + n x interval"}};
inline constexpr OtherKey kScheduleOthers[] = {
    {"activation",
     R"({"type":"array","uniqueItems":true,"items":{"enum":["INTERVAL","EVENT","MANUAL"]},"default":["INTERVAL"]})",
     "list of `INTERVAL`, `EVENT`, `MANUAL`", "`[\"INTERVAL\"]`", "what steps the module"},
    {"event_subscribe",
     R"({"type":"array","uniqueItems":true,"items":{"type":"integer","minimum":0,"maximum":31},"default":[]})",
     "list of 0..31", "`[]`", "events that activate it"},
    {"priority", R"({"type":"integer","minimum":-2147483648,"maximum":2147483647,"default":0})", "integer", "0",
     "higher runs earlier"},
};
inline constexpr KeyTable<Schedule> kSchedule{kScheduleNumbers, kScheduleFlags, kScheduleChoices, kScheduleOthers};

inline constexpr std::string_view kInputNames[] = {"utf8", "json", "bytes"};
inline constexpr std::string_view kResultNames[] = {"auto", "json", "bytes"};
inline constexpr std::string_view kOnDeniedNames[] = {"error", "trap"};
inline constexpr std::string_view kMeteringNames[] = {"required", "preferred"};
inline constexpr std::string_view kIsolationNames[] = {"thread", "process", "vm"};
inline constexpr ChoiceKey<Policy> kInputChoices[] = {
    choice<&Policy::input_format>("format", kInputNames, Effect::neutral, "what the input must be")};
inline constexpr KeyTable<Policy> kInput{{}, {}, kInputChoices, {}};
inline constexpr ChoiceKey<Policy> kResultChoices[] = {choice<&Policy::result_format>(
    "format", kResultNames, Effect::neutral, "auto: JSON as it is, other text as a JSON string")};
inline constexpr KeyTable<Policy> kResult{{}, {}, kResultChoices, {}};

inline constexpr ChoiceKey<Policy> kTopChoices[] = {
    choice<&Policy::on_denied>("on_denied", kOnDeniedNames, Effect::neutral,
                               "error: a denied host call returns its code; trap: it ends the guest"),
    choice<&Policy::metering>(
        "metering", kMeteringNames, Effect::grants,
        "preferred: a module that cannot be metered runs under the engine's epochs, without ticks"),
    choice<&Policy::isolation>("isolation", kIsolationNames, Effect::restricts,
                               "process and vm come with a later version and are refused until then"),
};
inline constexpr OtherKey kTopOthers[] = {
    {"version", R"({"const":1})", "1", "required", "version of this format", true},
    {"limits", R"({"$ref":"#/$defs/limits"})", "object", "`{}`", "what an execution may use"},
    {"integrity", R"({"$ref":"#/$defs/integrity"})", "object", "`{}`", "which modules may run"},
    {"input", R"({"$ref":"#/$defs/input"})", "object", "`{}`", "form of the input"},
    {"result", R"({"$ref":"#/$defs/result"})", "object", "`{}`", "form of the result"},
    {"capabilities", R"({"$ref":"#/$defs/capabilities"})", "object", "`{}`",
     "what the guest may do; nothing is enabled by default"},
    {"audit", R"({"$ref":"#/$defs/audit"})", "object", "`{}`", "where records go"},
    {"schedule", R"({"$ref":"#/$defs/schedule"})", "object", "`{}`", "when the edge face steps the module"},
    {"hal_groups",
     R"({"type":"array","maxItems":64,"items":{"type":"string","pattern":"^[a-z][a-z0-9_]{0,63}$"},"default":[]})",
     "list of names", "`[]`", "groups of hardware functions of the edge face"},
};
inline constexpr KeyTable<Policy> kTop{{}, {}, kTopChoices, kTopOthers};

// Contract 1: each host capability and its alias.
struct HostCapability {
  std::string_view id;
  std::string_view alias;  // "" = none
};
inline constexpr HostCapability kHostCapabilities[] = {{"log", ""},
                                                       {"env", ""},
                                                       {"http.request", "network.request"},
                                                       {"fs.read", "filesystem.read"},
                                                       {"fs.write", "filesystem.write"}};

}  // namespace fusebox::policy::keys
