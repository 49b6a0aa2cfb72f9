#include "cli/container/run_container.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <ostream>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/random.h"
#include "base/units.h"
#include "cli/container/places.h"
#include "cli/container/terminal.h"
#include "cli/interrupt.h"
#include "cli/version.h"
#include "container/containers.h"
#include "container/daemon/status_json.h"
#include "engine/inspect.h"
#include "image/archive.h"
#include "image/image.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
using base::Errc;
using container::Containers;
using container::Status;

constexpr int kStatusNotRun = 126;
constexpr int kStatusTrapped = 134;
constexpr int kStatusLimit = 137;
constexpr base::Nanos kWaitSlice{3'600'000'000'000};
constexpr std::size_t kSniffBytes = 1024;
constexpr std::size_t kModuleBytesMax = 256u << 20;

// The first bytes of a file, enough to see what it is.
base::Bytes head_of(const fs::path& path) {
  const base::Fd file = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  base::Bytes head(kSniffBytes);
  const ssize_t got = file ? ::read(file.get(), head.data(), head.size()) : 0;
  head.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return head;
}

bool imports_wasi(const fs::path& path) {
  const auto bytes = base::read_file(path, kModuleBytesMax);
  if (!bytes) return false;
  const auto info = engine::inspect(base::as_bytes(*bytes));
  if (!info) return false;
  for (const engine::Import& import : info->imports)
    if (import.module == "wasi_snapshot_preview1" || import.module == "wasi_unstable") return true;
  return false;
}

std::string name_for(const ContainerRun& run) {
  if (!run.name.empty()) return run.name;
  std::error_code failed;
  std::string stem = fs::exists(run.artifact, failed) ? fs::path(run.artifact).stem().string() : run.artifact;
  stem = stem.substr(stem.rfind('/') == std::string::npos ? 0 : stem.rfind('/') + 1);
  stem = stem.substr(0, stem.find_first_of("@:"));
  for (char& c : stem)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-' && c != '_') c = '_';
  return stem.empty() || stem.front() == '.' || stem.front() == '-' ? "container" : stem;
}

// Where the image is: a path the engine opens, or a name in the store.
struct Target {
  std::shared_ptr<const image::Image> opened;
  image::Reference shown;
};

base::Result<Target> open_target(const std::string& artifact, image::Library& library) {
  std::error_code failed;
  Target target;
  image::OpenOptions options;
  if (fs::is_directory(artifact, failed)) {
    FB_TRY(target.opened, base::within(artifact, image::open_layout_dir(artifact, options)));
    target.shown.name = fs::path(artifact).filename().string();
    return target;
  }
  if (fs::exists(artifact, failed)) {
    FB_TRY(target.opened, base::within(artifact, image::open_image_file(artifact, options)));
    target.shown.name = fs::path(artifact).stem().string();
    return target;
  }
  FB_TRY(target.shown, image::parse_reference(artifact, container_profile().name_bytes));
  auto entry = library.find(target.shown);
  if (!entry && entry.error().code == Errc::not_found)
    return base::fail(Errc::not_found, artifact + ": no such file, and no such image; see: fusebox image ls");
  FB_TRY(const image::Entry found, std::move(entry));
  target.shown.version = found.version;
  FB_TRY(target.opened, base::within(artifact, library.open(found, options)));
  return target;
}

// The engine's messages, and whether there were any.
class Messages {
 public:
  void say(std::string_view body) {
    write_message(body);
    said_ = true;
  }
  bool said() const noexcept { return said_; }

 private:
  std::atomic<bool> said_ = false;
};

base::Result<std::unique_ptr<Containers>> foreground_engine(const ContainerRun& run, const base::Clock& clock,
                                                            base::Random& random, Messages& messages,
                                                            std::shared_ptr<image::Library> library) {
  container::ContainersOptions options;
  options.profile = container_profile();
  options.profile.max_wapps = 1;
  options.library = std::move(library);
  options.data_dir = data_root() / "volumes";
  options.code_cache = open_code_cache(run.setup);
  options.clock = &clock;
  options.random = &random;
  options.message = [&messages](std::string_view body) { messages.say(body); };
  options.version = std::string(version());
  if (run.json) options.platform_fds = {STDIN_FILENO, STDERR_FILENO, STDERR_FILENO};
  return Containers::create(std::move(options));
}

void print_end(const ContainerRun& run, const Streams& streams, const Status& status, bool explained) {
  if (run.json) {
    streams.out << container::status_json(status) << '\n';
    streams.out.flush();
    return;
  }
  const std::string text = container_end_text(status);
  if (!text.empty() && status.reason != "exit" && !explained) report(streams, text);
  if (run.verbose) {
    streams.err << "fusebox: used "
                << base::format_duration(std::chrono::duration_cast<std::chrono::microseconds>(status.cpu_user))
                << " CPU in "
                << base::format_duration(std::chrono::duration_cast<std::chrono::microseconds>(status.uptime)) << '\n';
  }
}

int run_foreground(const ContainerRun& run, const Streams& streams) {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is the guest's EPIPE, not our end
  raise_descriptor_limit();
  const auto library = open_image_store();
  if (!library) return report(streams, library.error());
  auto target = open_target(run.artifact, **library);
  if (!target) return report(streams, target.error());
  auto config = launch_config_from(run.launch, container_profile(), true);
  if (!config) return report(streams, config.error());
  const std::vector<std::string> env = terminal_env();
  config->envs.insert(config->envs.begin(), env.begin(), env.end());
  const base::RealClock clock;
  base::SystemRandom random;
  Messages messages;
  std::mutex mutex;
  Containers* running = nullptr;  // guarded by mutex
  const std::string name = name_for(run);
  const WindowWatch window([&](vfs::WindowSize size) {
    const std::lock_guard lock(mutex);
    if (running != nullptr) static_cast<void>(running->resize(name, size));
  });
  InterruptGuard guard([&] {
    const std::lock_guard lock(mutex);
    if (running != nullptr) static_cast<void>(running->stop(name));
  });
  auto containers = foreground_engine(run, clock, random, messages, *library);
  if (!containers) return report(streams, containers.error());
  std::optional<RawTerminal> terminal;
  if (run.raw_terminal) terminal.emplace();
  container::StartOptions start;
  start.opened = target->opened;
  start.shown = target->shown;
  {
    // Under the lock: no change of size falls between the one it takes along and those it is told.
    const std::lock_guard lock(mutex);
    start.window = terminal_size();
    const auto launched = (*containers)->launch(name, std::move(*config), start);
    if (!launched) return report(streams, launched.error().message);
    running = containers->get();
  }
  std::optional<Status> status;
  while (!(status = (*containers)->wait(name, kWaitSlice))) {
  }
  {
    const std::lock_guard lock(mutex);
    running = nullptr;
  }
  terminal.reset();
  print_end(run, streams, *status, messages.said());
  return guard.interrupted() && status->reason == "stopped" ? static_cast<int>(kExitInterrupted)
                                                            : container_exit_status(*status);
}

int run_detached(const ContainerRun& run, const Streams& streams) {
  auto config = launch_config_from(run.launch, container_profile(), false);
  if (!config) return report(streams, config.error());
  auto client = reach_engine(WhenAbsent::start);
  if (!client) return report(streams, client.error());
  const std::string name = name_for(run);
  std::error_code failed;
  base::json::Writer asked = container::request("launch");
  asked.key("name").string(name).key("config").string(container::write_launch_config(*config));
  if (fs::exists(run.artifact, failed)) {
    asked.key("file").string(fs::canonical(run.artifact, failed).string());
  } else {
    asked.key("image").string(run.artifact);
  }
  const auto answer = client->ask(std::move(asked));
  if (!answer) return report(streams, answer.error());
  streams.out << name << '\n';
  return kExitOk;
}

}  // namespace

bool is_container(const std::string& artifact) {
  std::error_code failed;
  const fs::path path = artifact;
  if (artifact == "-") return false;
  if (!fs::exists(path, failed)) {
    // What looks like a file is reported as a missing file.
    return artifact.find('/') == std::string::npos && path.extension() != ".wasm" && path.extension() != ".wat" &&
           path.extension() != ".wapp";
  }
  if (fs::is_directory(path, failed)) return true;
  const base::Bytes head = head_of(path);
  switch (image::sniff(head)) {
    case image::Form::tar:
    case image::Form::gzip:
    case image::Form::zstd:
    case image::Form::component:
      return true;
    case image::Form::module:
      return imports_wasi(path);
    case image::Form::unknown:
      return path.extension() == ".wapp";  // then its problem is named
  }
  return false;
}

int container_exit_status(const Status& status) {
  if (status.state == container::State::exited)
    return status.reason == "stopped" ? kStatusLimit : status.exit_code & 0xff;
  if (status.reason.starts_with("trap:") || status.reason.starts_with("signal:")) return kStatusTrapped;
  if (status.reason.ends_with("-limit")) return kStatusLimit;
  return kStatusNotRun;
}

std::string container_end_text(const Status& status) {
  const std::string who = "'" + status.name + "' ";
  if (status.state == container::State::exited) {
    if (status.reason == "stopped") return who + "was stopped";
    return status.exit_code == 0 ? "" : who + "exited with " + std::to_string(status.exit_code);
  }
  return who + "failed: " + status.reason;
}

int run_container(const ContainerRun& run, const Streams& streams) {
  if (run.detach) return run_detached(run, streams);
  if (!run.launch.restart.empty() && run.launch.restart != "no")
    return report(streams, "--restart needs --detach: a container in the foreground ends when it ends");
  return run_foreground(run, streams);
}

}  // namespace fusebox::cli
