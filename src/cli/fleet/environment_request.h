// What `fusebox env create` sends: the options as typed, and the body they become.
//
// Files named by options are read here; what is wrong with the options is told all at once.
//
// Threads  pure functions, but for reading files and the environment.
// Errors   `invalid`: one line for each option that cannot be understood. The server checks the rest.
// Limits   kTextFileBytesMax, kFilesBytesMax
// Contract control-plane.md 5.2, 9.3, 26 rows 3-7
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace CLI {
class App;
}

namespace fusebox::cli::fleet {

inline constexpr std::size_t kTextFileBytesMax = 1u << 20;  // the server's bound of the whole body
inline constexpr std::size_t kFilesBytesMax = 512u << 10;   // contract: `files`, decoded, all together
inline constexpr std::size_t kManifestBytesMax = kTextFileBytesMax;

// `spec` alone: what the scheduler sees.
struct SpecOptions {
  std::string cpus{}, ram{}, storage{}, gpus{};
  std::string region{}, arch{}, image{}, host{}, backend{}, gpu_kind{}, gpu_profile{};
  std::string max_runtime{}, idle_timeout{};
  std::vector<std::string> labels{};
  std::string egress{};  // file of rules
  bool huge_pages = false;
};
void add_spec_options(CLI::App& verb, SpecOptions& options);

struct EnvironmentOptions {
  SpecOptions spec;
  std::string task_id;
  std::string manifest;
  std::vector<std::string> env, env_secrets, secrets;
  std::string secrets_file;
  std::string startup_script, startup_timeout;
  std::vector<std::string> steps;
  bool rerun_script_on_reboot = false;
  std::string gateway_url, gateway_token;
  std::vector<std::string> expose;
  std::string health_http, health_exec, health_interval, health_timeout, health_retries, health_start;
  std::string desktop, desktop_wm;
  std::vector<std::string> files;
  std::string seed;
  std::string egress_proxy;
  std::string agent;
};
void add_environment_options(CLI::App& verb, EnvironmentOptions& options);

// Problems of several options, told together.
class OptionProblems {
 public:
  // The value, or its default and a line more.
  template <class T>
  T take(base::Result<T> result) {
    if (result) return std::move(*result);
    add(result.error().message);
    return T();
  }
  void add(const std::string& line) { lines_ += (lines_.empty() ? "" : "\n") + line; }
  bool empty() const noexcept { return lines_.empty(); }
  base::Error to_error() const { return {base::Errc::invalid, lines_, "", nullptr}; }

 private:
  std::string lines_;
};

// Writes the object: `"spec":` is the caller's.
void write_spec(base::json::Writer& out, const SpecOptions& options, OptionProblems& problems);
base::Result<std::string> spec_json(const SpecOptions& options);  // the object alone
base::Result<std::string> environment_json(const EnvironmentOptions& options);

// A file of secrets: a JSON object of texts, or lines KEY=VALUE with # comments.
base::Result<std::vector<std::pair<std::string, std::string>>> read_secrets_file(const std::string& path);
// "KEY=VALUE", or "KEY": the value is this process's environment variable of that name, and stays out of `ps`.
base::Result<std::pair<std::string, std::string>> secret_value(std::string_view text);
// Secrets of both options as a JSON object; later ones win.
std::string secrets_json(const std::vector<std::string>& secrets, const std::string& file, OptionProblems& problems);

// The manifest with `machine.env` entries added: {"K":{"value":...}} and {"K":{"secret":...}}.
struct EnvEntry {
  std::string key, value;
  bool secret = false;
};
base::Result<std::string> manifest_with(const std::string& manifest, const std::string& file,
                                        const std::vector<EnvEntry>& entries);

}  // namespace fusebox::cli::fleet
