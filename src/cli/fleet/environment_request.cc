#include "cli/fleet/environment_request.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "cli/fleet/text.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;

// An optional member: nothing is written for "".
void put_text(json::Writer& out, const char* key, const std::string& value) {
  if (!value.empty()) out.key(key).string(base::to_utf8(value));
}
void put_number(json::Writer& out, const char* key, const std::string& text, OptionProblems& problems,
                base::Result<std::int64_t> (*read)(std::string_view option, std::string_view text),
                std::string_view option) {
  if (!text.empty()) out.key(key).integer(problems.take(read(option, text)));
}
base::Result<std::int64_t> count(std::string_view option, std::string_view text) {
  return whole_number(option, text, 0, kInt32Max);
}
base::Result<std::int64_t> mebibytes(std::string_view option, std::string_view text) {
  return size_in(option, text, kMiB);
}
base::Result<std::int64_t> gibibytes(std::string_view option, std::string_view text) {
  return size_in(option, text, kGiB);
}

// A file that must hold a JSON object; its text as it is.
base::Result<std::string> json_file(std::string_view option, const std::string& path) {
  FB_TRY(const std::string text, base::within(option, base::read_file(path, kTextFileBytesMax)));
  FB_TRY(const json::Document document, json::parse(text, {.file = path}));
  if (!document.root->is_object()) return base::fail(Errc::invalid, path + ": must hold an object");
  return json::canonical(*document.root);
}
void put_json_file(json::Writer& out, const char* key, std::string_view option, const std::string& path,
                   OptionProblems& problems) {
  if (path.empty()) return;
  const std::string text = problems.take(json_file(option, path));
  if (!text.empty()) out.key(key).raw(text);
}

void put_labels(json::Writer& out, const std::vector<std::string>& labels, OptionProblems& problems) {
  if (labels.empty()) return;
  std::map<std::string, std::string> sorted;
  for (const std::string& label : labels) {
    const Pair pair = problems.take(key_value("--label", label));
    sorted.insert_or_assign(base::to_utf8(pair.first), base::to_utf8(pair.second));
  }
  out.key("labels").begin_object();
  for (const auto& [key, value] : sorted) out.key(key).string(value);
  out.end_object();
}

void put_manifest(json::Writer& out, const EnvironmentOptions& options, OptionProblems& problems) {
  std::vector<EnvEntry> entries;
  for (const std::string& text : options.env) {
    const Pair pair = problems.take(key_value("--env", text));
    entries.push_back({pair.first, pair.second, false});
  }
  for (const std::string& text : options.env_secrets) {
    const std::size_t equals = text.find('=');
    entries.push_back({text.substr(0, equals), equals == text.npos ? text : text.substr(equals + 1), true});
  }
  if (entries.empty() && options.manifest.empty()) return;
  std::string manifest;
  if (!options.manifest.empty()) {
    auto read = base::within("--manifest", base::read_file(options.manifest, kManifestBytesMax));
    if (!read) return problems.add(read.error().message);
    manifest = std::move(*read);
  }
  const std::string made = problems.take(manifest_with(manifest, options.manifest, entries));
  out.key("manifest_inline").string(base::to_base64(base::as_bytes(made)));
}

// A script is a file when one of that name exists: a script's text hardly ever is the name of a file.
base::Result<std::string> script_text(const std::string& given) {
  std::error_code unknown;
  if (given.find('\n') != given.npos || !std::filesystem::is_regular_file(given, unknown)) return given;
  return base::within("--startup-script", base::read_file(given, kTextFileBytesMax));
}

void put_startup(json::Writer& out, const EnvironmentOptions& options, OptionProblems& problems) {
  if (!options.startup_script.empty() && !options.steps.empty())
    problems.add("--startup-script and --step exclude each other");
  if (!options.startup_script.empty())
    put_text(out, "startup_script", problems.take(script_text(options.startup_script)));
  if (!options.steps.empty()) {
    out.key("startup_steps").begin_array();
    for (const std::string& step : options.steps) {
      out.begin_object();
      out.key("run").string(base::to_utf8(step)).end_object();
    }
    out.end_array();
  }
  put_number(out, "startup_script_timeout_seconds", options.startup_timeout, problems, seconds_in, "--startup-timeout");
  if (options.rerun_script_on_reboot) out.key("rerun_script_on_reboot").boolean(true);
}

// "8080", "8080=web", "53=dns/udp"
void put_exposed(json::Writer& out, const std::string& text, OptionProblems& problems) {
  std::string rest = text;
  std::string protocol;
  if (const std::size_t slash = rest.rfind('/'); slash != rest.npos) {
    protocol = rest.substr(slash + 1);
    rest.resize(slash);
    if (protocol != "tcp" && protocol != "udp")
      problems.add("--expose: " + base::in_quotes(text) + " ends in neither /tcp nor /udp");
  }
  const std::size_t equals = rest.find('=');
  out.begin_object();
  out.key("port").integer(problems.take(whole_number("--expose", rest.substr(0, equals), 1, 65535)));
  if (equals != rest.npos) put_text(out, "as", rest.substr(equals + 1));
  if (protocol == "udp") put_text(out, "protocol", protocol);
  out.end_object();
}

void put_healthcheck(json::Writer& out, const EnvironmentOptions& options, OptionProblems& problems) {
  const bool http = !options.health_http.empty();
  const bool exec = !options.health_exec.empty();
  const bool more =
      !(options.health_interval + options.health_timeout + options.health_retries + options.health_start).empty();
  if (http && exec) problems.add("--healthcheck-http and --healthcheck-exec exclude each other");
  if (!http && !exec && more) problems.add("--healthcheck-http or --healthcheck-exec says what is checked");
  if (!http && !exec) return;
  out.key("healthcheck").begin_object();
  if (http) {
    const std::size_t slash = options.health_http.find('/');
    out.key("http").begin_object();
    out.key("port").integer(
        problems.take(whole_number("--healthcheck-http", options.health_http.substr(0, slash), 1, 65535)));
    if (slash != std::string::npos) put_text(out, "path", options.health_http.substr(slash));
    out.end_object();
  } else {
    out.key("exec").begin_array().string("sh").string("-c").string(base::to_utf8(options.health_exec)).end_array();
  }
  put_number(out, "interval_seconds", options.health_interval, problems, seconds_in, "--healthcheck-interval");
  put_number(out, "timeout_seconds", options.health_timeout, problems, seconds_in, "--healthcheck-timeout");
  put_number(out, "retries", options.health_retries, problems, count, "--healthcheck-retries");
  put_number(out, "start_period_seconds", options.health_start, problems, seconds_in, "--healthcheck-start-period");
  out.end_object();
}

void put_desktop(json::Writer& out, const EnvironmentOptions& options, OptionProblems& problems) {
  if (options.desktop.empty()) {
    if (!options.desktop_wm.empty()) problems.add("--desktop-wm needs --desktop");
    return;
  }
  const std::size_t times = options.desktop.find('x');
  const auto side = [&](std::string_view text) { return problems.take(whole_number("--desktop", text, 320, 3840)); };
  out.key("desktop").begin_object();
  out.key("width").integer(side(std::string_view(options.desktop).substr(0, times)));
  out.key("height").integer(
      side(times == std::string::npos ? std::string_view() : std::string_view(options.desktop).substr(times + 1)));
  put_text(out, "wm", options.desktop_wm);
  out.end_object();
}

struct GivenFile {
  std::string remote, bytes, mode;
};
// "LOCAL:REMOTE[:MODE]". A colon in LOCAL is fine: REMOTE begins at the first ":/".
base::Result<GivenFile> given_file(const std::string& text) {
  const std::size_t colon = text.find(":/");
  if (colon == text.npos || colon == 0)
    return base::fail(Errc::invalid, "--file: " + base::in_quotes(text) + " is not of the form LOCAL:/REMOTE[:MODE]");
  GivenFile file;
  const std::string local = text.substr(0, colon);
  file.remote = text.substr(colon + 1);
  if (const std::size_t mode = file.remote.rfind(':'); mode != file.remote.npos) {
    file.mode = file.remote.substr(mode + 1);
    file.remote.resize(mode);
    if (file.mode.empty() || file.mode.size() > 5 || file.mode.find_first_not_of("01234567") != file.mode.npos)
      return base::fail(Errc::invalid, "--file: the mode of " + base::in_quotes(text) + " is not octal, as 0755 is");
  }
  FB_TRY(file.bytes, base::within("--file", base::read_file(local, kFilesBytesMax)));
  struct stat status{};
  if (file.mode.empty() && ::stat(local.c_str(), &status) == 0 && (status.st_mode & S_IXUSR) != 0) file.mode = "0755";
  return file;
}

void put_files(json::Writer& out, const std::vector<std::string>& given, OptionProblems& problems) {
  if (given.empty()) return;
  std::map<std::string, GivenFile> files;
  std::size_t bytes = 0;
  for (const std::string& text : given) {
    GivenFile file = problems.take(given_file(text));
    bytes += file.bytes.size();
    files.insert_or_assign(base::to_utf8(file.remote), std::move(file));
  }
  if (bytes > kFilesBytesMax)
    problems.add("--file: all files together are larger than 512 KiB; copy them later: fusebox env cp");
  out.key("files").begin_object();
  for (const auto& [path, file] : files) out.key(path).string(base::to_base64(base::as_bytes(file.bytes)));
  out.end_object();
  if (std::ranges::none_of(files, [](const auto& item) { return !item.second.mode.empty(); })) return;
  out.key("file_modes").begin_object();
  for (const auto& [path, file] : files) put_text(out, path.c_str(), file.mode);
  out.end_object();
}

void put_egress_proxy(json::Writer& out, const std::string& given) {
  if (given.empty()) return;
  const std::size_t slash = given.find('/');
  out.key("egress").begin_object();
  put_text(out, "mode", "proxy");
  put_text(out, "provider", given.substr(0, slash));
  if (slash != given.npos) put_text(out, "protocol", given.substr(slash + 1));
  out.end_object();
}

}  // namespace

void write_spec(json::Writer& out, const SpecOptions& options, OptionProblems& problems) {
  out.begin_object();
  put_number(out, "cpus", options.cpus, problems, count, "--cpus");
  put_number(out, "ram_mb", options.ram, problems, mebibytes, "--ram");
  put_number(out, "storage_gb", options.storage, problems, gibibytes, "--storage");
  put_text(out, "region", options.region);
  put_text(out, "arch", options.arch);
  put_number(out, "max_runtime_seconds", options.max_runtime, problems, seconds_in, "--max-runtime");
  put_number(out, "idle_timeout_seconds", options.idle_timeout, problems, seconds_in, "--idle-timeout");
  put_text(out, "image", options.image);
  put_number(out, "gpus", options.gpus, problems, count, "--gpus");
  put_text(out, "gpu_kind", options.gpu_kind);
  put_text(out, "gpu_profile", options.gpu_profile);
  put_text(out, "host_id", options.host);
  put_labels(out, options.labels, problems);
  put_text(out, "backend", options.backend);
  put_json_file(out, "egress", "--egress", options.egress, problems);
  if (options.huge_pages) out.key("huge_pages").boolean(true);
  out.end_object();
}

base::Result<std::string> spec_json(const SpecOptions& options) {
  OptionProblems problems;
  json::Writer out;
  write_spec(out, options, problems);
  if (!problems.empty()) return base::fail(problems.to_error());
  return out.take();
}

base::Result<std::string> environment_json(const EnvironmentOptions& options) {
  OptionProblems problems;
  json::Writer out;
  out.begin_object();
  put_text(out, "task_id", options.task_id);
  write_spec(out.key("spec"), options.spec, problems);
  put_manifest(out, options, problems);
  if (!options.secrets.empty() || !options.secrets_file.empty())
    out.key("secrets").raw(secrets_json(options.secrets, options.secrets_file, problems));
  put_startup(out, options, problems);
  put_text(out, "gateway_url", options.gateway_url);
  put_text(out, "gateway_token", options.gateway_token);
  if (!options.expose.empty()) {
    out.key("expose").begin_array();
    for (const std::string& port : options.expose) put_exposed(out, port, problems);
    out.end_array();
  }
  put_healthcheck(out, options, problems);
  put_desktop(out, options, problems);
  put_files(out, options.files, problems);
  put_text(out, "seed_snapshot_id", options.seed);
  put_egress_proxy(out, options.egress_proxy);
  put_json_file(out, "agent", "--agent", options.agent, problems);
  out.end_object();
  if (!problems.empty()) return base::fail(problems.to_error());
  return out.take();
}

}  // namespace fusebox::cli::fleet
