#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/container/attach.h"
#include "cli/container/places.h"
#include "cli/container/run_container.h"
#include "cli/container/show.h"
#include "cli/interrupt.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

using container::Client;
using container::Status;

constexpr int kSampleMs = 1000;

struct Options {
  std::string name;
  std::vector<std::string> names;
  std::string module;
  std::vector<std::string> words;
  std::vector<std::string> env;
  bool all = false;
  bool quiet = false;
  bool follow = false;
  bool force = false;
  bool once = false;
  bool json = false;
};

base::Result<std::vector<Status>> statuses(bool all) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) {
    if (client.error().code == base::Errc::unavailable) return std::vector<Status>{};  // nothing runs without an engine
    return base::fail(client.error());
  }
  FB_TRY(std::vector<Status> found, client->list());
  if (!all) std::erase_if(found, [](const Status& status) { return !container::is_live(status.state); });
  return found;
}

int list(const Options& options, const Streams& streams) {
  const auto found = statuses(options.all);
  if (!found) return report(streams, found.error());
  if (options.json) {
    streams.out << statuses_json(*found) << '\n';
  } else if (options.quiet) {
    for (const Status& status : *found) streams.out << status.name << '\n';
  } else {
    print_containers(streams.out, *found);
  }
  return kExitOk;
}

int statistics(const Options& options, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  const base::RealClock clock;
  auto before = client->list();
  base::Nanos then = clock.monotonic();
  InterruptGuard guard([] {});
  const bool live = !options.once && !options.json && ::isatty(STDOUT_FILENO) == 1;
  do {
    ::poll(nullptr, 0, kSampleMs);
    const auto now = client->list();
    if (!now) return report(streams, now.error());
    const base::Nanos elapsed = clock.monotonic() - then;
    then += elapsed;
    if (live) streams.out << "\033[H\033[2J";
    if (options.json) {
      streams.out << statuses_json(*now) << '\n';
    } else {
      print_statistics(streams.out, *now, before ? std::span<const Status>(*before) : std::span<const Status>(),
                       elapsed);
    }
    streams.out.flush();
    before = *now;
  } while (live && !guard.interrupted());
  return kExitOk;
}

int logs(const Options& options, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  InterruptGuard guard([] {});
  for (std::uint64_t from = 0; !guard.interrupted();) {
    base::json::Writer asked = container::request("logs");
    asked.key("name").string(options.name).key("from").unsigned_integer(from);
    asked.key("wait_ms").integer(options.follow ? kSampleMs : 0);
    const auto answer = client->ask(std::move(asked));
    if (!answer) return report(streams, answer.error());
    const auto bytes = base::from_base64(container::text_of(*answer->root, "data"));
    if (!bytes) return report(streams, bytes.error());
    if (container::flag_of(*answer->root, "lost") && from != 0)
      streams.err << "fusebox: older output has left the log\n";
    streams.out << base::as_text(*bytes);
    streams.out.flush();
    from = container::number_of(*answer->root, "next");
    const bool more = !bytes->empty() || (options.follow && container::flag_of(*answer->root, "live"));
    if (!more) break;
  }
  return kExitOk;
}

// The same request for each name; every failure is told, and any makes the status 125.
int for_each(const Options& options, const Streams& streams, const char* verb) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  int status = kExitOk;
  for (const std::string& name : options.names) {
    base::json::Writer asked = container::request(verb);
    asked.key("name").string(name).key("force").boolean(options.force);
    if (const auto answer = client->ask(std::move(asked)); !answer) {
      status = report(streams, answer.error());
    } else {
      streams.out << name << '\n';
    }
  }
  return status;
}

int stop(const Options& options, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  int status = kExitOk;
  InterruptGuard guard([] {});
  for (const std::string& name : options.names) {
    base::json::Writer asked = container::request("stop");
    asked.key("name").string(name);
    if (const auto answer = client->ask(std::move(asked)); !answer) {
      status = report(streams, answer.error());
      continue;
    }
    const auto ended = client->wait(name, [&guard] { return guard.interrupted(); });
    if (!ended) {
      status = report(streams, ended.error());
    } else {
      streams.out << name << '\n';
    }
  }
  return status;
}

int wait(const Options& options, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return report(streams, client.error());
  InterruptGuard guard([] {});
  const auto ended = client->wait(options.name, [&guard] { return guard.interrupted(); });
  if (!ended) return report(streams, ended.error());
  if (!*ended) return kExitInterrupted;
  const std::string text = container_end_text(**ended);
  if (!text.empty()) report(streams, text);
  return container_exit_status(**ended);
}

CLI::App* verb_with_names(CLI::App& app, const char* name, const char* help, const std::shared_ptr<Options>& options) {
  CLI::App* verb = app.add_subcommand(name, help);
  verb->add_option("NAME", options->names, "containers")->required();
  return verb;
}

void add_listing(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("ps", "containers of the background engine");
  verb->footer("Example: fusebox ps --all");
  verb->add_flag("--all,-a", options->all, "also those that have ended or wait for their start");
  verb->add_flag("--quiet,-q", options->quiet, "names alone");
  verb->add_flag("--json", options->json, "one JSON array");
  verb->callback([options, &context] { context.status = list(*options, context.streams); });

  auto sampled = std::make_shared<Options>();
  CLI::App* stats = app.add_subcommand("stats", "what containers use, live");
  stats->footer("Example: fusebox stats --once");
  stats->add_flag("--once", sampled->once, "one sample of a second, then end");
  stats->add_flag("--json", sampled->json, "one JSON array, then end");
  stats->callback([sampled, &context] { context.status = statistics(*sampled, context.streams); });

  auto followed = std::make_shared<Options>();
  CLI::App* log = app.add_subcommand("logs", "what a container wrote");
  log->footer("Example: fusebox logs -f web");
  log->add_option("NAME", followed->name, "container")->required();
  log->add_flag("--follow,-f", followed->follow, "go on until the container ends");
  log->callback([followed, &context] { context.status = logs(*followed, context.streams); });
}

void add_control(CLI::App& app, VerbContext& context) {
  auto started = std::make_shared<Options>();
  CLI::App* start = verb_with_names(app, "start", "run ended containers again", started);
  start->footer("Example: fusebox start web");
  start->callback([started, &context] { context.status = for_each(*started, context.streams, "start"); });

  auto stopped = std::make_shared<Options>();
  CLI::App* end = verb_with_names(app, "stop", "end containers", stopped);
  end->footer("Example: fusebox stop web");
  end->callback([stopped, &context] { context.status = stop(*stopped, context.streams); });

  auto removed = std::make_shared<Options>();
  CLI::App* remove = verb_with_names(app, "rm", "forget ended containers; their volumes stay", removed);
  remove->footer("Example: fusebox rm --force web");
  remove->add_flag("--force,-f", removed->force, "stop it first where it runs");
  remove->callback([removed, &context] { context.status = for_each(*removed, context.streams, "remove"); });

  auto waited = std::make_shared<Options>();
  CLI::App* await = app.add_subcommand("wait", "until a container ends; the exit status is its own");
  await->footer("Example: fusebox wait job && echo done");
  await->add_option("NAME", waited->name, "container")->required();
  await->callback([waited, &context] { context.status = wait(*waited, context.streams); });
}

void add_joining(CLI::App& app, VerbContext& context) {
  auto run = std::make_shared<Options>();
  CLI::App* exec = app.add_subcommand("exec", "a further process in a running container's namespace");
  exec->footer("Example: fusebox exec web --module /bin/tools.wasm -- ls /srv");
  exec->add_option("NAME", run->name, "container")->required();
  exec->add_option("--module", run->module, "module file in the image (default: the container's own)");
  exec->add_option("--env", run->env, "NAME=VALUE beside the container's")->allow_extra_args(false);
  exec->add_option("ARGS", run->words, "arguments, after --");
  exec->callback(
      [run, &context] { context.status = exec_in(run->name, run->module, run->words, run->env, context.streams); });

  auto joined = std::make_shared<Options>();
  CLI::App* attach = app.add_subcommand("attach", "a container's output as it comes, and its input where it has one");
  attach->footer("Ctrl-C leaves the container running.\nExample: fusebox attach shell");
  attach->add_option("NAME", joined->name, "container")->required();
  attach->callback([joined, &context] { context.status = attach_to(joined->name, context.streams); });
}

}  // namespace

void add_containers(CLI::App& app, VerbContext& context) {
  add_listing(app, context);
  add_control(app, context);
  add_joining(app, context);
}

}  // namespace fusebox::cli
