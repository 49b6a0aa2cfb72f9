// `fusebox engine`, `wanted-cli` and `fusebox up FILE.json`: an engine's configuration in the foreground.
//
// Threads  one call per process.
// Contract containers.md section 2
#pragma once

#include <string>
#include <string_view>

#include "cli/sandbox_setup.h"
#include "cli/streams.h"
#include "container/config/profile.h"

namespace fusebox::cli {

struct EngineRunOptions {
  std::string config;   // "" = the compiled-in default
  std::string profile;  // "" = that of the environment, or the configuration's, or else
  std::string_view profile_default = container::kProfileDefault;
  std::string registry_dir = "./registry";
  std::string data_dir = "./data";
  std::string tls_ca;
  bool tls_insecure = false;
  bool check = false;
  SetupOptions setup;
};

int run_engine(const EngineRunOptions& options);

// `wanted-cli [CONFIG.json ...]`: the first argument alone counts.
int run_wanted_cli(int count, char** arguments);

}  // namespace fusebox::cli
