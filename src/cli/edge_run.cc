#include "cli/edge_run.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>

#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/artifact.h"
#include "cli/interrupt.h"
#include "cli/sandbox_setup.h"
#include "edge/sim/limits.h"
#include "edge/sim/runner.h"
#include "edge/sim/views.h"
#include "edge/wasm/engine_backend.h"
#include "engine/code_file.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
namespace config = edge::config;
namespace sim = edge::sim;

// How often an interrupt is repeated before steps in flight are ended too: they have a tenth of a second to return.
constexpr int kPatience = 20;
constexpr std::size_t kColumnsDefault = 120;

// What an interrupt ends: the run, and a step that does not return by itself.
class Stopper {
 public:
  explicit Stopper(sim::RealPace& pace) : pace_(pace) {}
  void watch(sim::Deployment* deployment) {
    const std::lock_guard lock(mutex_);
    deployment_ = deployment;
  }
  void stop() {
    pace_.stop();
    const std::lock_guard lock(mutex_);
    if (deployment_ == nullptr || ++asked_ < kPatience) return;
    for (const sim::DeployedModule& module : deployment_->modules()) deployment_->runtime().quota_expired(module.id);
  }

 private:
  sim::RealPace& pace_;
  std::mutex mutex_;
  sim::Deployment* deployment_ = nullptr;
  int asked_ = 0;
};

base::Result<base::Bytes> read_module(const fs::path& file) {
  FB_TRY(Artifact artifact, read_artifact_file(file.string()));
  return artifact.compiled ? std::move(artifact.file) : std::move(artifact.wasm);
}

// Warnings go to standard error; errors are one Error, every line of it with its place.
base::Result<config::AppConfig> read_config(const EdgeRunOptions& options, const Streams& streams) {
  config::Notes notes;
  FB_TRY(auto read, config::load_app_config(options.config, {.strict = options.strict}, notes));
  if (!read) return base::fail(base::Errc::invalid, notes.text());
  streams.err << notes.text();
  return *std::move(read);
}

base::Result<sim::RunOptions> run_options(const EdgeRunOptions& options, const sim::Deployment& deployment) {
  sim::RunOptions out;
  if (!options.run_for.empty()) {
    FB_TRY(const auto duration, base::within("--for", base::parse_duration(options.run_for)));
    out.for_us = static_cast<std::uint64_t>(duration.count()) / 1000;
  }
  if (options.posts.size() > sim::kPostsMax) {
    return base::fail(base::Errc::exhausted, "--post: at most " + std::to_string(sim::kPostsMax));
  }
  for (const std::string& text : options.posts) {
    FB_TRY(const sim::Post post, sim::parse_post(text, deployment.events()));
    out.posts.push_back(post);
  }
  return out;
}

std::size_t columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kColumnsDefault;
}

// Who looks on: a live table on a terminal, the log's lines when asked for, nobody otherwise.
struct Views {
  std::optional<sim::LiveTable> table;
  std::optional<sim::LogLines> lines;

  Views(const EdgeRunOptions& options, const Streams& streams) {
    if (options.log) {
      lines.emplace(streams.err);
    } else if (!options.json && &streams.out == &std::cout && ::isatty(STDOUT_FILENO) == 1) {
      table.emplace(streams.out, columns());
    }
  }
  sim::View* view() { return lines ? static_cast<sim::View*>(&*lines) : table ? &*table : nullptr; }
};

struct Ended {
  sim::RunReport report;
  base::Result<void> trace;
};

base::Result<Ended> run_deployment(const EdgeRunOptions& options, const Streams& streams, sim::Deployment& deployment,
                                   sim::RealPace& pace) {
  FB_TRY(sim::RunOptions how, run_options(options, deployment));
  std::optional<sim::Trace> trace;
  if (!options.trace.empty()) {
    FB_TRY(trace, sim::Trace::create(options.trace, deployment.application(), sim::kTraceBytesMax));
    how.trace = &*trace;
  }
  for (const std::string& note : deployment.notes()) streams.err << "fusebox: " << note << '\n';
  Views views(options, streams);
  how.view = views.view();
  Ended ended{sim::Runner(deployment, pace, std::move(how)).run(), {}};
  if (views.table) views.table->clear();
  if (trace) {
    ended.trace = trace->finish();
    if (trace->dropped() > 0) {
      streams.err << "fusebox: trace: " << base::format_count(trace->dropped()) << " entries did not fit into "
                  << base::format_size(sim::kTraceBytesMax) << " and were left out; run for less time\n";
    }
  }
  return ended;
}

base::Result<Ended> run(const EdgeRunOptions& options, const Streams& streams) {
  FB_TRY(sim::RealPace pace, sim::RealPace::create());
  Stopper stopper(pace);
  const InterruptGuard guard([&stopper] { stopper.stop(); });
  FB_TRY(const config::AppConfig app, read_config(options, streams));
  edge::EngineBackendOptions engine;
  engine.secret_path = engine::installation_secret_path();
  FB_TRY(const auto backend, edge::EngineBackend::create(std::move(engine)));
  const base::RealClock clock;
  sim::DeploymentOptions how{.config_folder = fs::path(options.config).parent_path(),
                             .module_folders = {options.module_dirs.begin(), options.module_dirs.end()},
                             .devices = options.devices,
                             .read_module = read_module};
  FB_TRY(const auto deployment, base::within(options.config, sim::Deployment::load(app, how, *backend, clock)));
  stopper.watch(deployment.get());
  auto ended = run_deployment(options, streams, *deployment, pace);
  stopper.watch(nullptr);
  return ended;
}

int exit_status(const sim::RunReport& report) {
  if (report.interrupted) return kExitInterrupted;
  switch (report.health()) {
    case sim::Health::healthy:
      return kExitOk;
    case sim::Health::stopped:
      return kExitStopped;
    case sim::Health::trapped:
      return kExitTrapped;
    case sim::Health::denied:
      return kExitDenied;
  }
  return kExitRefused;
}

void say_unhealthy(const Streams& streams, const sim::RunReport& report) {
  for (const sim::ModuleReport& module : report.modules) {
    if (module.health() == sim::Health::healthy) continue;
    streams.err << "fusebox: module " << base::in_quotes(module.name) << ": " << sim::state_name(module.info.state);
    if (module.info.state == FUSE_MODULE_STATE_TRAPPED) streams.err << ": " << module.info.trap_text;
    streams.err << "; --log shows what led there\n";
  }
}

// With --json a refusal is an object too, so that programs parse one thing.
int refuse(const EdgeRunOptions& options, const Streams& streams, const base::Error& error) {
  if (options.json) {
    base::json::Writer out;
    out.begin_object().key("code").string(base::to_string(error.code)).key("message").string(error.message);
    out.key("exit_code").integer(kExitRefused).end_object();
    streams.out << out.text() << '\n';
  }
  return report(streams, error);
}

}  // namespace

int edge_run(const EdgeRunOptions& options, const Streams& streams) {
  const auto ended = run(options, streams);
  if (!ended) return refuse(options, streams, ended.error());
  const int status = exit_status(ended->report);
  streams.out << (options.json ? sim::report_json(ended->report, status) + '\n' : sim::report_table(ended->report));
  streams.out.flush();
  say_unhealthy(streams, ended->report);
  if (!ended->trace) return report(streams, ended->trace.error());
  return status;
}

}  // namespace fusebox::cli
