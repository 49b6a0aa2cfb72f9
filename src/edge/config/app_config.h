// A deployment: app_config.json read into one value.
//
// Threads  plain values, pure functions; load_app_config() reads one file.
// Errors   every problem at once, in Notes, each with its place. Unknown keys outside policies are warnings, or errors when
//          strict; inside policies always errors.
// Contract edge.md section 7
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "edge/config/edge_policy.h"
#include "edge/config/notes.h"
#include "edge/config/read_policy.h"

namespace fusebox::edge::config {

struct ModuleConfig {
  std::string name;
  std::string binary;  // as written; find_binary.h says which file that is
  EdgePolicy policy;
};

struct AppConfig {
  std::string name;
  std::uint32_t max_modules = 0;
  std::uint32_t wamr_pool_bytes = 0;  // the pool of fuse_init(); the name is the format's
  std::uint32_t log_pool_bytes = 0;
  std::vector<std::string> hal_groups;  // in the order written, repeated ones included
  std::uint32_t hal_mask = 0;           // capability bits of hal_groups
  std::vector<EventName> events;        // by bit
  fuse_options_t options{};             // application.fusebox; `size` is set
  std::vector<ModuleConfig> modules;    // empty = platform only
};

struct ConfigOptions {
  bool strict = false;
};

// `file` is for messages only. Nothing when `notes` got any error.
std::optional<AppConfig> parse_app_config(std::string_view text, std::string file, const ConfigOptions& options,
                                          Notes& notes);
// `not_found`, `exhausted`, `io` when the file cannot be read; a null optional when `notes` got any error.
base::Result<std::optional<AppConfig>> load_app_config(const std::filesystem::path& file, const ConfigOptions& options,
                                                       Notes& notes);

}  // namespace fusebox::edge::config
