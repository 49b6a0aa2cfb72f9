// What a sandbox may do: one plain value, whatever file it came from.
//
// A default Policy grants nothing and has the limits of contract capability.md 8.2. It is immutable once bound to a sandbox.
// Threads  a plain value.
// Units    bytes, milliseconds and counts, as the names say. Limits marked "0 = off" are the only ones that can be off.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fusebox::policy {

inline constexpr std::uint64_t kPageBytes = 65536;  // a page of linear memory
// As cpu_ns or wall_ns: none. Policies of the edge face alone have it; no document of the capability face can.
inline constexpr std::uint64_t kNoTimeLimit = ~std::uint64_t{0};

enum class Isolation : std::uint8_t { thread, process, vm };  // process and vm are refused until their drivers exist
enum class DataFormat : std::uint8_t { utf8, json, bytes };
enum class ResultFormat : std::uint8_t { automatic, json, bytes };
enum class OnDenied : std::uint8_t { error, trap };
enum class IntegrityRequire : std::uint8_t { none, hash, signature };
enum class OnAuditFailure : std::uint8_t { keep_going, deny };
// preferred: a module the pass cannot meter runs under epochs.
enum class Metering : std::uint8_t { required, preferred };
enum class Symlinks : std::uint8_t { deny, within };
enum class LogLevelMin : std::uint8_t { debug, info, warn, error };
enum class PathMatch : std::uint8_t { prefix, exact, text_prefix };  // text_prefix: the short form's trailing '*'

struct Limits {
  std::uint64_t memory_bytes = 64u << 20;
  std::uint64_t cpu_ms = 5'000;
  std::uint64_t wall_ms = 30'000;
  std::uint64_t ticks = 0;  // 0 = off
  std::uint64_t stack_bytes = 512u << 10;
  std::uint64_t input_bytes = 1u << 20;
  std::uint64_t result_bytes = 1u << 20;
  std::uint64_t host_calls = 10'000;
  std::uint64_t module_bytes = 16u << 20;
  std::uint64_t table_elements = 10'000;
  std::uint64_t concurrent = 64;
  // Sub-millisecond limits, from setters, options and edge policies; 0 = the *_ms field alone counts.
  std::uint64_t cpu_ns = 0;
  std::uint64_t wall_ns = 0;
  bool operator==(const Limits&) const = default;

  std::uint64_t memory_pages() const noexcept { return memory_bytes / kPageBytes; }
  std::uint64_t cpu_limit_ns() const noexcept { return cpu_ns != 0 ? cpu_ns : cpu_ms * 1'000'000; }
  std::uint64_t wall_limit_ns() const noexcept { return wall_ns != 0 ? wall_ns : wall_ms * 1'000'000; }
};

struct TrustedKey {
  std::string id;
  std::array<std::byte, 32> public_key{};
  std::optional<std::int64_t> not_after_unix_ns;
  bool operator==(const TrustedKey&) const = default;
};

struct Integrity {
  IntegrityRequire require = IntegrityRequire::none;
  std::vector<std::array<std::byte, 32>> sha256;
  std::vector<TrustedKey> trusted_keys;
  bool operator==(const Integrity&) const = default;
};

struct LogRules {
  bool enabled = false;
  LogLevelMin level_min = LogLevelMin::debug;
  std::uint64_t max_message_bytes = 4096;
  std::uint64_t max_messages = 1000;
  std::uint64_t max_total_bytes = 262'144;
  bool operator==(const LogRules&) const = default;
};

struct EnvRules {
  bool enabled = false;
  std::map<std::string, std::string> vars;
  bool operator==(const EnvRules&) const = default;
};

// Contract capability.md 8.4. In a deny entry an absent field matches everything: hence the optionals.
struct HttpRule {
  std::optional<std::string> scheme;  // "https", "http"
  std::optional<std::string> host;    // lower case; "*.example.com" for names below; IPv6 without brackets
  std::optional<std::uint16_t> port;
  std::optional<std::vector<std::string>> methods;  // upper case
  std::optional<std::string> path;                  // normalised
  PathMatch path_match = PathMatch::prefix;
  bool query = true;
  bool allow_private = false;
  bool operator==(const HttpRule&) const = default;
};

struct HttpRules {
  bool enabled = false;
  std::vector<HttpRule> allow;  // every optional is set here
  std::vector<HttpRule> deny;
  std::uint64_t max_requests = 10;
  std::uint64_t max_request_bytes = 65'536;
  std::uint64_t max_response_bytes = 1u << 20;
  std::uint64_t timeout_ms = 10'000;
  std::uint64_t max_per_second = 0;  // 0 = off
  std::uint64_t max_redirects = 0;
  std::vector<std::string> response_headers = {"content-type", "content-length", "etag", "location"};
  std::vector<std::string> request_headers = {"accept", "content-type", "authorization", "if-none-match"};
  bool operator==(const HttpRules&) const = default;
};

struct FileRoot {
  std::string guest;  // absolute guest prefix, "/data"
  std::string host;   // as written; relative to Policy::base_dir
  std::uint64_t max_file_bytes = 1u << 20;
  Symlinks symlinks = Symlinks::deny;
  // Only for fs.write:
  bool create = true;
  bool overwrite = false;
  bool mkdirs = false;
  std::uint64_t max_files = 100;
  bool operator==(const FileRoot&) const = default;
};

struct FileRules {
  bool enabled = false;
  std::vector<FileRoot> roots;
  std::uint64_t max_calls = 100;
  std::uint64_t max_total_bytes = 16u << 20;
  bool operator==(const FileRules&) const = default;
};

// Contract 8.6: a registered capability.
struct RegisteredCapability {
  bool enabled = false;
  std::string arguments_schema;    // canonical JSON, "" = anything
  std::vector<std::string> hosts;  // host capability ids this one may use
  bool operator==(const RegisteredCapability&) const = default;
};

struct AuditRules {
  std::string path;  // "" = the last 10000 records in memory
  std::uint64_t max_file_bytes = 64u << 20;
  std::vector<std::string> redact;
  OnAuditFailure on_failure = OnAuditFailure::keep_going;
  std::string sign_key;  // path of a 32-byte Ed25519 seed; "" = unsigned checkpoints
  bool operator==(const AuditRules&) const = default;
};

enum class Restart : std::uint8_t { never, limited, always };

// For the edge face (contract edge.md 6.1, 6.5): when a module is stepped, and what happens when it fails.
struct Schedule {
  enum Activation : std::uint32_t { kInterval = 1, kEvent = 2, kManual = 4 };
  std::uint32_t activation_mask = kInterval;
  std::uint32_t event_subscribe = 0;  // bit N = event N
  std::uint64_t step_interval_us = 0;
  std::uint64_t phase_us = 0;
  std::uint64_t deadline_us = 0;
  std::int32_t priority = 0;
  bool drift_free = false;
  std::uint64_t init_budget_us = 0;        // 0 = the runtime's own
  std::uint64_t log_entries_per_step = 0;  // 0 = off
  Restart restart = Restart::never;
  std::uint64_t restart_max = 0;  // for limited
  std::uint64_t restart_backoff_us = 0;
  bool operator==(const Schedule&) const = default;
};

struct Policy {
  Limits limits;
  Integrity integrity;
  DataFormat input_format = DataFormat::utf8;
  ResultFormat result_format = ResultFormat::automatic;
  OnDenied on_denied = OnDenied::error;
  Metering metering = Metering::required;
  Isolation isolation = Isolation::thread;
  LogRules log;
  EnvRules env;
  HttpRules http;
  FileRules fs_read;
  FileRules fs_write;
  std::vector<std::string> hal_groups;  // edge: "temp_sensor", "timer", ...; sorted
  std::map<std::string, RegisteredCapability> registered;
  AuditRules audit;
  Schedule schedule;

  std::string base_dir;  // what relative host paths start from; not part of equality of rules
  std::string hash_hex;  // SHA-256 of the canonical document; "" when made in code
  bool operator==(const Policy&) const = default;
};

}  // namespace fusebox::policy
