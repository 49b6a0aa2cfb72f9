#include <algorithm>

#include "container/wanted/wanted_mount.h"
#include "vfs/text/glob.h"

namespace fusebox::container {
namespace {

const std::vector<std::string> kAll{"*"};

bool all_within(const std::vector<std::string>& held, const std::vector<std::string>& wanted) {
  if (std::ranges::find(held, "*") != held.end()) return true;
  return std::ranges::all_of(wanted, [&](const std::string& glob) {
    const bool literal = glob.find_first_of("*?") == std::string::npos;
    return std::ranges::find(held, glob) != held.end() || (literal && vfs::glob_match_any(held, glob));
  });
}

// all > self > none. `self` of a child shows it nothing of its holder's.
int rank(ProcView view, bool privileged) noexcept {
  if (view == ProcView::by_privilege) view = privileged ? ProcView::all : ProcView::none;
  return view == ProcView::all ? 1 : 0;
}

// Contract 6: the driver without options.
bool has_full_authority(const WantedOptions& options) noexcept {
  return !options.observe && !options.no_registry && !options.no_power && !options.no_host && options.names.empty();
}

bool uses_host(const LaunchConfig& config) {
  const auto is_platform = [](const auto& one) { return one.name == "platform"; };
  return std::ranges::any_of(config.console, is_platform) || std::ranges::any_of(config.mounts, is_platform);
}

std::string wanted_excess(const WantedOptions& holder, std::string_view name, const std::string& options) {
  if (name != "wanted") return {};
  const auto child = parse_wanted_options(options);
  return child ? exceeds(holder, *child) : std::string();  // what cannot be parsed fails at launch
}

// Without a name it shows everybody's.
bool holds_logs_of(const WantedOptions& holder, std::string_view options) {
  const std::string name = parse_name_option(options);
  return holder.names.empty() || (!name.empty() && sees(holder, name));
}

}  // namespace

std::string exceeds(const WantedHolder& holder, std::string_view name, const LaunchConfig& config, bool privileged) {
  if (holder.options.no_host && uses_host(config)) return "a platform mount or console (nohost)";
  for (const DeviceConfig& driver : config.drivers) {
    if (const std::string why = wanted_excess(holder.options, driver.name, driver.options); !why.empty())
      return "driver wanted without " + why;
  }
  for (const MountConfig& mount : config.mounts) {
    if (const std::string why = wanted_excess(holder.options, mount.name, mount.options); !why.empty())
      return "mount wanted without " + why;
    if (mount.name == "log" && !holds_logs_of(holder.options, mount.options)) return "mount log beyond names";
  }
  if (!has_full_authority(holder.options) && rank(config.proc, privileged) > rank(holder.proc, privileged))
    return "proc";
  if (!all_within(holder.pipes_read, config.pipes_read)) return "pipes.read";
  if (!all_within(holder.pipes_write, config.pipes_write)) return "pipes.write";
  for (std::size_t slot = 0; slot < std::size(config.console); ++slot) {
    if (config.console[slot].name != "pipe") continue;
    const std::string pipe = console_pipe(config.console[slot].options, name, slot);
    if (!may_be_console(slot == 0 ? holder.pipes_read : holder.pipes_write, pipe, name, slot))
      return "pipe " + pipe + " as a console";
  }
  return {};
}

void narrow(const WantedHolder& holder, LaunchConfig& config, bool privileged) {
  if (config.pipes_read == kAll) config.pipes_read = holder.pipes_read;
  if (config.pipes_write == kAll) config.pipes_write = holder.pipes_write;
  if (config.proc == ProcView::by_privilege && rank(holder.proc, privileged) == 0 &&
      !has_full_authority(holder.options))
    config.proc = ProcView::none;
}

}  // namespace fusebox::container
