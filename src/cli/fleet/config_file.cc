#include "cli/fleet/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.h"

namespace fusebox::cli::fleet {
namespace {

namespace fs = std::filesystem;
using base::Errc;

constexpr mode_t kFileMode = 0600;  // it holds tokens

std::unexpected<base::Error> broken(const fs::path& path, const YAML::Mark& mark, const std::string& what) {
  return base::fail(Errc::invalid, path.string() + ":" + std::to_string(std::max(mark.line, 0) + 1) + ": " + what);
}

// What the file holds, an empty map when there is none. YAML's exceptions are its callers'.
base::Result<YAML::Node> load(const fs::path& path) {
  const auto text = base::read_file(path, kConfigBytesMax);
  if (!text && text.error().code == Errc::not_found) return YAML::Node(YAML::NodeType::Map);
  if (!text) return base::fail(text.error());
  YAML::Node root = YAML::Load(*text);
  if (root.IsNull()) return YAML::Node(YAML::NodeType::Map);
  if (!root.IsMap()) return broken(path, root.Mark(), "the file must hold a map");
  return root;
}

std::string text_of(const YAML::Node& node, const char* key) {
  const YAML::Node member = node[key];
  return member && member.IsScalar() ? member.Scalar() : std::string();
}

base::Result<Config> config_of(const fs::path& path, const YAML::Node& root) {
  Config config;
  config.current_context = text_of(root, "current_context");
  const YAML::Node contexts = root["contexts"];
  if (!contexts || contexts.IsNull()) return config;
  if (!contexts.IsSequence()) return broken(path, contexts.Mark(), "'contexts' must be a list");
  if (contexts.size() > kContextsMax) return broken(path, contexts.Mark(), "too many contexts");
  for (const YAML::Node& node : contexts) {
    if (!node.IsMap()) return broken(path, node.Mark(), "a context must be a map");
    Context context;
    context.name = text_of(node, "name");
    context.base_url = text_of(node, "base_url");
    context.token = text_of(node, "token");
    context.master = node["master"] && node["master"].as<bool>(false);
    context.active_host = text_of(node, "active_host");
    if (context.name.empty()) return broken(path, node.Mark(), "a context has no name");
    config.contexts.push_back(std::move(context));
  }
  return config;
}

// The node that `name` has in the file, with keys we do not know.
YAML::Node known_node(const YAML::Node& contexts, const std::string& name) {
  if (contexts && contexts.IsSequence())
    for (const YAML::Node& node : contexts)
      if (node.IsMap() && text_of(node, "name") == name) return YAML::Clone(node);
  return YAML::Node(YAML::NodeType::Map);
}

void put(YAML::Node& root, const Config& config) {
  const YAML::Node before = root["contexts"] ? YAML::Clone(root["contexts"]) : YAML::Node();
  YAML::Node contexts(YAML::NodeType::Sequence);
  for (const Context& context : config.contexts) {
    YAML::Node node = known_node(before, context.name);
    node["name"] = context.name;
    node["base_url"] = context.base_url;
    const auto optional = [&node](const char* key, const std::string& value) {
      if (value.empty())
        node.remove(key);
      else
        node[key] = value;
    };
    optional("token", context.token);
    optional("active_host", context.active_host);
    if (context.master)
      node["master"] = true;
    else
      node.remove("master");
    contexts.push_back(node);
  }
  root["contexts"] = contexts;
  root["current_context"] = config.current_context;
}

}  // namespace

const Context* Config::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(contexts, name, &Context::name);
  return found == contexts.end() ? nullptr : &*found;
}

fs::path default_config_path() {
  if (const char* file = std::getenv("FUSE_CONFIG"); file != nullptr && *file != '\0') return file;
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/')
    return fs::path(folder) / "fuse" / "config.yaml";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".config" / "fuse" / "config.yaml";
  return {};
}

base::Result<Config> read_config(const fs::path& path) {
  if (path.empty()) return Config{};
  try {
    FB_TRY(const YAML::Node root, load(path));
    return config_of(path, root);
  } catch (const YAML::Exception& error) {
    return broken(path, error.mark, error.msg);
  }
}

base::Result<void> write_config(const fs::path& path, const Config& config) {
  if (path.empty()) return base::fail(Errc::io, "there is no home folder to keep contexts in; give --config FILE");
  std::string text;
  try {
    FB_TRY(YAML::Node root, load(path));
    put(root, config);
    YAML::Emitter out;
    out << root;
    text = std::string(out.c_str()) + '\n';
  } catch (const YAML::Exception& error) {
    return broken(path, error.mark, error.msg);
  }
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed) return base::fail(Errc::io, path.parent_path().string() + ": " + failed.message());
  return base::write_file_atomic(path, base::as_bytes(text), kFileMode);
}

}  // namespace fusebox::cli::fleet
