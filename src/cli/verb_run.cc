#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "base/files.h"
#include "cli/artifact.h"
#include "cli/container/run_container.h"
#include "cli/grants.h"
#include "cli/interrupt.h"
#include "cli/run_report.h"
#include "cli/sandbox_setup.h"
#include "cli/verb.h"
#include "policy/explain.h"

namespace fusebox::cli {
namespace {

struct RunOptions {
  std::string artifact;
  std::string entry;
  std::string input;
  std::vector<std::string> arguments;
  GrantOptions grants;
  SetupOptions setup;
  LaunchOptions launch;  // of containers
  std::string name;
  bool detach = false;
  bool raw_terminal = false;
  bool json = false;
  bool verbose = false;
};

// The sandbox an interrupt ends, as long as it exists.
class RunningSandbox {
 public:
  class Published {
   public:
    Published(RunningSandbox& running, capability::Sandbox& sandbox) : running_(running) { running_.set(&sandbox); }
    ~Published() { running_.set(nullptr); }
    Published(const Published&) = delete;
    Published& operator=(const Published&) = delete;

   private:
    RunningSandbox& running_;
  };

  void cancel_all() {
    const std::lock_guard lock(mutex_);
    if (sandbox_ != nullptr) sandbox_->cancel_all();
  }

 private:
  void set(capability::Sandbox* sandbox) {
    const std::lock_guard lock(mutex_);
    sandbox_ = sandbox;
  }
  std::mutex mutex_;
  capability::Sandbox* sandbox_ = nullptr;
};

base::Result<std::string> read_input(const std::string& path, std::uint64_t bytes_max) {
  if (path.empty()) return std::string();
  if (path == "-") return base::within("standard input", base::read_fd(0, bytes_max));
  return base::within("--input", base::read_file(path, bytes_max));
}

void say_policy(std::ostream& err, const RunOptions& options, const policy::Policy& policy) {
  if (options.grants.policy_file.empty())
    err << "fusebox: no --policy; only what the options grant, with modest limits:\n";
  err << policy::explain(policy);
}

void print_guest_log(std::ostream& err, const capability::LogRecord& record) {
  err << "log: " << (record.message.empty() ? record.fields : record.message) << '\n';
}

void print_result(const Streams& streams, const RunOptions& options, const capability::Report& report) {
  if (options.json) {
    streams.out << report_json(report) << '\n';
  } else if (report.ok()) {
    streams.out << report.result;
    if (report.kind != capability::ResultKind::bytes) streams.out << '\n';
  }
  streams.out.flush();
  if (!report.ok()) fusebox::cli::report(streams, report_text(options.artifact, report));
  if (report.ok() && options.verbose) streams.err << "fusebox: " << usage_text(report.usage) << '\n';
}

// With --json a refusal before any execution is an object too, so that programs parse one thing.
int refuse(const Streams& streams, bool json, const base::Error& error) {
  if (json) {
    capability::Report report;
    report.code = error.name.empty() ? std::string(base::to_string(error.code)) : error.name;
    report.message = error.message;
    report.outcome.how = engine::Failed{error};
    streams.out << report_json(report) << '\n';
  }
  return fusebox::cli::report(streams, error);
}

base::Result<capability::Report> run_in(capability::Sandbox& sandbox, const RunOptions& options,
                                        const Artifact& artifact, SandboxSetup& setup) {
  FB_TRY(const capability::Module module, setup.module_of(sandbox, artifact));
  FB_TRY(const std::string input, read_input(options.input, sandbox.policy().limits.input_bytes));
  return sandbox.run({.module = &module, .function = options.entry, .input = input, .id = {}});
}

int run(const RunOptions& options, const Streams& streams) {
  const auto policy = policy_from(options.grants);
  if (!policy) return refuse(streams, options.json, policy.error());
  if (options.verbose) say_policy(streams.err, options, *policy);
  auto artifact = read_artifact_file(options.artifact);
  if (!artifact) return refuse(streams, options.json, artifact.error());
  SandboxSetup setup(options.setup);
  RunningSandbox running;
  const InterruptGuard guard([&running] { running.cancel_all(); });
  auto sandbox = setup.sandbox_for(*policy);
  if (!sandbox) return refuse(streams, options.json, sandbox.error());
  const RunningSandbox::Published published(running, *sandbox);
  if (policy->log.enabled) {
    sandbox->set_log_sink([&streams](const capability::LogRecord& record) { print_guest_log(streams.err, record); });
  }
  const auto report = run_in(*sandbox, options, *artifact, setup);
  if (!report) return refuse(streams, options.json, report.error());
  print_result(streams, options, *report);
  return guard.interrupted() && !report->ok() ? kExitInterrupted : exit_status(*report);
}

bool is_container_run(const RunOptions& options) {
  return options.detach || !options.name.empty() || options.raw_terminal || names_container(options.launch) ||
         is_container(options.artifact);
}

// What only one of the two faces has is refused by the other, by name.
std::string misplaced_in_container(const RunOptions& options, const CLI::App& verb) {
  for (const char* const name : {"--policy", "--allow-http", "--audit", "--input", "--entry", "--log", "--dense"})
    if (verb.count(name) > 0)
      return std::string(name) + ": a container has no such option; see the options under Containers";
  return options.artifact == "-" ? "-: a container's image is a file or the name of a stored image" : "";
}

int run_as_container(RunOptions& options, const CLI::App& verb, const Streams& streams) {
  if (const std::string problem = misplaced_in_container(options, verb); !problem.empty())
    return report(streams, problem);
  ContainerRun run;
  run.artifact = options.artifact;
  run.name = options.name;
  run.detach = options.detach;
  run.raw_terminal = options.raw_terminal;
  run.json = options.json;
  run.verbose = options.verbose;
  run.setup = options.setup;
  run.launch = std::move(options.launch);
  run.launch.memory = options.grants.memory;
  run.launch.cpu_time = options.grants.cpu_time;
  run.launch.wall_time = options.grants.wall_time;
  run.launch.ticks = options.grants.ticks;
  run.launch.env = options.grants.env;
  run.launch.fs_read = options.grants.fs_read;
  run.launch.fs_write = options.grants.fs_write;
  run.launch.args = options.arguments;
  return run_container(run, streams);
}

// An option that may be given several times takes one value each time: what follows it is the artifact.
void add_grant_options(CLI::App& verb, GrantOptions& grants) {
  verb.add_option("--policy", grants.policy_file, "policy document (see: fusebox policy explain FILE)");
  verb.add_option("--memory", grants.memory, "linear memory, such as 64MiB");
  verb.add_option("--cpu-time", grants.cpu_time, "CPU time of the guest, such as 5s");
  verb.add_option("--wall-time", grants.wall_time, "time in all, host functions included, such as 10s");
  verb.add_option("--ticks", grants.ticks, "deterministic budget: the same run stops at the same place everywhere");
  verb.add_option("--allow-http", grants.allow_http, "\"GET https://host/path*\": an entry of the allowlist")
      ->allow_extra_args(false);
  verb.add_option("--fs-read", grants.fs_read,
                  "HOST[:GUEST]: a folder the guest may read, seen as GUEST (default: /NAME)")
      ->allow_extra_args(false);
  verb.add_option("--fs-write", grants.fs_write, "HOST[:GUEST]: a folder the guest may write files in")
      ->allow_extra_args(false);
  verb.add_option("--env", grants.env, "NAME=VALUE the guest may ask for; your own environment is never shown")
      ->allow_extra_args(false);
  verb.add_flag("--log", grants.log, "let the guest log; its lines go to standard error");
  verb.add_option("--audit", grants.audit_file, "append the audit log to this file");
}

}  // namespace

void add_run(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* verb = app.add_subcommand("run", "run a module or a container now, under a policy");
  verb->footer(
      "Nothing is granted unless a policy or an option grants it.\n"
      "Example: fusebox run transform.wasm --input doc.json --allow-http \"GET https://api.example.com/v1/*\" "
      "--cpu-time 1s\n"
      "         fusebox run web.wapp --volume site:/srv --socket listen=listen+tcp://127.0.0.1:8080 -- /srv\n"
      "         fusebox run --detach --name shell --interactive wsh");
  verb->add_option("ARTIFACT", options->artifact,
                   "a capability: .wasm, .wat, or what `fusebox compile` wrote; a container: .wapp, a tar, an image "
                   "layout, a WASI module, or the name of a stored image")
      ->required();
  verb->add_option("--entry", options->entry, "exported function to call")->default_val("run");
  verb->add_option("--input", options->input, "file with the input, - for standard input");
  add_grant_options(*verb, options->grants);
  add_setup_options(*verb, options->setup);
  verb->add_flag("--json", options->json, "print one JSON object: outcome, result, trap, usage");
  verb->add_flag("--verbose", options->verbose, "say on standard error what is granted and what was used");
  verb->add_option("ARGS", options->arguments, "arguments of a container's program, after --");
  add_launch_options(*verb, options->launch);
  verb->add_option("--name", options->name, "the container's name (default: after its image)")->group("Containers");
  verb->add_flag("--detach,-d", options->detach, "run it in the background engine")->group("Containers");
  verb->add_flag("--tty,-t", options->raw_terminal, "give the program every key as it is typed")->group("Containers");
  verb->callback([options, verb, &context] {
    if (is_container_run(*options)) {
      context.status = run_as_container(*options, *verb, context.streams);
      return;
    }
    if (!options->arguments.empty()) {
      context.status =
          report(context.streams, "'" + options->arguments.front() +
                                      "': a capability takes no arguments; give its input with --input FILE");
      return;
    }
    context.status = run(*options, context.streams);
  });
}

}  // namespace fusebox::cli
