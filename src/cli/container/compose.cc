#include "cli/container/compose.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "base/files.h"
#include "base/json.h"
#include "cli/container/launch_options.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;
using container::LaunchConfig;

constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr std::size_t kServicesMax = 256;
constexpr std::array<std::string_view, 13> kKeys{"image",    "file",       "command",    "environment", "volumes",
                                                 "sockets",  "devices",    "memory",     "cpus",        "restart",
                                                 "writable", "depends_on", "interactive"};
constexpr std::array<std::string_view, 3> kRootKeys{"services", "name", "version"};

std::string missing_dependency(const std::string& name, const std::string& needed) {
  return "'" + name + "' depends on '" + needed + "', which is no service of this file";
}

class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path) {}

  base::Result<std::vector<Service>> read(const std::string& text) {
    YAML::Node root;
    try {
      root = YAML::Load(text);
      services_of(root);
    } catch (const YAML::Exception& error) {
      problem(error.mark, error.msg);
    }
    if (!problems_.empty()) return base::fail(problems_.to_error());
    return in_order();
  }

 private:
  void problem(const YAML::Mark& mark, std::string message) {
    const json::Location at{static_cast<std::uint32_t>(std::max(mark.line, 0) + 1),
                            static_cast<std::uint32_t>(std::max(mark.column, 0) + 1)};
    problems_.add({path_.string(), at, "", std::move(message)});
  }
  void check(const YAML::Node& at, const base::Result<void>& done) {
    if (!done) problem(at.Mark(), done.error().message);
  }
  void check_key(const YAML::Node& key, std::span<const std::string_view> known) {
    const std::string& name = key.Scalar();
    if (std::ranges::find(known, name) != known.end()) return;
    const std::string near = json::nearest(name, known);
    problem(key.Mark(), "unknown key '" + name + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }

  void services_of(const YAML::Node& root) {
    if (!root.IsMap()) return problem(root.Mark(), "the file must hold a map with 'services'");
    for (const auto& item : root) check_key(item.first, kRootKeys);
    const YAML::Node services = root["services"];
    if (!services || !services.IsMap()) return problem(root.Mark(), "'services' is missing or no map");
    if (services.size() > kServicesMax)
      return problem(services.Mark(), "more than " + std::to_string(kServicesMax) + " services");
    for (const auto& item : services) service(item.first.Scalar(), item.second);
    for (const auto& [name, needed] : depends_)
      for (const std::string& other : needed)
        if (std::ranges::find(services_, other, &Service::name) == services_.end())
          problem(services.Mark(), missing_dependency(name, other));
  }

  void service(const std::string& name, const YAML::Node& node) {
    if (!node.IsMap()) return problem(node.Mark(), "'" + name + "' must be a map");
    Service& made = services_.emplace_back();
    made.name = name;
    made.config.console[0].name = "null";
    for (const auto& item : node) {
      check_key(item.first, kKeys);
      value(made, item.first.Scalar(), item.second);
    }
    if (made.image.empty() == made.file.empty()) problem(node.Mark(), "'" + name + "' needs either 'image' or 'file'");
  }

  void value(Service& made, const std::string& key, const YAML::Node& node) {
    LaunchConfig& config = made.config;
    if (key == "image") made.image = text(node);
    if (key == "file") made.file = fs::weakly_canonical(path_.parent_path() / text(node)).string();
    if (key == "command") config.args = texts(node);
    if (key == "environment") config.envs = pairs(node);
    if (key == "volumes")
      for (const YAML::Node& item : list(node)) check(item, mount_volume(config, beside_file(text(item))));
    if (key == "sockets")
      for (const std::string& pair : pairs(node)) check(node, add_socket(config, pair));
    if (key == "devices")
      for (const std::string& device : texts(node)) config.drivers.push_back({device, ""});
    if (key == "memory") check(node, set_memory(config, text(node)));
    if (key == "cpus") check(node, set_cpus(config, text(node)));
    if (key == "restart") check(node, set_restart(config, text(node)));
    if (key == "writable") config.writable = text(node);
    if (key == "interactive" && text(node) == "true") config.console[0].name = "pipe";
    if (key == "depends_on") depends_[made.name] = texts(node);
  }

  // "./conf:/etc" means the folder beside the file, wherever the command was typed.
  std::string beside_file(const std::string& volume) const {
    if (!volume.starts_with('.')) return volume;
    const std::size_t colon = volume.find(":/");
    if (colon == std::string::npos) return volume;
    return fs::weakly_canonical(path_.parent_path() / volume.substr(0, colon)).string() + volume.substr(colon);
  }

  std::string text(const YAML::Node& node) {
    if (node.IsScalar()) return node.Scalar();
    problem(node.Mark(), "must be one value");
    return {};
  }
  YAML::Node list(const YAML::Node& node) {
    if (node.IsSequence()) return node;
    problem(node.Mark(), "must be a list");
    return YAML::Node(YAML::NodeType::Sequence);
  }
  std::vector<std::string> texts(const YAML::Node& node) {
    std::vector<std::string> found;
    if (node.IsScalar()) return {node.Scalar()};
    for (const YAML::Node& item : list(node)) found.push_back(text(item));
    return found;
  }
  // A map or a list of NAME=VALUE.
  std::vector<std::string> pairs(const YAML::Node& node) {
    if (!node.IsMap()) return texts(node);
    std::vector<std::string> found;
    for (const auto& item : node) found.push_back(text(item.first) + "=" + text(item.second));
    return found;
  }

  base::Result<std::vector<Service>> in_order() {
    std::vector<Service> ordered;
    while (!services_.empty()) {
      const auto next = std::ranges::find_if(services_, [this, &ordered](const Service& service) {
        return std::ranges::all_of(depends_[service.name], [&ordered](const std::string& name) {
          return std::ranges::find(ordered, name, &Service::name) != ordered.end();
        });
      });
      if (next == services_.end())
        return base::fail(base::Errc::invalid, path_.string() + ": '" + services_.front().name +
                                                   "' depends on itself, through 'depends_on' of others");
      ordered.push_back(std::move(*next));
      services_.erase(next);
    }
    return ordered;
  }

  const fs::path& path_;
  json::Problems problems_;
  std::vector<Service> services_;
  std::map<std::string, std::vector<std::string>> depends_;
};

}  // namespace

base::Result<std::vector<Service>> read_compose(const fs::path& path) {
  FB_TRY(const std::string text, base::read_file(path, kFileBytesMax));
  return Reader(path).read(text);
}

}  // namespace fusebox::cli
