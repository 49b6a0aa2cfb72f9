#include "cli/fleet/connection.h"

#include "base/json.h"
#include "base/text.h"

namespace fusebox::cli::fleet {
namespace {

using base::Errc;

std::string unknown_context(std::string_view name, const Config& config) {
  std::vector<std::string_view> names;
  for (const Context& context : config.contexts) names.push_back(context.name);
  const std::string near = base::json::nearest(name, names);
  return "there is no context " + base::in_quotes(name) +
         (near.empty() ? "; see: fusebox context ls" : "; did you mean " + base::in_quotes(near) + "?");
}

bool same_server(const std::string& base_url, const Context& context) {
  const auto cleaned = clean_base_url(context.base_url);
  return cleaned && *cleaned == base_url;
}

}  // namespace

std::filesystem::path config_path(const ConnectionOptions& options) {
  return options.config.empty() ? default_config_path() : std::filesystem::path(options.config);
}

base::Result<std::string> clean_base_url(std::string_view url) {
  std::string text(url);
  while (text.ends_with('/')) text.pop_back();
  const std::size_t scheme = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  const std::string_view host = std::string_view(text).substr(scheme, text.find('/', scheme) - scheme);
  if (scheme == 0 || host.empty() || text.find_first_of(" \t\r\n?#@") != text.npos)
    return base::fail(Errc::invalid, base::in_quotes(url) + " is no server's address; it looks like " + kDefaultServer);
  return text;
}

base::Result<Connection> choose_connection(const ConnectionOptions& options, const Config& config) {
  Connection chosen;
  const std::string& name = options.context.empty() ? config.current_context : options.context;
  const Context* context = name.empty() ? nullptr : config.find(name);
  if (context == nullptr && !options.context.empty())
    return base::fail(Errc::invalid, unknown_context(options.context, config));
  const bool from_env = options.context.empty() && !options.env_server.empty();
  std::string url = kDefaultServer;
  if (!options.server.empty()) {
    url = options.server;
  } else if (from_env) {
    url = options.env_server;
  } else if (context != nullptr) {
    url = context->base_url;
  } else if (!name.empty()) {
    return base::fail(Errc::invalid, unknown_context(name, config));
  }
  FB_TRY(chosen.base_url, clean_base_url(url));
  const bool context_counts = context != nullptr && same_server(chosen.base_url, *context);
  if (context_counts) chosen.context = context->name;
  if (!options.token.empty()) {
    chosen.token = options.token;
  } else if (!options.context.empty() && context_counts) {
    chosen.token = context->token;
  } else if (!options.env_token.empty()) {
    chosen.token = options.env_token;
  } else if (context_counts) {
    chosen.token = context->token;
  }
  return chosen;
}

}  // namespace fusebox::cli::fleet
