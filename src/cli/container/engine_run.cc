#include "cli/container/engine_run.h"

#include <stdlib.h>

#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "cli/container/places.h"
#include "cli/version.h"
#include "container/supervisor/builtin_image.h"
#include "container/supervisor/engine_process.h"

namespace fusebox::cli {
namespace {

constexpr std::size_t kArgumentBytesMax = 4u << 20;  // more than the kernel lets a program have

std::string from_environment(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

// Runs this program again with the arguments the kernel knows it by.
void start_again() {
  auto line = base::read_file("/proc/self/cmdline", kArgumentBytesMax);
  if (!line) return;
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < line->size(); at = line->find('\0', at) + 1) arguments.push_back(line->data() + at);
  arguments.push_back(nullptr);
  container::reexecute_program(arguments.data());
}

}  // namespace

int run_engine(const EngineRunOptions& options) {
  raise_descriptor_limit();
  const base::RealClock clock;
  base::SystemRandom random;
  container::EngineProcessOptions engine;
  if (!options.config.empty()) engine.config_path = options.config;
  engine.profile = options.profile.empty() ? from_environment("FUSEBOX_PROFILE") : options.profile;
  engine.profile_default = options.profile_default;
  engine.registry_dir = options.registry_dir;
  engine.data_dir = options.data_dir;
  engine.tls_ca = options.tls_ca.empty() ? from_environment("FUSEBOX_TLS_CA") : options.tls_ca;
  engine.tls_insecure = options.tls_insecure || from_environment("FUSEBOX_TLS_INSECURE") == "1";
  engine.builtin_supervisor = from_environment("FUSEBOX_BUILTIN_SUPERVISOR");
  engine.embedded_supervisor = container::builtin_supervisor_image();
  engine.version = std::string(version());
  engine.code_cache = open_code_cache(options.setup);
  engine.clock = &clock;
  engine.random = &random;
  engine.handle_signals = true;
  engine.reexecute = start_again;
  container::EngineProcess process(std::move(engine));
  return options.check ? process.check() : process.run();
}

int run_wanted_cli(int count, char** arguments) {
  EngineRunOptions options;
  if (count > 1) options.config = arguments[1];
  return run_engine(options);
}

}  // namespace fusebox::cli
