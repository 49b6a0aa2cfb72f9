#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>

#include "base/json.h"
#include "cli/container/compose.h"
#include "cli/container/engine_run.h"
#include "cli/container/places.h"
#include "cli/interrupt.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

using container::Client;
using container::Status;

struct UpOptions {
  std::string file;
  bool recreate = false;
};

// The configuration the engine runs it with, "" when it does not run.
base::Result<std::string> running_config(Client& client, const std::vector<Status>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &Status::name);
  if (found == all.end() || !container::is_live(found->state)) return std::string();
  base::json::Writer asked = container::request("inspect");
  asked.key("name").string(name);
  FB_TRY(const auto answer, client.ask(std::move(asked)));
  const base::json::Node* config = answer.root->find("config");
  return config != nullptr ? base::json::canonical(*config) : std::string();
}

base::Result<std::string> canonical(const std::string& json) {
  FB_TRY(const auto document, base::json::parse(json));
  return base::json::canonical(*document.root);
}

base::Result<void> replace(Client& client, const std::string& name, bool runs) {
  if (!runs) return {};
  base::json::Writer stop = container::request("stop");
  stop.key("name").string(name);
  FB_CHECK(client.ask(std::move(stop)));
  FB_CHECK(client.wait(name, [] { return false; }));
  return {};
}

base::Result<std::string> bring_up(Client& client, const Service& service, const std::vector<Status>& all,
                                   bool recreate) {
  const std::string config = container::write_launch_config(service.config);
  FB_TRY(const std::string wanted, canonical(config));
  FB_TRY(const std::string present, running_config(client, all, service.name));
  const auto status = std::ranges::find(all, service.name, &Status::name);
  const bool same_image = status != all.end() && (service.image.empty() || service.image == status->image ||
                                                  service.image == status->image + ":" + status->version);
  if (!recreate && present == wanted && same_image) return std::string("unchanged");
  FB_CHECK(replace(client, service.name, !present.empty()));
  base::json::Writer launch = container::request("launch");
  launch.key("name").string(service.name).key("config").string(config);
  if (service.file.empty()) {
    launch.key("image").string(service.image);
  } else {
    launch.key("file").string(service.file);
  }
  FB_CHECK(client.ask(std::move(launch)));
  return std::string(present.empty() ? "started" : "updated");
}

int up(const UpOptions& options, const Streams& streams) {
  if (std::filesystem::path(options.file).extension() == ".json") {
    EngineRunOptions engine;
    engine.config = options.file;
    engine.profile_default = "big";
    return run_engine(engine);
  }
  const auto services = read_compose(options.file);
  if (!services) return report(streams, services.error());
  auto client = reach_engine(WhenAbsent::start);
  if (!client) return report(streams, client.error());
  const auto all = client->list();
  if (!all) return report(streams, all.error());
  for (const Service& service : *services) {
    const auto done = base::within(service.name, bring_up(*client, service, *all, options.recreate));
    if (!done) return report(streams, done.error());
    streams.out << service.name << ": " << *done << '\n';
  }
  return kExitOk;
}

int down(const UpOptions& options, const Streams& streams) {
  const auto services = read_compose(options.file);
  if (!services) return report(streams, services.error());
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client) return client.error().code == base::Errc::unavailable ? kExitOk : report(streams, client.error());
  int status = kExitOk;
  for (auto service = services->rbegin(); service != services->rend(); ++service) {
    base::json::Writer asked = container::request("remove");
    asked.key("name").string(service->name).key("force").boolean(true);
    const auto answer = client->ask(std::move(asked));
    if (answer) {
      streams.out << service->name << ": removed\n";
    } else if (answer.error().code != base::Errc::not_found) {
      status = report(streams, answer.error());
    }
  }
  return status;
}

}  // namespace

void add_up(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<UpOptions>();
  CLI::App* verb = app.add_subcommand("up", "start or update the containers of a file");
  verb->footer(
      "Containers whose description did not change keep running. A .json file is an engine's configuration and runs "
      "in\n"
      "the foreground, as with `fusebox engine`.\nExample: fusebox up fusebox.yaml");
  verb->add_option("FILE", options->file, "compose-like YAML, or an engine's JSON")->default_val("fusebox.yaml");
  verb->add_flag("--recreate", options->recreate, "start all of them anew");
  verb->callback([options, &context] { context.status = up(*options, context.streams); });

  auto ended = std::make_shared<UpOptions>();
  CLI::App* end = app.add_subcommand("down", "stop and forget the containers of a file; volumes stay");
  end->footer("Example: fusebox down fusebox.yaml");
  end->add_option("FILE", ended->file, "what `fusebox up` was given")->default_val("fusebox.yaml");
  end->callback([ended, &context] { context.status = down(*ended, context.streams); });
}

}  // namespace fusebox::cli
