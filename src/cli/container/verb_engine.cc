#include <CLI/CLI.hpp>
#include <memory>

#include "cli/container/engine_run.h"
#include "cli/verb.h"

namespace fusebox::cli {

void add_engine(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<EngineRunOptions>();
  CLI::App* verb = app.add_subcommand("engine", "boot a supervisor from a configuration, in the foreground");
  verb->footer(
      "Images are in ./registry, volumes in ./data. The same binary under the name wanted-cli takes the configuration "
      "alone.\n"
      "Exit status: 0 after a power-off; 1 no supervisor could be launched; 234 invalid configuration; 254 no such "
      "file.\n"
      "Example: fusebox engine config.json --profile small");
  verb->add_option("CONFIG", options->config, "configuration (JSON); default: the built-in one");
  verb->add_option("--profile", options->profile,
                   "ceilings: tiny, constrained, small, big, esp32-nuttx, xiao_esp32s3, xiao_esp32s3-storage");
  verb->add_option("--registry", options->registry_dir, "folder of <name>@<version>.wapp images");
  verb->add_option("--data", options->data_dir, "folder of volumes");
  verb->add_option("--tls-ca", options->tls_ca, "PEM file of the authorities that tcps and udps sockets trust");
  verb->add_flag("--tls-insecure", options->tls_insecure, "do not verify peers of tcps and udps sockets");
  verb->add_flag("--check", options->check, "print every error of CONFIG with its JSON path, and start nothing");
  add_setup_options(*verb, options->setup);
  verb->callback([options, &context] { context.status = run_engine(*options); });
}

}  // namespace fusebox::cli
