#include "container/supervisor/engine_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "container/config/engine_config.h"
#include "container/config/limits.h"
#include "container/supervisor/signals.h"
#include "image/store/registry_folder.h"
#include "image/store/signature.h"
#include "policy/load.h"

namespace fusebox::container {
namespace {

constexpr std::string_view kInvalidConfig = "config parse error: Invalid argument";  // contract 2.3
constexpr base::Nanos kStopWithin =
    std::chrono::seconds(5);  // a stop takes milliseconds; beyond it something is broken
// Where a package puts its supervisor (contract 17.2).
constexpr std::string_view kBuiltInPaths[] = {"./wasm/supervisor/sheriff/supervisor.tar",
                                              "/usr/share/wanted/supervisor.tar",
                                              "./wasm/supervisor/wsh/supervisor.tar"};

void write_whole(int fd, std::string_view text) {
  [[maybe_unused]] const auto written = base::write_all(fd, base::as_bytes(text));
}

}  // namespace

struct EngineProcess::Config {
  EngineConfig engine;
  std::optional<policy::Policy> policy;
  std::vector<base::Ed25519PublicKey> keys;
};

EngineProcess::EngineProcess(EngineProcessOptions options) : options_(std::move(options)) {}
EngineProcess::~EngineProcess() = default;

void EngineProcess::say(std::string_view text) {
  const std::string line = "fusebox: " + std::string(text) + "\n";
  if (options_.err)
    options_.err(line);
  else
    write_whole(STDERR_FILENO, line);
}

void EngineProcess::print(std::string_view text) {
  if (options_.out)
    options_.out(text);
  else
    write_whole(STDOUT_FILENO, text);
}

void EngineProcess::request(Supervisor::Ended how) noexcept {
  const std::lock_guard lock(mutex_);
  if (supervisor_ != nullptr)
    supervisor_->request(how);
  else if (!too_early_)
    too_early_ = how;
}

void EngineProcess::on_host_verb(ContainersOptions::HostVerb verb) {
  using HostVerb = ContainersOptions::HostVerb;
  if (verb != HostVerb::reload_supervisor)
    return request(verb == HostVerb::poweroff ? Supervisor::Ended::poweroff : Supervisor::Ended::reboot);
  const std::lock_guard lock(mutex_);
  if (supervisor_ != nullptr) supervisor_->arm_reload();
}

// The exit status when there is no usable configuration.
std::optional<int> EngineProcess::read_config(Config& into) {
  std::string text(default_engine_config());
  if (options_.config_path) {
    struct stat found{};
    const std::string path = options_.config_path->string();
    if (::stat(path.c_str(), &found) != 0) {
      const int error = errno;
      say(path + ": " + std::strerror(error));
      return error == ENOENT ? kExitNoConfig : 1;
    }
    auto read = base::read_file(*options_.config_path, kEngineConfigBytesMax + 1);
    if (!read) {
      const bool too_large = read.error().code == base::Errc::exhausted;
      if (too_large) say(kInvalidConfig);
      say(path + ": " + read.error().message);
      return too_large ? kExitInvalidConfig : 1;
    }
    text = std::move(*read);
  }
  ParsedEngineConfig parsed = parse_engine_config(text, options_.profile, options_.profile_default);
  into.engine = std::move(parsed.config);
  ConfigErrors errors = std::move(parsed.errors);
  if (errors.empty() && into.engine.image_keys) {
    auto keys = image::parse_image_keys(*into.engine.image_keys);
    if (keys)
      into.keys = std::move(*keys);
    else
      errors.push_back({vfs::Errno::inval, "system.imageKeys", keys.error().message});
  }
  if (errors.empty() && !into.engine.policy_path.empty()) {
    auto policy = policy::load(into.engine.policy_path);
    if (policy)
      into.policy = std::move(*policy);
    else
      errors.push_back({vfs::Errno::inval, "system.policy", policy.error().message});
  }
  if (errors.empty()) return std::nullopt;
  say(kInvalidConfig);
  for (const ConfigError& error : errors)
    say((error.path.empty() ? "configuration" : error.path) + ": " + error.message);
  return kExitInvalidConfig;
}

int EngineProcess::check() {
  Config config;
  if (const auto status = read_config(config)) return *status;
  const ConfigErrors errors = supervisor_errors(config.engine);
  for (const ConfigError& error : errors) say(error.path + ": " + error.message);
  return errors.empty() ? 0 : kExitInvalidConfig;
}

base::Result<ContainersOptions> EngineProcess::containers_options(const Config& config) {
  const EngineConfig& engine = config.engine;
  ContainersOptions options;
  options.profile = engine.profile;
  options.privileged = engine.privileged;
  options.ceilings = engine.ceilings;
  options.supervised = true;
  options.data_dir = options_.data_dir;
  options.registry_dir = options_.registry_dir;
  options.code_cache = options_.code_cache;
  options.clock = options_.clock;
  options.random = options_.random;
  options.message = [this](std::string_view text) { say(text); };
  options.tls = {engine.tls_verify && !options_.tls_insecure, options_.tls_ca.empty() ? engine.tls_ca : options_.tls_ca,
                 engine.tls_cert, engine.tls_key};
  options.policy = config.policy;
  options.clock_quality = engine.clock_quality.value_or(kClockQualityAuto);
  options.prestat_nul = engine.prestat_nul;
  options.version = options_.version;
  options.platform_fds = options_.platform_fds;
  options.host_verb = [this](ContainersOptions::HostVerb verb) { on_host_verb(verb); };
  image::RegistryFolderOptions registry;
  registry.root = options_.registry_dir;
  registry.limits.layers_max = engine.profile.layers_max;
  registry.limits.image_bytes_max = engine.profile.image_bytes_max;
  registry.limits.name_bytes_max = engine.profile.name_bytes;
  registry.keys = config.keys;
  registry.resolve_first = engine.resolve_first;
  registry.warn = [this](std::string_view text) { say(text); };
  options.library = std::make_shared<image::RegistryFolder>(std::move(registry), *options_.clock);
  return options;
}

int EngineProcess::serve(const Config& config) {
  auto options = containers_options(config);
  if (!options) {
    say(options.error().message);
    return 1;
  }
  if (!options->tls.verify) say("TLS peers are not verified: anybody on the way may read and change what is sent");
  auto containers = Containers::create(std::move(*options));
  if (!containers) {
    say("the engine cannot start: " + containers.error().message);
    return 1;
  }
  SupervisorOptions wanted;
  wanted.config = config.engine.supervisor;
  wanted.image_path = config.engine.image_path;
  wanted.built_in.push_back(options_.builtin_supervisor);
  for (const std::string_view path : kBuiltInPaths) wanted.built_in.emplace_back(path);
  wanted.embedded = options_.embedded_supervisor;
  wanted.message = [this](std::string_view text) { say(text); };
  wanted.open = [&config,
                 &containers](const std::filesystem::path& path) -> base::Result<std::shared_ptr<const image::Image>> {
    image::OpenOptions open;
    open.limits.image_bytes_max = (*containers)->options().profile.image_bytes_max;
    open.limits.layers_max = (*containers)->options().profile.layers_max;
    FB_TRY(auto image, image::open_image_file(path, open));
    if (!config.keys.empty())
      FB_CHECK(image::check_signature(path.string() + ".sig", path.string(), image->digest(), config.keys));
    return image;
  };
  Supervisor supervisor(**containers, std::move(wanted));
  {
    const std::lock_guard lock(mutex_);
    supervisor_ = &supervisor;
    if (too_early_) supervisor.request(*too_early_);
  }
  const Supervisor::Ended ended = supervisor.run();
  {
    const std::lock_guard lock(mutex_);
    supervisor_ = nullptr;
  }
  if (!(*containers)->stop_all(kStopWithin)) say("some containers did not end in time");
  containers->reset();
  if (ended == Supervisor::Ended::gave_up) return 1;
  if (ended == Supervisor::Ended::reboot) {
    if (options_.reexecute) options_.reexecute();
    return 0;
  }
  print("\nAll wapps ended, done...\n");
  return 0;
}

int EngineProcess::run() {
  Config config;
  if (const auto status = read_config(config)) return *status;
  const std::unique_ptr<SignalThread> signals =
      options_.handle_signals ? SignalThread::start([this] { request(Supervisor::Ended::poweroff); }) : nullptr;
  return serve(config);
}

}  // namespace fusebox::container
