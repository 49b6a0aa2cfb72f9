// What `run`, `compile` and `module` share: the code cache, where things of this user lie, and sandboxes over them.
//
// Threads  one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/artifact.h"
#include "engine/code_cache.h"
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

std::filesystem::path store_path();  // the module store

// Compiled code that is kept between runs. A folder that cannot be used is no error: code is then compiled each time.
std::shared_ptr<engine::CodeCache> open_code_cache(const SetupOptions& options);

// For verbs that look at modules and run none: no pool is reserved.
base::Result<std::shared_ptr<engine::Engine>> engine_without_pool();

class SandboxSetup {
 public:
  explicit SandboxSetup(const SetupOptions& options) : options_(options), cache_(open_code_cache(options)) {}
  base::Result<capability::Sandbox> sandbox_for(const policy::Policy& policy);
  // Of a bundle, the native code is offered to the sandbox; code from elsewhere is refused.
  base::Result<capability::Module> module_of(capability::Sandbox& sandbox, const Artifact& artifact);

 private:
  SetupOptions options_;
  std::shared_ptr<engine::CodeCache> cache_;
};

}  // namespace fusebox::cli
