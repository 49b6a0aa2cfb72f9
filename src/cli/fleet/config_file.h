// The servers a user works with, in the file that the reference's command uses too.
//
// Keys of the file that are not ours are kept as they are; comments are not.
//
// Threads  plain values; two processes that write at once: the later wins, no file is ever half written.
// Errors   `invalid`: the file is not what it should be, with its line. `io`: it cannot be read or written.
// Limits   kConfigBytesMax, kContextsMax
// Contract control-plane.md 21
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fusebox::cli::fleet {

inline constexpr std::size_t kConfigBytesMax = 1u << 20;
inline constexpr std::size_t kContextsMax = 1000;

struct Context {
  std::string name;
  std::string base_url;
  std::string token;
  bool master = false;  // the token is the server's master token
  std::string active_host;
};

struct Config {
  std::string current_context;
  std::vector<Context> contexts;
  const Context* find(std::string_view name) const noexcept;
};

// $FUSE_CONFIG, else fuse/config.yaml in the user's configuration folder; empty without a home folder.
std::filesystem::path default_config_path();

base::Result<Config> read_config(const std::filesystem::path& path);  // an absent file is an empty one
base::Result<void> write_config(const std::filesystem::path& path, const Config& config);  // mode 0600

}  // namespace fusebox::cli::fleet
