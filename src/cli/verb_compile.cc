#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "base/units.h"
#include "capability/engine_set.h"
#include "cli/artifact.h"
#include "cli/sandbox_setup.h"
#include "cli/verb.h"
#include "engine/code_bundle.h"
#include "engine/code_file.h"
#include "engine/engine.h"
#include "policy/load.h"

namespace fusebox::cli {
namespace {

struct CompileOptions {
  std::string file;
  std::string output;
  std::string policy_file;
  bool dense = false;
};

base::Result<base::Bytes> sealed_code(const Artifact& artifact, const capability::EngineKey& key,
                                      const engine::CodeSecret& secret) {
  capability::EngineSet engines(0);
  FB_TRY(const std::shared_ptr<engine::Engine> engine, engines.get(key));
  FB_TRY(const std::shared_ptr<const engine::Code> code, engine::Code::compile(engine, artifact.wasm));
  FB_TRY(const base::Bytes native, code->serialize());
  return engine::seal_code(engine->code_identity(), code->hash(), native, secret);
}

// Both kinds of stopping, so that the bundle runs with and without a tick limit.
base::Result<base::Bytes> bundle_of(const Artifact& artifact, const CompileOptions& options) {
  policy::Policy policy;
  if (!options.policy_file.empty()) {
    FB_TRY(policy, policy::load(options.policy_file));
  }
  base::SystemRandom random;
  FB_TRY(const engine::CodeSecret secret, engine::CodeSecret::open(engine::installation_secret_path(), random));
  std::vector<base::Bytes> codes;
  for (const engine::Stopping stopping : {engine::Stopping::time, engine::Stopping::ticks}) {
    const auto profile = options.dense ? engine::Profile::dense : engine::Profile::fast;
    FB_TRY(base::Bytes code, sealed_code(artifact, {profile, stopping, policy.limits.stack_bytes}, secret));
    codes.push_back(std::move(code));
  }
  engine::CodeBundle bundle;
  bundle.wasm = artifact.wasm;
  bundle.signature = base::as_bytes(artifact.sides.signature);
  bundle.manifest = base::as_bytes(artifact.sides.manifest);
  bundle.codes.assign(codes.begin(), codes.end());
  return engine::encode_bundle(bundle);
}

base::Result<std::string> compile(const CompileOptions& options) {
  FB_TRY(const Artifact artifact, read_artifact_file(options.file));
  if (artifact.compiled)
    return base::fail(base::Errc::invalid, options.file + " is compiled already; give the module it was made from");
  FB_CHECK(capability::Module::from_bytes(artifact.wasm, artifact.sides));
  FB_TRY(const base::Bytes bundle, base::within(options.file, bundle_of(artifact, options)));
  std::string output = options.output;
  if (output.empty()) {
    if (options.file == "-") return base::fail(base::Errc::invalid, "a module from standard input needs -o OUTPUT");
    output = std::filesystem::path(options.file).replace_extension(".fbx").string();
  }
  FB_CHECK(base::write_file_atomic(output, bundle, 0644));
  return output + ": " + base::format_count(bundle.size()) +
         " bytes, for this installation and this kind of processor\n";
}

}  // namespace

void add_compile(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<CompileOptions>();
  CLI::App* verb =
      app.add_subcommand("compile", "compile a module ahead of time, into a file `run` needs no compiler for");
  verb->footer(
      "Only this installation runs the file: native code from elsewhere is refused.\n"
      "Example: fusebox compile transform.wasm -o transform.fbx");
  verb->add_option("FILE", options->file, ".wasm or .wat, - for standard input")->required();
  verb->add_option("-o,--output", options->output, "default: the module's name with .fbx");
  verb->add_option("--policy", options->policy_file, "compile for the stack this policy gives");
  verb->add_flag("--dense", options->dense, "the layout for very many sandboxes");
  verb->callback([options, &context] {
    const auto said = compile(*options);
    if (!said) {
      context.status = report(context.streams, said.error());
      return;
    }
    context.streams.err << *said;
  });
}

}  // namespace fusebox::cli
