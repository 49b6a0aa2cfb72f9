#include "cli/grants.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/units.h"
#include "policy/load.h"

namespace fusebox::cli {
namespace {

namespace json = base::json;

struct Root {
  std::string host;
  std::string guest;
};

// "data" is seen as /data, "out:/results" as /results.
Root split_root(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon + 1 < text.size() && text[colon + 1] == '/') {
    return {text.substr(0, colon), text.substr(colon + 1)};
  }
  std::filesystem::path name = std::filesystem::path(text).lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  if (name == "." || name.empty()) name = std::filesystem::current_path();
  return {text, "/" + name.filename().string()};
}

void write_roots(json::Writer& out, std::string_view id, const std::vector<std::string>& roots, bool writable) {
  if (roots.empty()) return;
  out.key(id).begin_object().key("enabled").boolean(true).key("roots").begin_array();
  for (const std::string& text : roots) {
    const Root root = split_root(text);
    out.begin_object().key("host").string(root.host).key("guest").string(root.guest);
    if (writable) out.key("overwrite").boolean(true);
    out.end_object();
  }
  out.end_array().end_object();
}

base::Result<void> write_env(json::Writer& out, const std::vector<std::string>& pairs) {
  if (pairs.empty()) return {};
  out.key("env").begin_object().key("enabled").boolean(true).key("vars").begin_object();
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return base::fail(base::Errc::invalid, "--env " + pair + ": write it as NAME=VALUE");
    }
    out.key(pair.substr(0, equals)).string(pair.substr(equals + 1));
  }
  out.end_object().end_object();
  return {};
}

// The options as a policy document, so that one reader checks files and options alike.
base::Result<std::string> document_of(const GrantOptions& options) {
  json::Writer out;
  out.begin_object().key("version").integer(1).key("capabilities").begin_object();
  if (options.log) out.key("log").begin_object().key("enabled").boolean(true).end_object();
  if (!options.allow_http.empty()) {
    out.key("http.request").begin_object().key("enabled").boolean(true).key("allow").begin_array();
    for (const std::string& rule : options.allow_http) out.string(rule);
    out.end_array().end_object();
  }
  write_roots(out, "fs.read", options.fs_read, false);
  write_roots(out, "fs.write", options.fs_write, true);
  FB_CHECK(write_env(out, options.env));
  out.end_object().end_object();
  return out.take();
}

// A place in the document made of the options means nothing to whoever typed them.
base::Error options_error(const json::Problems& problems) {
  std::string message;
  for (const json::Problem& problem : problems.list())
    message += (message.empty() ? "options: " : "\n") + problem.message;
  return {base::Errc::invalid, std::move(message), "POLICY_INVALID", nullptr};
}

bool names_an_address(const std::string& host) {
  const bool ipv4 = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || ipv4 || host.find(':') != std::string::npos;
}

void add_grants(policy::Policy& into, policy::Policy&& more) {
  for (policy::HttpRule& rule : more.http.allow) {
    if (rule.host && names_an_address(*rule.host)) rule.allow_private = true;
    into.http.allow.push_back(std::move(rule));
  }
  into.http.enabled |= more.http.enabled;
  into.log.enabled |= more.log.enabled;
  into.env.enabled |= more.env.enabled;
  for (auto& [name, value] : more.env.vars) into.env.vars[name] = value;
  const auto add_roots = [](policy::FileRules& to, policy::FileRules&& from) {
    to.enabled |= from.enabled;
    for (policy::FileRoot& root : from.roots) to.roots.push_back(std::move(root));
  };
  add_roots(into.fs_read, std::move(more.fs_read));
  add_roots(into.fs_write, std::move(more.fs_write));
}

struct Range {
  std::uint64_t min;
  std::uint64_t max;
  const char* text;  // completes "allowed are "
};
constexpr Range kMemoryRange = {policy::kPageBytes, std::uint64_t{1} << 32, "64 KiB to 4 GiB"};
constexpr Range kTimeRangeNs = {1'000, 3'600'000'000'000, "1us to 1h"};

base::Result<std::uint64_t> in_range(std::string_view option, std::string_view text, const Range& range,
                                     base::Result<std::uint64_t> value) {
  const std::string given = std::string(option) + " " + std::string(text) + ": ";
  if (!value) return base::fail(value.error().code, given + value.error().message);
  if (*value < range.min || *value > range.max) {
    return base::fail(base::Errc::invalid, given + "allowed are " + range.text);
  }
  return value;
}

base::Result<std::uint64_t> nanoseconds_of(std::string_view text) {
  FB_TRY(const std::chrono::nanoseconds time, base::parse_duration(text));
  return static_cast<std::uint64_t>(time.count());
}

base::Result<void> apply_limits(policy::Limits& limits, const GrantOptions& options) {
  if (!options.memory.empty()) {
    FB_TRY(const std::uint64_t bytes,
           in_range("--memory", options.memory, kMemoryRange, base::parse_size(options.memory)));
    limits.memory_bytes = options.policy_file.empty() ? bytes : std::min(limits.memory_bytes, bytes);
  }
  if (!options.cpu_time.empty()) {
    FB_TRY(const std::uint64_t ns,
           in_range("--cpu-time", options.cpu_time, kTimeRangeNs, nanoseconds_of(options.cpu_time)));
    limits.cpu_ns = options.policy_file.empty() ? ns : std::min(limits.cpu_limit_ns(), ns);
  }
  if (!options.wall_time.empty()) {
    FB_TRY(const std::uint64_t ns,
           in_range("--wall-time", options.wall_time, kTimeRangeNs, nanoseconds_of(options.wall_time)));
    limits.wall_ns = options.policy_file.empty() ? ns : std::min(limits.wall_limit_ns(), ns);
  } else if (options.policy_file.empty() && limits.cpu_limit_ns() > limits.wall_limit_ns()) {
    limits.wall_ns = limits.cpu_limit_ns();  // a longer --cpu-time alone must not be cut by the default wall time
  }
  if (options.ticks) {
    if (*options.ticks > (std::uint64_t{1} << 63) - 1) {
      return base::fail(base::Errc::invalid,
                        "--ticks " + std::to_string(*options.ticks) + " is above the most allowed, 2^63-1");
    }
    limits.ticks = limits.ticks == 0 ? *options.ticks : std::min(limits.ticks, *options.ticks);
  }
  return {};
}

}  // namespace

base::Result<policy::Policy> policy_from(const GrantOptions& options) {
  policy::Policy combined;
  if (!options.policy_file.empty()) {
    FB_TRY(combined, policy::load(options.policy_file));
  }
  FB_TRY(const std::string document, document_of(options));
  json::Problems problems;
  // Options name folders relative to where the command runs, files relative to themselves.
  const std::string here = std::filesystem::current_path().string();
  std::optional<policy::Policy> granted = policy::parse(document, "<options>", here, problems);
  if (!granted || !problems.empty()) return base::fail(options_error(problems));
  for (policy::FileRules* rules : {&granted->fs_read, &granted->fs_write}) {
    for (policy::FileRoot& root : rules->roots) root.host = std::filesystem::absolute(root.host).string();
  }
  add_grants(combined, std::move(*granted));
  FB_CHECK(apply_limits(combined.limits, options));
  if (!options.audit_file.empty()) combined.audit.path = std::filesystem::absolute(options.audit_file).string();
  return combined;
}

}  // namespace fusebox::cli
