// What `run`, `compile` and `module` share: the code cache, the module store, and sandboxes over them.
//
// Threads  one thread.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "cli/artifact.h"
#include "fusebox/sandbox.h"

namespace CLI {
class App;
}

namespace fusebox::cli {

struct SetupOptions {
  std::string cache_dir;  // "" = the user's cache folder
  bool no_cache = false;
  bool dense = false;
};
void add_setup_options(CLI::App& verb, SetupOptions& options);

class SandboxSetup {
 public:
  // A cache folder that cannot be used is no error: code is then compiled each time.
  static base::Result<SandboxSetup> create(const SetupOptions& options);
  base::Result<capability::Sandbox> sandbox_for(const policy::Policy& policy);
  base::Result<capability::Module> module_of(capability::Sandbox& sandbox, const Artifact& artifact);

 private:
  SetupOptions options_;
  std::shared_ptr<engine::CodeCache> cache_;
};

}  // namespace fusebox::cli
