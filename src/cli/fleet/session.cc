#include "cli/fleet/session.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <ostream>

#include "base/files.h"

namespace fusebox::cli::fleet {
namespace {

constexpr std::size_t kAuthoritiesBytesMax = 4u << 20;  // all of a system's are a quarter of a MiB
constexpr std::array<std::string_view, 10> kVerbs{"env",   "hosts",   "snapshots", "keys", "operations",
                                                  "fleet", "context", "serve",     "host", "dev"};

void add_common_options(CLI::App& verb, CommonOptions& options) {
  ConnectionOptions& to = options.connection;
  verb.add_option("-o,--output", options.output, "table, json or name (ids alone)")
      ->check(CLI::IsMember({"table", "json", "name"}));
  verb.add_flag("--json", options.json, "the same as -o json");
  verb.add_option("--server", to.server,
                  std::string("address of the control plane (default: FUSE_BASE_URL, the ") + "current context, " +
                      kDefaultServer + ")");
  verb.add_option("--token", to.token, "master token or API key (default: FUSE_TOKEN, the context's)");
  verb.add_option("--context", to.context, "a server of `fusebox context ls`");
  verb.add_option("--config", to.config, "file of the contexts (default: FUSE_CONFIG, fuse/config.yaml)");
  verb.add_option("--ca", to.ca, "PEM file of the authorities to trust instead of the system's")->envname("FUSE_CA");
}

std::string env_text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

Format CommonOptions::format() const noexcept {
  if (json || output == "json") return Format::json;
  return output == "name" ? Format::name : Format::table;
}

base::Result<Connection> Session::connection() const {
  ConnectionOptions options = options_.connection;
  options.env_server = env_text("FUSE_BASE_URL");
  options.env_token = env_text("FUSE_TOKEN");
  FB_TRY(const Config config, read_config(config_path(options)));
  return choose_connection(options, config);
}

base::Result<ApiClient*> Session::api() {
  if (api_ != nullptr) return api_.get();
  FB_TRY(Connection chosen, connection());
  ServerAddress server{std::move(chosen.base_url), std::move(chosen.token), ""};
  if (const std::string& file = options_.connection.ca; !file.empty()) {
    FB_TRY(server.ca_pem, base::within("--ca", base::read_file(file, kAuthoritiesBytesMax)));
  }
  api_ = std::make_unique<ApiClient>(clock_, std::move(server));
  return api_.get();
}

void Session::show_json(std::string object) {
  if (list_ != nullptr)
    list_->push_back(std::move(object));
  else
    streams_.out << object << '\n';
}

void Session::note(std::string_view sentence) const {
  report(streams_, printable(sentence));
}

CLI::App* Verbs::add(const char* name, const char* what, const std::string& example, Action action) const {
  CLI::App* verb = parent->add_subcommand(name, what);
  verb->footer("Example: " + prefix + " " + example);
  add_common_options(*verb, *common);
  verb->callback([common = common, action = std::move(action), &context = context] {
    Session session(context.streams, *common);
    const base::Result<int> status = action(session);
    context.status = status ? *status : tell(context.streams, status.error());
  });
  return verb;
}

Verbs Verbs::below(const char* name, const char* what) const {
  CLI::App* group = parent->add_subcommand(name, what);
  group->require_subcommand(1);
  return {group, common, context, prefix + " " + name};
}

Verbs add_group(CLI::App& app, VerbContext& context, const char* name, const char* what, const std::string& example) {
  CLI::App* group = app.add_subcommand(name, what);
  group->require_subcommand(1);
  const std::string prefix = std::string("fusebox ") + name;
  group->footer(std::string(kExitStatuses) + "\nExample: " + prefix + " " + example);
  return {group, std::make_shared<CommonOptions>(), context, prefix};
}

bool is_fleet_verb(std::string_view verb) noexcept {
  return std::ranges::find(kVerbs, verb) != kVerbs.end();
}

}  // namespace fusebox::cli::fleet
