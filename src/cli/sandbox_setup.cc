#include "cli/sandbox_setup.h"

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>

#include "base/files.h"
#include "engine/code_bundle.h"
#include "engine/code_file.h"

namespace fusebox::cli {

namespace fs = std::filesystem;

void add_setup_options(CLI::App& verb, SetupOptions& options) {
  verb.add_option("--cache-dir", options.cache_dir, "where compiled code is kept (default: the user's cache folder)");
  verb.add_flag("--no-cache", options.no_cache, "compile anew and keep nothing");
  verb.add_flag("--dense", options.dense, "the layout for very many sandboxes: checked accesses, small reservations");
}

fs::path store_path() {
  return base::user_data_dir() / "modules";
}

base::Result<std::shared_ptr<engine::Engine>> engine_without_pool() {
  engine::EngineOptions options;
  options.pool_instances = 0;
  return engine::Engine::create(options);
}

std::shared_ptr<engine::CodeCache> open_code_cache(const SetupOptions& options) {
  engine::CodeCacheOptions cache;
  if (!options.no_cache)
    cache.dir = options.cache_dir.empty() ? base::user_cache_dir() / "code" : fs::path(options.cache_dir);
  cache.secret_path = engine::installation_secret_path();
  return std::make_shared<engine::CodeCache>(std::move(cache));
}

base::Result<capability::Sandbox> SandboxSetup::sandbox_for(const policy::Policy& policy) {
  capability::SandboxOptions options;
  options.code_cache = cache_;
  options.dense = options_.dense;
  return capability::Sandbox::create(policy, std::move(options));
}

base::Result<capability::Module> SandboxSetup::module_of(capability::Sandbox& sandbox, const Artifact& artifact) {
  const auto named = [&artifact](base::Result<capability::Module> module) {
    return base::within(artifact.path, std::move(module));
  };
  if (!artifact.compiled) return named(sandbox.load(artifact.wasm, artifact.sides));
  FB_TRY(const engine::CodeBundle bundle, base::within(artifact.path, engine::decode_bundle(artifact.file)));
  for (const base::ByteView code : bundle.codes) {
    FB_CHECK(base::within(artifact.path, cache_->offer(base::Bytes(code.begin(), code.end()))));
  }
  capability::SideFiles sides{std::string(base::as_text(bundle.signature)),
                              std::string(base::as_text(bundle.manifest))};
  return named(sandbox.load(bundle.wasm, std::move(sides)));
}

}  // namespace fusebox::cli
