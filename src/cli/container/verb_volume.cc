#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "cli/container/places.h"
#include "cli/container/table.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

using base::json::Document;
using base::json::Node;

struct VolumeOptions {
  std::vector<std::string> names;
  bool json = false;
};

std::string users(const Node& volume) {
  std::string text;
  if (const Node* found = volume.find("used_by"); found != nullptr)
    for (const Node& user : found->elements()) text += (text.empty() ? "" : " ") + user.string();
  return text.empty() ? "-" : text;
}

int list(const VolumeOptions& options, const Streams& streams) {
  auto client = reach_engine(WhenAbsent::start);
  if (!client) return report(streams, client.error());
  const auto answer = client->ask(container::request("volumes"));
  if (!answer) return report(streams, answer.error());
  const Node* volumes = answer->root->find("volumes");
  if (volumes == nullptr) return report(streams, "the engine's answer has no volumes");
  if (options.json) {
    streams.out << base::json::canonical(*volumes) << '\n';
    return kExitOk;
  }
  Table table({"NAME", "BYTES", "FILES", "USED BY"});
  for (const Node& volume : volumes->elements())
    table.add({container::text_of(volume, "name"), base::format_count(container::number_of(volume, "bytes")),
               base::format_count(container::number_of(volume, "files")), users(volume)});
  table.print(streams.out);
  return kExitOk;
}

int each(const VolumeOptions& options, const Streams& streams, const char* verb) {
  auto client = reach_engine(WhenAbsent::start);
  if (!client) return report(streams, client.error());
  int status = kExitOk;
  for (const std::string& name : options.names) {
    base::json::Writer asked = container::request(verb);
    asked.key("name").string(base::to_utf8(name));
    if (const auto answer = client->ask(std::move(asked)); !answer) {
      status = report(streams, answer.error());
    } else {
      streams.out << name << '\n';
    }
  }
  return status;
}

}  // namespace

void add_volume(CLI::App& app, VerbContext& context) {
  CLI::App* verb = app.add_subcommand("volume", "folders that outlive their containers");
  verb->require_subcommand(1);
  verb->footer("Example: fusebox volume ls");
  auto listed = std::make_shared<VolumeOptions>();
  CLI::App* ls = verb->add_subcommand("ls", "every volume: NAME is shared, CONTAINER/NAME private");
  ls->add_flag("--json", listed->json, "one JSON array");
  ls->callback([listed, &context] { context.status = list(*listed, context.streams); });
  auto created = std::make_shared<VolumeOptions>();
  CLI::App* create = verb->add_subcommand("create", "make a shared volume; mounting one makes it as well");
  create->add_option("NAME", created->names, "volumes")->required();
  create->callback([created, &context] { context.status = each(*created, context.streams, "create_volume"); });
  auto removed = std::make_shared<VolumeOptions>();
  CLI::App* rm = verb->add_subcommand("rm", "remove volumes with all they hold");
  rm->footer("Example: fusebox volume rm site");
  rm->add_option("NAME", removed->names, "volumes no live container uses")->required();
  rm->callback([removed, &context] { context.status = each(*removed, context.streams, "remove_volume"); });
}

}  // namespace fusebox::cli
