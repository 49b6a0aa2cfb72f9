// fusebox context: the servers a user works with
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "base/files.h"
#include "base/text.h"
#include "cli/container/table.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::string_view kService = "fuse-orchestrator";

struct AddOptions {
  std::string name, url;
  bool token_from_input = false, master = false, no_verify = false, no_use = false;
};

base::Result<Config> load(Session& session) {
  return read_config(config_path(session.connection_options()));
}
base::Result<void> store(Session& session, const Config& config) {
  return write_config(config_path(session.connection_options()), config);
}

// Is it a control plane, and does it take this token? Only a clear refusal of the token counts.
base::Result<void> verify(Session& session, const std::string& url, const std::string& token) {
  ServerAddress server{url, token, ""};
  if (const std::string& file = session.connection_options().ca; !file.empty()) {
    FB_TRY(server.ca_pem, base::within("--ca", base::read_file(file, 4u << 20)));
  }
  ApiClient api(session.clock(), std::move(server));
  FB_TRY(const ApiReply reply, api.call({.path = "/v1/version"}));
  FB_TRY(const json::Document version, reply.document());
  if (text_member(*version.root, "service") != kService)
    return base::fail(Errc::io, url + " is no control plane: it does not call itself " + std::string(kService));
  const auto hosts = api.call({.path = "/v1/hosts"});
  if (hosts) return {};
  const ApiFailure* failure = api_failure(hosts.error());
  if (failure != nullptr && failure->status == 401 && failure->code == "unauthorized") return base::fail(hosts.error());
  return {};
}

base::Result<int> add(Session& session, const AddOptions& options) {
  FB_TRY(Config config, load(session));
  Context made;
  made.name = options.name;
  FB_TRY(made.base_url, clean_base_url(options.url));
  made.token = session.connection_options().token;
  made.master = options.master;
  if (options.token_from_input) {
    FB_TRY(made.token, base::read_fd(STDIN_FILENO, kTokenBytesMax));
    while (made.token.ends_with('\n') || made.token.ends_with('\r')) made.token.pop_back();
  }
  if (!options.no_verify) {
    auto verified = verify(session, made.base_url, made.token);
    if (!verified) {
      verified.error().message += "\nnothing was written; --no-verify adds it all the same";
      return base::fail(verified.error());
    }
  }
  const auto same = std::ranges::find(config.contexts, options.name, &Context::name);
  if (same != config.contexts.end()) {
    made.active_host = same->active_host;
    *same = made;
  } else {
    if (config.contexts.size() == kContextsMax) return base::fail(Errc::exhausted, "there are 1000 contexts already");
    config.contexts.push_back(made);
  }
  if (!options.no_use || config.current_context.empty()) config.current_context = options.name;
  FB_CHECK(store(session, config));
  return show_done(session, options.name, config.current_context == options.name ? "is the current context" : "added");
}

base::Result<int> list(Session& session) {
  FB_TRY(const Config config, load(session));
  if (session.json()) {
    json::Writer out;
    out.begin_object().key("current_context").string(base::to_utf8(config.current_context));
    out.key("contexts").begin_array();
    for (const Context& context : config.contexts) {
      out.begin_object().key("name").string(base::to_utf8(context.name));
      out.key("base_url").string(base::to_utf8(context.base_url)).key("has_token").boolean(!context.token.empty());
      out.key("master")
          .boolean(context.master)
          .key("active_host")
          .string(base::to_utf8(context.active_host))
          .end_object();
    }
    session.out() << out.end_array().end_object().take() << '\n';
    return kDone;
  }
  if (session.format() == Format::name) {
    for (const Context& context : config.contexts) session.out() << printable(context.name) << '\n';
    return kDone;
  }
  Table table({"", "NAME", "SERVER", "TOKEN", "HOST"});
  for (const Context& context : config.contexts) {
    const char* token = context.token.empty() ? "-" : context.master ? "master" : "yes";
    table.add({context.name == config.current_context ? "*" : "", printable(context.name), printable(context.base_url),
               token, context.active_host.empty() ? "-" : printable(context.active_host)});
  }
  table.print(session.out());
  return kDone;
}

base::Result<void> must_exist(const Config& config, const std::string& name) {
  if (config.find(name) != nullptr) return {};
  return base::fail(Errc::not_found, "there is no context " + base::in_quotes(name) + "; see: fusebox context ls");
}

base::Result<int> use(Session& session, const std::string& name) {
  FB_TRY(Config config, load(session));
  FB_CHECK(must_exist(config, name));
  config.current_context = name;
  FB_CHECK(store(session, config));
  return show_done(session, name, "is the current context");
}

base::Result<int> remove(Session& session, const std::string& name) {
  FB_TRY(Config config, load(session));
  FB_CHECK(must_exist(config, name));
  std::erase_if(config.contexts, [&name](const Context& context) { return context.name == name; });
  if (config.current_context == name) config.current_context.clear();
  FB_CHECK(store(session, config));
  return show_done(session, name, "removed");
}

// Where the next command would go, whatever decided it.
base::Result<int> current(Session& session) {
  FB_TRY(const Connection chosen, session.connection());
  if (session.json()) {
    json::Writer out;
    out.begin_object().key("context").string(base::to_utf8(chosen.context));
    out.key("base_url").string(base::to_utf8(chosen.base_url)).key("has_token").boolean(!chosen.token.empty());
    session.out() << out.end_object().take() << '\n';
  } else if (session.format() == Format::name) {
    session.out() << printable(chosen.context) << '\n';
  } else {
    session.out() << (chosen.context.empty() ? "(no context)" : printable(chosen.context)) << "  "
                  << printable(chosen.base_url) << (chosen.token.empty() ? "  without a token" : "") << '\n';
  }
  return kDone;
}

}  // namespace

void add_context(CLI::App& app, VerbContext& context) {
  const Verbs verbs =
      add_group(app, context, "context", "the control planes you work with, shared with the fuse command",
                "add prod https://fuse.example.com --token-stdin < token");
  auto added = std::make_shared<AddOptions>();
  CLI::App* add_verb = verbs.add("add", "remember a server, or change one, and use it",
                                 "add prod https://fuse.example.com --token-stdin < token",
                                 [added](Session& session) { return add(session, *added); });
  add_verb->add_option("NAME", added->name, "what to call it")->required();
  add_verb->add_option("URL", added->url, "its address")->required();
  add_verb->add_flag("--token-stdin", added->token_from_input, "read the token from standard input");
  add_verb->add_flag("--master", added->master, "the token is the master token");
  add_verb->add_flag("--no-verify", added->no_verify, "do not ask the server whether it takes the token");
  add_verb->add_flag("--no-use", added->no_use, "keep the current context");

  verbs.add("ls", "list them; * is the current one", "ls", list);
  verbs.add("current", "where the next command goes", "current", current);
  auto used = std::make_shared<std::string>();
  CLI::App* use_verb =
      verbs.add("use", "choose the current one", "use prod", [used](Session& session) { return use(session, *used); });
  use_verb->add_option("NAME", *used, "context")->required();
  auto removed = std::make_shared<std::string>();
  CLI::App* rm =
      verbs.add("rm", "forget one", "rm prod", [removed](Session& session) { return remove(session, *removed); });
  rm->add_option("NAME", *removed, "context")->required();
}

}  // namespace fusebox::cli::fleet
