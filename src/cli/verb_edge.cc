#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/verb_edge.h"
#include "edge/config/generate.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
namespace config = edge::config;

struct BuildOptions {
  std::string input;
  std::string output_dir;
  bool strict = false;
};

// Build scripts know 0 and 1 alone.
constexpr int kBuildFailed = 1;

// As the path of a file is shown: without "." and doubled slashes, ".." kept.
fs::path plain(const fs::path& path) {
  fs::path out;
  for (const fs::path& part : path)
    if (part != "." && !part.empty()) out /= part;
  return out;
}

int build(const BuildOptions& options, const Streams& streams) {
  config::Notes notes;
  const auto read = config::load_app_config(options.input, {.strict = options.strict}, notes);
  streams.err << notes.text();
  if (!read) {
    report(streams, read.error());
    return kBuildFailed;
  }
  if (!*read) return kBuildFailed;
  std::error_code failed;
  const fs::path source = fs::canonical(options.input, failed);
  const auto files = config::render(**read, failed ? options.input : source.string());
  const fs::path folder = plain(options.output_dir);
  if (const auto written = config::write_outputs(files, folder.empty() ? "." : folder); !written) {
    report(streams, written.error());
    return kBuildFailed;
  }
  for (const auto& file : files) streams.out << "Generated: " << (folder / file.name).string() << '\n';
  streams.out << "\nSuccess: " << files.size() << " files written to " << (folder.empty() ? "." : folder.string())
              << '\n';
  return kExitOk;
}

}  // namespace

void add_edge(CLI::App& app, VerbContext& context) {
  CLI::App* verb = app.add_subcommand("edge", "deployments of edge modules: build inputs, runs on this machine");
  verb->footer("Example: fusebox edge build app_config.json --output-dir out");
  verb->require_subcommand(1);

  auto options = std::make_shared<BuildOptions>();
  CLI::App* built = verb->add_subcommand(
      "build", "check an app_config.json and write fuse_app_config.h, fuse_hal_flags.cmake and <module>_policy.bin");
  built->footer(
      "Example: fusebox edge build app_config.json --output-dir build/generated\n"
      "Every error is printed at once, with its place; then nothing is written. Exit status: 0, or 1 with errors.");
  built->add_option("CONFIG", options->input, "the deployment, app_config.json")->required();
  built->add_option("--output-dir", options->output_dir, "folder for the files; made when missing")->required();
  built->add_flag("--strict", options->strict, "unknown keys are errors everywhere, not only in policies");
  built->callback([options, &context] { context.status = build(*options, context.streams); });
  add_edge_run(*verb, context);
  add_edge_imports(*verb, context);
}

}  // namespace fusebox::cli
