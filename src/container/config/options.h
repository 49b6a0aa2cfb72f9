// Option strings of mounts, consoles and drivers: comma-separated tokens, no spaces, no escaping.
//
// Threads  pure functions.
// Errors   a sentence; every one is INVAL at launch.
// Contract containers.md section 6
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace fusebox::container {

template <class T>
using Parsed = std::expected<T, std::string>;

struct PlatformOptions {
  std::string source;  // absolute host folder
  bool read_only = false;
};
Parsed<PlatformOptions> parse_platform_options(std::string_view options, std::string_view mount_path);

struct VolumeOptions {
  std::string name = "default";
  bool read_only = false;
  bool shared = false;
};
Parsed<VolumeOptions> parse_volume_options(std::string_view options);

// The value of `name=`, "" without one; other tokens are ignored: mount `log`, console `pipe`.
std::string parse_name_option(std::string_view options);

// The pipe behind console `slot` (0-2) of an instance: what its options name, or else its own, "<instance>.in".
std::string console_pipe(std::string_view options, std::string_view instance, std::size_t slot);
// Its own pipes are every instance's; another needs one of the globs.
bool may_be_console(const std::vector<std::string>& globs, std::string_view pipe, std::string_view instance,
                    std::size_t slot);

// Driver `wanted`: what its holder may do and see. Everything without options.
struct WantedOptions {
  bool observe = false;            // no writes to ctl, config, reg
  std::vector<std::string> names;  // globs of visible instances; empty = all
  bool no_registry = false;
  bool no_power = false;
  bool no_host = false;  // no configuration with platform mounts or consoles
};
Parsed<WantedOptions> parse_wanted_options(std::string_view options);
bool sees(const WantedOptions& options, std::string_view name) noexcept;
// Why `child` would hold more than `holder`; "" when it does not.
std::string exceeds(const WantedOptions& holder, const WantedOptions& child);

}  // namespace fusebox::container
