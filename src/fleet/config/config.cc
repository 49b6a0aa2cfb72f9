#include "fleet/config/config.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/text.h"
#include "fleet/api/rules/names.h"
#include "fleet/config/options.h"

namespace fusebox::fleet {
namespace {

using base::Errc;
using base::Result;
using Kind = Option::Kind;

bool is_switch(const Option& option) noexcept {
  return std::holds_alternative<bool Config::*>(option.member);
}

const Option* find_option(std::string_view name) noexcept {
  const auto found = std::ranges::find(options(), name, &Option::name);
  return found == options().end() ? nullptr : &*found;
}

Result<void> unknown(std::string what, std::string_view name) {
  std::vector<std::string_view> names = {"config", "print-config", "version"};
  for (const Option& option : options()) names.push_back(option.name);
  std::string text = std::move(what) + base::in_quotes(name);
  if (const std::string near = base::json::nearest(name, names); !near.empty()) text += "; did you mean " + near + "?";
  return base::fail(Errc::invalid, text);
}

struct Flags {
  std::map<std::string, std::string> values;
  bool version = false;
  bool print_config = false;
  std::string config_file;
};

// The name between the dashes and `=`, and the value if there is one.
struct Flag {
  std::string_view name;
  std::optional<std::string> value;
};
std::optional<Flag> split(std::string_view arg) {
  if (!arg.starts_with('-') || arg == "-" || arg == "--") return std::nullopt;
  arg.remove_prefix(arg.starts_with("--") ? 2 : 1);
  const std::size_t equals = arg.find('=');
  if (equals == std::string_view::npos) return Flag{arg, std::nullopt};
  return Flag{arg.substr(0, equals), std::string(arg.substr(equals + 1))};
}

Result<Flags> read_flags(std::span<const std::string> args) {
  Flags flags;
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::optional<Flag> flag = split(args[i]);
    if (!flag) return base::fail(Errc::invalid, "unexpected argument " + base::in_quotes(args[i]));
    if (flag->name == "version" || flag->name == "print-config") {
      const std::optional<bool> on = flag->value ? parse_switch(*flag->value) : true;
      if (!on) return base::fail(Errc::invalid, "-" + std::string(flag->name) + " is neither true nor false");
      (flag->name == "version" ? flags.version : flags.print_config) = *on;
      continue;
    }
    const Option* const option = find_option(flag->name);
    const bool known = flag->name == "config" || (option != nullptr && option->kind != Kind::secret_without_flag);
    if (!known) FB_CHECK(unknown("unknown flag ", flag->name));
    if (!flag->value && option != nullptr && is_switch(*option)) flag->value = "true";
    if (!flag->value) {
      if (i + 1 == args.size()) return base::fail(Errc::invalid, "-" + std::string(flag->name) + " needs a value");
      flag->value = args[++i];
    }
    if (flag->name == "config") {
      flags.config_file = *flag->value;
    } else {
      flags.values[std::string(flag->name)] = *flag->value;
    }
  }
  return flags;
}

Result<void> apply_file(Config& config, const std::string& path, const std::string& text) {
  base::json::ParseOptions parse_options;
  parse_options.file = path;
  FB_TRY(const base::json::Document document, base::json::parse(text, parse_options));
  if (!document.root->is_object()) return base::fail(Errc::invalid, path + ": an object is needed");
  for (std::size_t i = 0; i < document.root->keys().size(); ++i) {
    const std::string& key = document.root->keys()[i];
    const base::json::Node& value = document.root->elements()[i];
    const Option* const option = find_option(key);
    if (option == nullptr) FB_CHECK(unknown(path + ": unknown key ", key));
    std::string word = value.is_string() ? value.string() : "";
    const std::string where = path + ": " + key;
    if (value.kind() == base::json::Kind::boolean) {
      word = value.boolean() ? "true" : "false";
    } else if (const auto number = value.as_i64()) {
      word = std::to_string(*number);
    } else if (!value.is_string()) {
      return base::fail(Errc::invalid, where + " must be a string, a whole number, true or false");
    }
    // A bare number for a time counts seconds.
    FB_CHECK(assign(config, *option, word, value.kind() == base::json::Kind::integer, where));
  }
  return {};
}

std::optional<std::string> variable(const ConfigSources& sources, const Option& option) {
  if (option.env.empty() || !sources.getenv) return std::nullopt;
  const auto set = [&](const std::string& name) -> std::optional<std::string> {
    std::optional<std::string> value = sources.getenv(name);
    if (value && value->empty()) return std::nullopt;
    return value;
  };
  if (auto value = set(std::string(option.env))) return value;
  if (!option.env_alias.empty()) return set(std::string(option.env_alias));
  constexpr std::string_view kOurs = "ORCH_";
  if (option.env.starts_with(kOurs)) return set("SURF_" + std::string(option.env.substr(kOurs.size())));
  if (option.env.ends_with("_PROXY")) return set(lower_case(option.env));
  return std::nullopt;
}

std::string text_of(const Config& config, const Option& option) {
  if (const auto* text = std::get_if<std::string Config::*>(&option.member)) return config.**text;
  if (const auto* number = std::get_if<std::int64_t Config::*>(&option.member)) return std::to_string(config.**number);
  if (const auto* flag = std::get_if<bool Config::*>(&option.member)) return config.**flag ? "true" : "false";
  const auto span = config.*std::get<Config::Span Config::*>(option.member);
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
  if (span % std::chrono::milliseconds{1} != Config::Span{0}) return std::to_string(span.count()) + "ns";
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

}  // namespace

std::optional<bool> parse_switch(std::string_view text) {
  const std::string word = lower_case(text);
  for (const std::string_view yes : {"true", "1", "yes", "on"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"", "false", "0", "no", "off"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

Result<ConfigRequest> read_config(const ConfigSources& sources) {
  FB_TRY(const Flags flags, read_flags(sources.args));
  ConfigRequest request;
  Config& config = request.config;
  for (const Option& option : options()) {
    FB_CHECK(assign(config, option, option.fallback, false, std::string(option.name)));
  }
  if (flags.version) {
    request.action = ConfigRequest::Action::print_version;
    return request;
  }
  std::string file = flags.config_file;
  if (file.empty() && sources.getenv) file = sources.getenv("ORCH_CONFIG").value_or("");
  if (!file.empty()) {
    FB_TRY(const std::string text, sources.read_file(file));
    FB_CHECK(apply_file(config, file, text));
  }
  for (const Option& option : options()) {
    const std::string env(option.env);
    if (const auto value = variable(sources, option)) {
      FB_CHECK(assign(config, option, *value, env.ends_with("_SECONDS"), env));
    }
    if (const auto flag = flags.values.find(std::string(option.name)); flag != flags.values.end()) {
      FB_CHECK(assign(config, option, flag->second, false, "-" + flag->first));
    }
  }
  const std::string provider = sources.getenv ? sources.getenv("SURF_PROVIDER").value_or("") : "";
  if (!provider.empty() && provider != "firecracker") {
    return base::fail(Errc::invalid, "SURF_PROVIDER: " + base::in_quotes(provider) + " must be firecracker");
  }
  FB_CHECK(check_config(config));
  if (flags.print_config) request.action = ConfigRequest::Action::print_config;
  return request;
}

std::string mask_password(std::string_view url) {
  std::string out(url);
  const std::size_t scheme = out.find("://");
  const std::size_t at = out.rfind('@');
  if (scheme != std::string::npos && at != std::string::npos && at > scheme) {
    const std::size_t colon = out.find(':', scheme + 3);
    if (colon != std::string::npos && colon < at) out.replace(colon + 1, at - colon - 1, "***");
  }
  // `password=...` of a keyword list or of a query.
  for (std::size_t found = out.find("password"); found != std::string::npos; found = out.find("password", found + 8)) {
    std::size_t begin = out.find_first_not_of(' ', found + 8);
    if (begin == std::string::npos || out[begin] != '=') continue;
    begin = std::min(out.find_first_not_of(' ', begin + 1), out.size());
    std::size_t end = std::min(out.find_first_of(" &", begin), out.size());
    if (begin < out.size() && out[begin] == '\'') {
      end = begin + 1;
      while (end < out.size() && out[end] != '\'') end += out[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, out.size());
    }
    out.replace(begin, end - begin, "***");
  }
  return out;
}

std::string print_config(const Config& config) {
  base::json::Writer out;
  out.begin_object();
  for (const Option& option : options()) {
    std::string text = text_of(config, option);
    if (option.kind != Kind::plain && !text.empty()) text = "***";
    if (option.name == "database-url") text = mask_password(text);
    out.key(option.name).string(base::to_utf8(text));
  }
  out.end_object();
  return out.take();
}

std::string start_error(const base::Error& error) {
  return "orchestrator: " + error.message;
}

}  // namespace fusebox::fleet
