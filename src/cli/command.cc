#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/fleet/session.h"
#include "cli/verb.h"
#include "cli/version.h"

namespace fusebox::cli {
namespace {

constexpr const char* kFooter =
    "Exit status: the guest's own for a program that exits; 0 completed; 1 the answer is no (policy diff, audit "
    "verify, ...);\n"
    "124 stopped by a time or tick limit; 125 refused before any guest code ran, or no result; 126 denied by policy;\n"
    "130 interrupted; 134 trapped. Verbs of the control plane have their own: fusebox env --help\n"
    "\nExample: fusebox run hello.wasm --input data.json --cpu-time 1s";

void add_verbs(CLI::App& app, VerbContext& context) {
  add_run(app, context);
  add_compile(app, context);
  add_inspect(app, context);
  add_module(app, context);
  add_policy(app, context);
  add_image(app, context);
  add_containers(app, context);
  add_volume(app, context);
  add_up(app, context);
  add_engine(app, context);
  add_daemon(app, context);
  add_servers(app, context);
  add_edge(app, context);
  add_fleet(app, context);
  add_audit(app, context);
  add_bench(app, context);
  add_doctor(app, context);
  add_completion(app, context);
  add_version(app, context);
}

// "unknown verb 'exprot'; did you mean 'export'?", or "" when every verb is known.
std::string unknown_verb(const CLI::App& app, std::span<const char* const> arguments) {
  const CLI::App* verb = &app;
  for (const char* const word : arguments.subspan(std::min<std::size_t>(arguments.size(), 1))) {
    const auto below = verb->get_subcommands([](const CLI::App*) { return true; });
    if (below.empty() || *word == '-') return {};
    const auto next = std::ranges::find(below, std::string_view(word), &CLI::App::get_name);
    if (next != below.end()) {
      verb = *next;
      continue;
    }
    std::vector<std::string_view> names;
    names.reserve(below.size());
    for (const CLI::App* candidate : below) names.push_back(candidate->get_name());
    const std::string near = base::json::nearest(word, names);
    return "unknown verb '" + std::string(word) + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?");
  }
  return {};
}

// The verbs of the control plane have exit statuses of their own.
bool of_fleet(const CLI::App& app) {
  return !app.get_subcommands().empty() && fleet::is_fleet_verb(app.get_subcommands().front()->get_name());
}

}  // namespace

int run_command(std::span<const char* const> arguments, const Streams& streams) {
  CLI::App app("Runs code that nobody trusts, under a policy anybody can read.", "fusebox");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("fusebox ") + std::string(version()));
  VerbContext context{streams};
  add_verbs(app, context);
  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, streams.out, streams.err);  // --help, --version
    const std::string unknown = unknown_verb(app, arguments);
    report(streams, unknown.empty() ? error.what() : unknown);
    streams.err << "  see: fusebox"
                << (app.get_subcommands().empty() ? "" : " " + app.get_subcommands().front()->get_name())
                << " --help\n";
    return of_fleet(app) ? static_cast<int>(fleet::kUsage) : static_cast<int>(kExitRefused);
  }
  return context.status;
}

}  // namespace fusebox::cli
