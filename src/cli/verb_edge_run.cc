#include <CLI/CLI.hpp>
#include <memory>

#include "cli/edge_run.h"
#include "cli/verb_edge.h"
#include "edge/sim/devices.h"

namespace fusebox::cli {

void add_edge_run(CLI::App& edge, VerbContext& context) {
  auto options = std::make_shared<EdgeRunOptions>();
  CLI::App* verb = edge.add_subcommand("run", "run a deployment on this machine, with simulated or Linux hardware");
  verb->footer(
      "Example: fusebox edge run app_config.json --for 10s --hal camera=folder:images --trace run.json\n"
      "Hardware: " +
      edge::sim::device_kinds_text() +
      "; the first of each is the default.\n"
      "A trace opens in ui.perfetto.dev and chrome://tracing. An interrupt ends the run with its report.\n"
      "Exit status: 0 every module is healthy at the end; 124 one was stopped by its quota, 126 by its policy, 134 by "
      "a "
      "trap;\n"
      "125 the deployment cannot run; 130 interrupted.");
  verb->add_option("CONFIG", options->config, "the deployment, app_config.json")->required();
  verb->add_option("--for", options->run_for, "how long, such as 10s (default: until interrupted)");
  verb->add_option("--module-dir", options->module_dirs, "a further folder to look for binaries in")
      ->allow_extra_args(false);
  verb->add_option("--hal", options->devices, "NAME=KIND[:ARGUMENT], hardware of one HAL group; see below")
      ->allow_extra_args(false);
  verb->add_option("--post", options->posts,
                   "EVENT=PERIOD: an event the world outside posts, such as FRAME_READY=100ms")
      ->allow_extra_args(false);
  verb->add_option("--trace", options->trace, "write every step, event and violation to this file");
  verb->add_flag("--strict", options->strict, "unknown keys are errors everywhere, not only in policies");
  verb->add_flag("--log", options->log, "print the security log's entries on standard error as they come");
  verb->add_flag("--json", options->json, "print one JSON object at the end");
  verb->callback([options, &context] { context.status = edge_run(*options, context.streams); });
}

}  // namespace fusebox::cli
