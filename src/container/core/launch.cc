#include "container/core/launch.h"

#include <algorithm>
#include <filesystem>

#include "container/config/launch_rules.h"
#include "container/config/limits.h"
#include "container/config/options.h"
#include "container/core/core.h"
#include "container/core/policy_rules.h"
#include "container/proc/proc_mount.h"
#include "container/wanted/wanted_mount.h"
#include "vfs/config/config_mount.h"
#include "vfs/device/devices.h"
#include "vfs/folder/host_folder.h"
#include "vfs/overlay/overlay.h"
#include "vfs/styx/styx_mount.h"
#include "vfs/tar/tree_mount.h"
#include "vfs/volume/volume_store.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::Mount;
using vfs::TreeEntry;

constexpr std::uint64_t kWritableBytesDefault = 64u << 20;  // of a layer in memory without limits.volumeBytes

End config_end(std::string_view path, Errno code, std::string_view message) {
  return {State::failure, -1, one_line("config:" + std::string(path) + ":" + std::string(vfs::to_string(code))),
          ": " + std::string(path) + ": " + std::string(message)};
}

End policy_end(const std::string& rule, const std::string& why = {}) {
  const std::string more = why.empty() ? why : ": " + why;
  return {State::failure, -1, "policy:" + rule, ": refused by the policy: " + rule + more};
}

Errno errno_of(const base::Error& error) noexcept {
  switch (error.code) {
    case base::Errc::invalid:
      return Errno::inval;
    case base::Errc::not_found:
      return Errno::noent;
    case base::Errc::exists:
      return Errno::exist;
    case base::Errc::denied:
      return Errno::acces;
    case base::Errc::exhausted:
      return Errno::nospc;
    default:
      return Errno::io;
  }
}

class Launch {
 public:
  explicit Launch(const LaunchRequest& request)
      : request_(request), core_(request.core), options_(request.core.options()), config_(request.config) {}

  std::expected<Launched, End> run() {
    if (const ConfigErrors errors = launch_errors(config_); !errors.empty())
      return std::unexpected(config_end(errors[0].path, errors[0].code, errors[0].message));
    if (const auto broken = broken_policy_rule(options_.policy, config_); !broken.empty())
      return std::unexpected(policy_end(broken));
    const bool made = consoles() && devices() && sockets() && mounts() && root();
    if (!made) return std::unexpected(std::move(*end_));
    vfs::Namespace::Options names;
    names.root = std::move(root_);
    names.path_bytes_max = options_.profile.max_path_bytes;
    names.mounts = std::move(mounts_);
    auto built = vfs::Namespace::build(std::move(names));
    if (!built) return std::unexpected(config_end("mounts", errno_of(built.error()), built.error().message));
    launched_.names = std::move(*built);
    return std::move(launched_);
  }

 private:
  bool fail(std::string_view path, Errno code, std::string_view message) {
    end_ = config_end(path, code, message);
    return false;
  }
  std::string where(std::string_view section, std::size_t index) const {
    return std::string(section) + "[" + std::to_string(index) + "]";
  }

  bool consoles() {
    constexpr std::string_view kDefault[] = {"null", "log", "log"};
    constexpr std::string_view kSlot[] = {"in", "out", "err"};
    for (std::size_t i = 0; i < 3; ++i) {
      const DeviceConfig& slot = config_.console[i];
      const std::string_view name = slot.name.empty() ? kDefault[i] : std::string_view(slot.name);
      std::shared_ptr<vfs::Console>& console = launched_.consoles[i];
      if (name == "null") {
        console = vfs::make_null_console();
      } else if (name == "log") {
        console = vfs::make_log_console(core_.logs(), request_.name, log_bytes());
      } else if (name == "platform") {
        console = vfs::make_host_console(request_.platform_fds[i], request_.keep_platform_fds);
      } else {
        const std::string pipe = console_pipe(slot.options, request_.name, i);
        const std::string path = "console." + std::string(kSlot[i]);
        if (!may_be_console(i == 0 ? config_.pipes_read : config_.pipes_write, pipe, request_.name, i))
          return fail(path, Errno::acces, "pipe " + pipe + " is not in pipes." + (i == 0 ? "read" : "write"));
        auto made = vfs::make_pipe_console(*core_.pipes(), pipe, static_cast<int>(i));
        if (!made) return fail(path, made.error(), "no pipe " + pipe + " can be attached");
        console = std::move(*made);
      }
    }
    return true;
  }

  std::uint32_t log_bytes() const { return config_.limits.log_bytes.value_or(options_.profile.log_bytes); }

  std::shared_ptr<vfs::Net> net() {
    if (!net_) {
      vfs::NetOptions net;
      net.lookups = core_.lookups();
      net.clock = options_.clock;
      net.bytes_per_s = config_.limits.socket_bytes_per_s.value_or(0);
      net.report = [&core = core_, name = request_.name](std::string_view text) {
        core.message("wapp '" + name + "': " + std::string(text));
      };
      net_ = vfs::make_net(std::move(net));
    }
    return net_;
  }

  std::optional<vfs::TlsOptions> tls_of(std::string_view socket) {
    vfs::TlsOptions tls{options_.tls.verify, options_.tls.ca, options_.tls.cert, options_.tls.key, {}, {}};
    for (const auto& [name, own] : config_.tls) {
      if (name != socket) continue;
      tls.verify = own.verify.value_or(tls.verify);
      const auto held = std::make_shared<Held>();
      tls.held = held;
      if (!tls_file(own.ca, tls.ca, *held) || !tls_file(own.cert, tls.certificate, *held) ||
          !tls_file(own.key, tls.key, *held))
        return std::nullopt;
      tls.server_name = own.server_name;
    }
    return tls;
  }

  // Under a policy the file that was found is what is read, whatever lies at its path by then.
  using Held = std::vector<base::Fd>;
  bool tls_file(const std::string& own, std::string& path, Held& held) {
    if (own.empty()) return true;
    path = own;
    if (!options_.policy) return true;
    auto file = open_within_policy(options_.policy, own);
    if (file) {
      path = "/proc/self/fd/" + std::to_string(file->get());
      held.push_back(std::move(*file));
      return true;
    }
    if (file.error().code != base::Errc::denied) return fail("tls", errno_of(file.error()), file.error().message);
    end_ = policy_end("fs.read", file.error().message);
    return false;
  }

  std::shared_ptr<Mount> wanted(const std::string& options, const std::string& path) {
    WantedHolder holder;
    holder.options = *parse_wanted_options(options);  // launch_errors() has parsed it
    holder.proc = core_.proc_view(config_);
    holder.pipes_read = config_.pipes_read;
    holder.pipes_write = config_.pipes_write;
    return make_wanted_mount(core_, std::move(holder), path);
  }

  // What `name` is as an entry of /dev or as a mount point of its own; the path is for inodes.
  std::optional<TreeEntry> device(const std::string& name, const std::string& options, const std::string& path,
                                  const std::string& config_path) {
    TreeEntry entry;
    if (name == "log") {
      entry.device = vfs::log_device(core_.logs(), request_.name, log_bytes());
    } else if (name == "sha256") {
      entry.device = vfs::sha256_device();
    } else if (name == "ed25519") {
      entry.device = vfs::ed25519_device();
    } else if (name == "inflate") {
      entry.device = vfs::inflate_device();
    } else if (name == "null") {
      entry.device = vfs::null_device();
    } else if (name == "config") {
      entry.mount = vfs::make_config_mount(options, path);
    } else if (name == "wanted") {
      entry.mount = wanted(options, path);
    } else if (name == "9p") {
      vfs::StyxAddress address = *vfs::parse_styx_address(options);
      std::string beneath;
      if (address.kind == vfs::StyxAddress::Kind::unix_socket) beneath = policy_folder(options_.policy, address.host);
      entry.mount =
          vfs::make_styx_mount({std::move(address), path, core_.lookups(), options_.clock, std::move(beneath)});
    } else {
      auto tls = tls_of(name);
      if (!tls) return std::nullopt;
      auto made = vfs::socket_device(net(), {name, *vfs::parse_socket_address(options), std::move(*tls)});
      if (!made) {
        fail(config_path, errno_of(made.error()), made.error().message);
        return std::nullopt;
      }
      entry.device = std::move(*made);
    }
    entry.device.name = name;
    return entry;
  }

  bool devices() {
    auto share = std::make_shared<vfs::PipeShare>();
    share->owner = request_.name;
    share->read = config_.pipes_read;
    share->write = config_.pipes_write;
    if (config_.limits.pipes) share->pipes_max = *config_.limits.pipes;
    std::vector<TreeEntry> entries;
    entries.push_back({vfs::null_device(), nullptr});
    entries.push_back({{}, vfs::make_pipe_mount(core_.pipes(), share)});
    entries.back().device.name = "pipe";
    for (int i = 0; i < 3; ++i)
      entries.push_back({vfs::console_alias(launched_.consoles[static_cast<std::size_t>(i)], i), nullptr});
    for (std::size_t i = 0; i < config_.drivers.size(); ++i) {
      const DeviceConfig& driver = config_.drivers[i];
      if (driver.name == "null") continue;  // it is there already
      auto entry = device(driver.name, driver.options, "/dev/" + driver.name, where("drivers", i));
      if (!entry) return false;
      entries.push_back(std::move(*entry));
    }
    entries.push_back({vfs::window_device(request_.window), nullptr});
    add_mount("/dev", vfs::make_device_tree("/dev", vfs::device_code("DevF"), std::move(entries)));
    return true;
  }

  bool sockets() {
    std::vector<vfs::SocketNode> nodes;
    for (const SocketConfig& socket : config_.sockets) {
      auto tls = tls_of(socket.name);
      if (!tls) return false;
      nodes.push_back({socket.name, *vfs::parse_socket_address(socket.address), std::move(*tls)});
    }
    auto made = vfs::make_socket_mount(net(), std::move(nodes));
    if (!made) return fail("sockets", errno_of(made.error()), made.error().message);
    add_mount("/net", std::move(*made));
    add_mount("/proc", make_proc_mount(core_, request_.name, core_.proc_view(config_)));
    return true;
  }

  void add_mount(std::string path, std::shared_ptr<Mount> mount, bool host_folder = false, bool read_only = false) {
    mounts_.push_back({std::move(path), std::move(mount), host_folder, read_only});
  }

  bool platform(const MountConfig& mount, const std::string& path) {
    const PlatformOptions parsed = *parse_platform_options(mount.options, mount.path);
    vfs::HostFolderOptions folder;
    folder.read_only = parsed.read_only;
    folder.create = !parsed.read_only;
    folder.beneath = policy_folder(options_.policy, parsed.source);
    folder.mount_index = ++folder_index_;
    auto opened = vfs::open_host_folder(parsed.source, folder);
    if (opened) {
      add_mount(mount.path, std::move(*opened), true, parsed.read_only);
      return true;
    }
    if (opened.error().code == base::Errc::denied) {
      end_ = policy_end(parsed.read_only ? "fs.read" : "fs.write", opened.error().message);
      return false;
    }
    if (parsed.read_only) return fail(path, errno_of(opened.error()), opened.error().message);
    core_.message("wapp '" + request_.name + "': mount " + mount.path + " is left out: " + opened.error().message);
    return true;
  }

  bool volume(const MountConfig& mount, const std::string& path) {
    const VolumeOptions parsed = *parse_volume_options(mount.options);
    const auto volumes = core_.volumes();
    if (!volumes) return fail(path, errno_of(volumes.error()), volumes.error().message);
    const vfs::VolumeKey key{parsed.shared ? std::string() : request_.name, parsed.name};
    auto opened =
        (*volumes)->mount(key, {parsed.read_only, ++folder_index_, config_.limits.volume_bytes, request_.stopped});
    if (!opened) return fail(path, errno_of(opened.error()), opened.error().message);
    add_mount(mount.path, std::move(*opened), true, parsed.read_only);
    return true;
  }

  bool mounts() {
    for (std::size_t i = 0; i < config_.mounts.size(); ++i) {
      const MountConfig& mount = config_.mounts[i];
      const std::string path = where("mounts", i);
      bool ok = true;
      if (mount.name == "platform") {
        ok = platform(mount, path);
      } else if (mount.name == "volume") {
        ok = volume(mount, path);
      } else if (mount.name == "log") {
        add_mount(mount.path, vfs::make_log_mount(core_.logs(), mount.path, parse_name_option(mount.options)));
      } else {
        auto entry = device(mount.name, mount.options, mount.path, path);
        ok = entry.has_value();
        if (ok)
          add_mount(mount.path,
                    entry->mount ? entry->mount : vfs::make_device_mount(mount.path, std::move(entry->device)));
      }
      if (!ok) return false;
    }
    return true;
  }

  bool root() {
    root_ = vfs::make_tree_mount(request_.image.tree());
    if (config_.writable.empty()) return true;
    if (config_.writable == "memory") {
      const std::uint64_t bytes = config_.limits.volume_bytes.value_or(kWritableBytesDefault);
      root_ = vfs::make_overlay(std::move(root_), vfs::make_memory_upper(*options_.clock, bytes));
      return true;
    }
    const std::string name = config_.writable.substr(std::string_view("volume:").size());
    if (!parse_volume_options("name=" + name)) return fail("writable", Errno::inval, "no name of a volume");
    const auto volumes = core_.volumes();
    if (!volumes) return fail("writable", errno_of(volumes.error()), volumes.error().message);
    vfs::VolumeStore::MountOptions layer;
    layer.bytes_max = config_.limits.volume_bytes;
    layer.stopped = request_.stopped;
    layer.keep_links = true;
    auto upper = (*volumes)->mount({request_.name, name}, layer);
    if (!upper) return fail("writable", errno_of(upper.error()), upper.error().message);
    root_ = vfs::make_overlay(std::move(root_), std::move(*upper));
    return true;
  }

  const LaunchRequest& request_;
  Containers::Core& core_;
  const ContainersOptions& options_;
  const LaunchConfig& config_;
  Launched launched_;
  std::optional<End> end_;
  std::shared_ptr<vfs::Net> net_;
  std::shared_ptr<Mount> root_;
  std::vector<vfs::Namespace::MountAt> mounts_;
  std::uint32_t folder_index_ = 0;
};

std::string_view key_of(std::string_view env) noexcept {
  return env.substr(0, env.find('='));
}

template <class T>
std::optional<T> lower(const std::optional<T>& a, const std::optional<T>& b) {
  if (a && b) return std::min(*a, *b);
  return a ? a : b;
}

}  // namespace

std::expected<Launched, End> launch(const LaunchRequest& request) {
  return Launch(request).run();
}

std::vector<std::string> launch_args(const std::string& name, const LaunchConfig& config, const image::Image& image) {
  std::vector<std::string> args{name};
  const std::vector<std::string> rest = config.args ? *config.args : image.default_args();
  args.insert(args.end(), rest.begin(), rest.end());
  return args;
}

void override_envs(std::vector<std::string>& envs, const std::vector<std::string>& over) {
  for (const std::string& one : over) {
    const auto same = std::ranges::find_if(
        envs, [&](const std::string& env) { return one.find('=') != std::string::npos && key_of(env) == key_of(one); });
    if (same != envs.end())
      *same = one;
    else
      envs.push_back(one);
  }
}

std::vector<std::string> launch_envs(const LaunchConfig& config, const image::Image& image) {
  if (image.config().env.empty() && image.config().working_dir.empty()) return config.envs;  // as passed
  std::vector<std::string> envs = image.config().env;
  override_envs(envs, config.envs);
  const bool has_pwd = std::ranges::any_of(envs, [](const std::string& env) { return key_of(env) == "PWD"; });
  if (!image.config().working_dir.empty() && !has_pwd) envs.push_back("PWD=" + image.config().working_dir);
  return envs;
}

LimitsConfig lower_of(const LimitsConfig& a, const LimitsConfig& b) {
  LimitsConfig limits;
  limits.memory_pages = lower(a.memory_pages, b.memory_pages);
  limits.stack_bytes = lower(a.stack_bytes, b.stack_bytes);
  limits.fds = std::min(a.fds, b.fds);
  limits.cpu_ms = lower(a.cpu_ms, b.cpu_ms);
  limits.cpu_percent = lower(a.cpu_percent, b.cpu_percent);
  limits.wall_ms = lower(a.wall_ms, b.wall_ms);
  limits.ticks = lower(a.ticks, b.ticks);
  limits.volume_bytes = lower(a.volume_bytes, b.volume_bytes);
  limits.log_bytes = lower(a.log_bytes, b.log_bytes);
  limits.pipes = lower(a.pipes, b.pipes);
  limits.socket_bytes_per_s = lower(a.socket_bytes_per_s, b.socket_bytes_per_s);
  return limits;
}

}  // namespace fusebox::container
