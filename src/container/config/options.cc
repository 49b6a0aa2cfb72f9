#include "container/config/options.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "vfs/text/glob.h"

namespace fusebox::container {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> tokens;
  if (text.empty()) return tokens;
  for (;;) {
    const std::size_t at = text.find(separator);
    tokens.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return tokens;
    text.remove_prefix(at + 1);
  }
}

std::optional<std::string_view> value_of(std::string_view token, std::string_view key) noexcept {
  if (!token.starts_with(key) || token.size() <= key.size() || token[key.size()] != '=') return std::nullopt;
  return token.substr(key.size() + 1);
}

std::unexpected<std::string> unknown(std::string_view token, std::string_view allowed) {
  return std::unexpected("unknown option " + base::in_quotes(token) + "; allowed are " + std::string(allowed));
}

bool is_component(std::string_view name) noexcept {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

std::string own_console_pipe(std::string_view instance, std::size_t slot) {
  constexpr std::string_view kSlots[] = {".in", ".out", ".err"};
  return std::string(instance) + std::string(kSlots[slot]);
}

}  // namespace

Parsed<PlatformOptions> parse_platform_options(std::string_view options, std::string_view mount_path) {
  PlatformOptions parsed;
  parsed.source = mount_path;
  for (const std::string_view token : split(options, ',')) {
    if (token == "ro" || token == "rw") {
      parsed.read_only = token == "ro";
    } else if (token.starts_with("src=")) {
      parsed.source = token.substr(4);
      if (!parsed.source.starts_with('/')) {
        return std::unexpected("src is " + base::in_quotes(parsed.source) +
                               "; it must be an absolute path of the host");
      }
    } else {
      return unknown(token, "src=<absolute path>, ro and rw");
    }
  }
  return parsed;
}

Parsed<VolumeOptions> parse_volume_options(std::string_view options) {
  VolumeOptions parsed;
  for (const std::string_view token : split(options, ',')) {
    if (token == "ro" || token == "rw") {
      parsed.read_only = token == "ro";
    } else if (token == "shared") {
      parsed.shared = true;
    } else if (token.starts_with("name=")) {
      parsed.name = token.substr(5);
      if (!is_component(parsed.name)) {
        return std::unexpected("the volume's name is " + base::in_quotes(parsed.name) +
                               R"(; it must be one path component, not "." or "..")");
      }
    } else {
      return unknown(token, "name=<volume>, ro, rw and shared");
    }
  }
  return parsed;
}

std::string parse_name_option(std::string_view options) {
  std::string name;
  for (const std::string_view token : split(options, ',')) {
    if (const auto value = value_of(token, "name")) name = *value;
  }
  return name;
}

std::string console_pipe(std::string_view options, std::string_view instance, std::size_t slot) {
  std::string pipe = parse_name_option(options);
  return pipe.empty() ? own_console_pipe(instance, slot) : pipe;
}

bool may_be_console(const std::vector<std::string>& globs, std::string_view pipe, std::string_view instance,
                    std::size_t slot) {
  return pipe == own_console_pipe(instance, slot) || vfs::glob_match_any(globs, pipe);
}

Parsed<WantedOptions> parse_wanted_options(std::string_view options) {
  WantedOptions parsed;
  for (const std::string_view token : split(options, ',')) {
    if (token == "observe") {
      parsed.observe = true;
    } else if (token == "noreg") {
      parsed.no_registry = true;
    } else if (token == "nopower") {
      parsed.no_power = true;
    } else if (token == "nohost") {
      parsed.no_host = true;
    } else if (token.starts_with("names=")) {
      for (const std::string_view glob : split(token.substr(6), ';')) {
        if (glob.empty()) return std::unexpected("names holds an empty pattern");
        parsed.names.emplace_back(glob);
      }
      // "names=" alone must not mean "all".
      if (parsed.names.empty()) return std::unexpected("names holds no pattern");
    } else {
      return unknown(token, "observe, names=<glob>[;<glob>], noreg, nopower and nohost");
    }
  }
  return parsed;
}

bool sees(const WantedOptions& options, std::string_view name) noexcept {
  return options.names.empty() || vfs::glob_match_any(options.names, name);
}

std::string exceeds(const WantedOptions& holder, const WantedOptions& child) {
  if (holder.observe && !child.observe) return "observe";
  if (holder.no_registry && !child.no_registry && !child.observe) return "noreg";
  if (holder.no_power && !child.no_power) return "nopower";
  if (holder.no_host && !child.no_host && !child.observe) return "nohost";
  if (holder.names.empty()) return {};
  if (child.names.empty()) return "names";
  for (const std::string& glob : child.names) {
    const bool literal = glob.find_first_of("*?") == std::string::npos;
    const bool held = std::ranges::find(holder.names, glob) != holder.names.end() ||
                      (literal && vfs::glob_match_any(holder.names, glob));
    if (!held) return "names";
  }
  return {};
}

}  // namespace fusebox::container
