// `fusebox engine` and `wanted-cli`: one configuration, one supervisor, until poweroff or reboot.
//
// Owner    owns Containers and the loop; the descriptors 0-2 are lent and never closed.
// Threads  run(): the main thread; with `handle_signals` one more, joined before it returns. request(): any.
// Contract containers.md section 2
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "container/containers.h"
#include "container/supervisor/supervisor.h"
#include "engine/code_cache.h"

namespace fusebox::container {

// Contract 2.3.
inline constexpr int kExitInvalidConfig = 234;
inline constexpr int kExitNoConfig = 254;

struct EngineProcessOptions {
  std::optional<std::filesystem::path> config_path;    // nothing: the compiled-in default
  std::string profile;                                 // option or environment, "" = the configuration's
  std::string_view profile_default = kProfileDefault;  // where none of these names one
  std::filesystem::path registry_dir = "./registry";
  std::filesystem::path data_dir = "./data";
  std::string tls_ca;
  bool tls_insecure = false;
  std::filesystem::path builtin_supervisor;  // FUSEBOX_BUILTIN_SUPERVISOR
  base::ByteView embedded_supervisor;        // builtin_supervisor_image()
  std::string version = "0.0.0";
  std::shared_ptr<engine::CodeCache> code_cache;
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  std::array<int, 3> platform_fds{0, 1, 2};
  bool handle_signals = false;                // SIGTERM, SIGINT as poweroff; SIGPIPE ignored
  std::function<void(std::string_view)> out;  // stdout; null = descriptor 1
  std::function<void(std::string_view)> err;  // whole lines with prefix and end; null = descriptor 2
  std::function<void()> reexecute;            // after a reboot has stopped everything; returns only when it failed
};

class EngineProcess {
 public:
  explicit EngineProcess(EngineProcessOptions options);
  ~EngineProcess();

  // The process's exit status.
  int run();
  // `--check`: prints every error, starts nothing.
  int check();
  void request(Supervisor::Ended how) noexcept;

 private:
  struct Config;
  std::optional<int> read_config(Config& into);
  base::Result<ContainersOptions> containers_options(const Config& config);
  int serve(const Config& config);
  void on_host_verb(ContainersOptions::HostVerb verb);
  void say(std::string_view text);
  void print(std::string_view text);

  EngineProcessOptions options_;
  std::mutex mutex_;
  Supervisor* supervisor_ = nullptr;            // guarded by mutex_; while it runs
  std::optional<Supervisor::Ended> too_early_;  // requested before it ran; guarded by mutex_
};

// Closes every descriptor above 2 and runs this program again: same arguments, folder, environment, process id.
void reexecute_program(char** arguments);

}  // namespace fusebox::container
