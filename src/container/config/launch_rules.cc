#include "container/config/launch_rules.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "container/config/options.h"
#include "vfs/namespace.h"
#include "vfs/net/socket_address.h"
#include "vfs/pipe/pipe_pool.h"
#include "vfs/styx/styx_mount.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

constexpr std::array<std::string_view, 10> kCore = {"null",   "log",    "platform", "9p",      "config",
                                                    "socket", "sha256", "ed25519",  "inflate", "wanted"};

bool is_core(std::string_view name) noexcept {
  return std::ranges::find(kCore, name) != kCore.end();
}

class Checker {
 public:
  Checker(const LaunchConfig& config, std::string_view prefix) : config_(config), prefix_(prefix) {}

  ConfigErrors run() {
    check_console();
    check_drivers();
    check_sockets();
    check_mounts();
    return std::move(errors_);
  }

 private:
  void add(const std::string& path, Errno code, std::string message) {
    errors_.push_back({code, prefix_.empty() ? path : std::string(prefix_) + "." + path, std::move(message)});
  }

  void check_console() {
    constexpr std::string_view kSlots[] = {"in", "out", "err"};
    for (std::size_t i = 0; i < std::size(kSlots); ++i) {
      const DeviceConfig& slot = config_.console[i];
      const std::string path = "console." + std::string(kSlots[i]);
      constexpr std::array<std::string_view, 5> kNames = {"", "null", "log", "pipe", "platform"};
      if (std::ranges::find(kNames, slot.name) == kNames.end()) {
        add(path + ".name", Errno::nodev,
            "no console is called " + base::in_quotes(slot.name) + "; there are null, log, pipe and platform");
      } else if (slot.name == "pipe" && parse_name_option(slot.options).size() > vfs::kPipeNameBytesMax) {
        add(path + ".options", Errno::nametoolong,
            "a pipe's name has at most " + std::to_string(vfs::kPipeNameBytesMax) + " bytes");
      }
    }
  }

  void check_driver_options(const std::string& name, const std::string& options, const std::string& path) {
    if (name == "wanted") {
      if (const auto parsed = parse_wanted_options(options); !parsed) add(path, Errno::inval, parsed.error());
    } else if (name == "socket") {
      if (const auto parsed = vfs::parse_socket_address(options); !parsed)
        add(path, Errno::inval, parsed.error().message);
    } else if (name == "9p") {
      if (const auto parsed = vfs::parse_styx_address(options); !parsed)
        add(path, Errno::inval, parsed.error().message);
    }
  }

  void check_drivers() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < config_.drivers.size(); ++i) {
      const DeviceConfig& driver = config_.drivers[i];
      const std::string path = "drivers[" + std::to_string(i) + "]";
      if (driver.has_path) {
        add(path + ".path", Errno::inval, "drivers stand at /dev/<name>; only mounts have a path");
      } else if (!is_core(driver.name)) {
        add(path + ".name", Errno::nodev, "no driver is called " + base::in_quotes(driver.name));
      } else if (driver.name == "platform") {
        add(path + ".name", Errno::inval, "platform is no device; mount the folder that is needed");
      } else if (driver.name != "null" && !seen.insert(driver.name).second) {
        add(path + ".name", Errno::exist, "driver " + driver.name + " is there already");
      } else {
        check_driver_options(driver.name, driver.options, path + ".options");
      }
    }
  }

  void check_sockets() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < config_.sockets.size(); ++i) {
      const SocketConfig& socket = config_.sockets[i];
      const std::string path = "sockets[" + std::to_string(i) + "]";
      if (socket.has_path) {
        add(path + ".path", Errno::inval, "sockets stand at /net/<name>; only mounts have a path");
      } else if (socket.name.empty() || socket.name == "." || socket.name == ".." ||
                 socket.name.find('/') != std::string::npos) {
        add(path + ".name", Errno::inval, "a socket's name is one path component");
      } else if (const auto address = vfs::parse_socket_address(socket.address); !address) {
        add(path + ".address", Errno::inval, address.error().message);
      } else if (!seen.insert(socket.name).second) {
        add(path + ".name", Errno::exist, "socket " + socket.name + " is there already");
      }
    }
  }

  static bool is_below(std::string_view path, std::string_view tree) noexcept {
    return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
  }

  // Why nothing may be mounted there; "" when it may.
  static std::string place_error(const std::string& path) {
    if (!path.starts_with('/')) return "must be an absolute path";
    const auto normal = vfs::normalise("/", path, std::string::npos);
    if (!normal || normal->path != path) return "must be normalised: no \"//\", \".\", \"..\" or trailing slash";
    if (path == "/") return "the root is the image's own";
    for (const std::string_view tree : {"/dev", "/net", "/proc"}) {
      if (is_below(path, tree)) return std::string(tree) + " is the engine's own";
    }
    return {};
  }

  void check_mounts() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < config_.mounts.size(); ++i) {
      const MountConfig& mount = config_.mounts[i];
      const std::string path = "mounts[" + std::to_string(i) + "]";
      if (const std::string wrong = place_error(mount.path); !wrong.empty()) {
        add(path + ".path", Errno::inval, base::in_quotes(mount.path) + ": " + wrong);
        continue;
      }
      if (!is_core(mount.name) && mount.name != "volume") {
        add(path + ".name", Errno::nodev, "no mount is called " + base::in_quotes(mount.name));
        continue;
      }
      const std::size_t before = errors_.size();
      check_mount_options(mount, path + ".options");
      if (errors_.size() == before && !seen.insert(mount.path).second)
        add(path + ".path", Errno::exist, base::in_quotes(mount.path) + " is a mount point already");
    }
  }

  void check_mount_options(const MountConfig& mount, const std::string& path) {
    if (mount.name == "platform") {
      if (const auto parsed = parse_platform_options(mount.options, mount.path); !parsed)
        add(path, Errno::inval, parsed.error());
    } else if (mount.name == "volume") {
      if (const auto parsed = parse_volume_options(mount.options); !parsed) add(path, Errno::inval, parsed.error());
    } else {
      check_driver_options(mount.name, mount.options, path);
    }
  }

  const LaunchConfig& config_;
  std::string_view prefix_;
  ConfigErrors errors_;
};

}  // namespace

ConfigErrors launch_errors(const LaunchConfig& config, std::string_view prefix) {
  return Checker(config, prefix).run();
}

std::span<const std::string_view> core_drivers() noexcept {
  return kCore;
}

}  // namespace fusebox::container
