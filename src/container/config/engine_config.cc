#include "container/config/engine_config.h"

#include <algorithm>

#include "base/text.h"
#include "container/config/launch_reader.h"
#include "container/config/launch_rules.h"
#include "container/config/limits.h"

namespace fusebox::container {
namespace {

using base::json::Kind;
using vfs::Errno;

constexpr std::uint32_t kProfileOptionsMax = 32;  // bytes of a profile's name in a message

bool boolean(const LaxObject& object, std::string_view key) {
  const base::json::Node* node = object.find(key);  // anything but true is ignored (contract 4)
  return node != nullptr && node->kind() == Kind::boolean && node->boolean();
}

void read_profile(const LaxObject& system, std::string_view given, std::string_view fallback, EngineConfig& config) {
  std::string name(given);
  if (name.empty()) name = system.text("profile", kProfileOptionsMax);
  if (name.empty()) name = fallback;
  const ProfileValues* found = find_profile(name);
  if (found == nullptr) {
    system.error("profile", Errno::inval,
                 "no profile is called " + base::in_quotes(name) +
                     "; there are tiny, constrained, small, big, esp32-nuttx, xiao_esp32s3 and xiao_esp32s3-storage");
    found = find_profile(kProfileDefault);
  }
  config.profile = *found;
}

void read_ceilings(const LaxObject& limits, EngineConfig& config) {
  config.ceilings = read_limits(limits, 0);
  ProfileValues& profile = config.profile;
  const auto take = [&limits](std::string_view key, std::uint32_t& into, std::uint32_t min, std::uint32_t max) {
    if (const auto value = limits.integer(key, min, max)) into = static_cast<std::uint32_t>(*value);
  };
  // These four are values of the profile: what it says of them is replaced, not lowered. That of logs is the size of a
  // ring whose container does not say one, and stays a ceiling for those that do.
  if (config.ceilings.memory_pages) profile.max_pages = *config.ceilings.memory_pages;
  if (config.ceilings.stack_bytes) profile.wasm_stack_bytes = *config.ceilings.stack_bytes;
  if (config.ceilings.log_bytes) profile.log_bytes = *config.ceilings.log_bytes;
  if (config.ceilings.pipes) profile.pipes = *config.ceilings.pipes;
  config.ceilings.memory_pages.reset();
  config.ceilings.stack_bytes.reset();
  config.ceilings.pipes.reset();
  if (limits.find("fds") == nullptr) config.ceilings.fds = kFdsMax;
  take("maxWapps", profile.max_wapps, 1, kWappsMax);
  take("nameBytes", profile.name_bytes, 1, kNameBytesMax);
  take("pipeBytes", profile.pipe_bytes, 1, kPipeBytesMax);
  take("maxLayers", profile.layers_max, 1, kPipesMax);
  if (const auto bytes = limits.integer("maxImageBytes", 1, kBytesMax)) profile.image_bytes_max = *bytes;
}

void read_tls(const LaxObject& tls, EngineConfig& config) {
  if (const auto verify = tls.choice("verify", {"require", "none"})) config.tls_verify = *verify == 0;
  config.tls_ca = tls.text("ca", kOptionBytesMax);
  config.tls_cert = tls.text("cert", kOptionBytesMax);
  config.tls_key = tls.text("key", kOptionBytesMax);
}

void read_clock_quality(const LaxObject& system, EngineConfig& config) {
  const base::json::Node* node = system.find("clockQuality");
  if (node == nullptr) return;
  const std::optional<std::uint64_t> value = node->as_u64();
  if (node->is_string() && node->string() == "auto")
    config.clock_quality.reset();
  else if (value && *value <= 3)
    config.clock_quality = static_cast<std::uint8_t>(*value);
  else
    system.error("clockQuality", Errno::inval, "must be 0, 1, 2, 3 or \"auto\"");
}

void read_image_keys(const LaxObject& system, EngineConfig& config) {
  constexpr std::size_t kKeyDigits = 64;
  config.image_keys = system.texts("imageKeys", kSectionEntriesMax, kKeyDigits);
  if (!config.image_keys) return;
  // No key would be no check to who reads the list, and no image to who wrote it.
  if (config.image_keys->empty())
    system.error("imageKeys", Errno::inval, "holds no key; name one, or leave it out to take unsigned images");
  for (std::size_t i = 0; i < config.image_keys->size(); ++i) {
    const std::string& key = (*config.image_keys)[i];
    const bool hex = std::ranges::all_of(
        key, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
    if (key.size() != kKeyDigits || !hex)
      system.error("imageKeys[" + std::to_string(i) + "]", Errno::inval, "must be 64 hexadecimal digits");
  }
}

// Contract 4: what a supervisor gets that is configured with nothing.
LaunchConfig default_supervisor() {
  LaunchConfig config;
  for (DeviceConfig& slot : config.console) slot.name = "platform";
  config.drivers.push_back({"wanted", "", false});
  config.mounts.push_back({"platform", "/var/lib/sheriff", ""});
  config.sockets.push_back({"s", "tcp://localhost:8888", false});
  return config;
}

void read_supervisor(const LaxObject& root, EngineConfig& config) {
  // Neither must be an object: what else stands there counts as absent.
  const base::json::Node* node = root.find("supervisor");
  config.supervisor = default_supervisor();
  if (node == nullptr || !node->is_object()) return;
  const LaxObject supervisor = root.object("supervisor");
  config.image_path = supervisor.text("imagePath", kOptionBytesMax);
  const base::json::Node* params = supervisor.find("params");
  if (params == nullptr || !params->is_object()) return;
  config.supervisor = read_launch_config(supervisor.object("params"), config.profile);
  config.supervisor.image.clear();
}

}  // namespace

ParsedEngineConfig parse_engine_config(std::string_view json, std::string_view profile, std::string_view fallback) {
  ParsedEngineConfig parsed;
  EngineConfig& config = parsed.config;
  const std::optional<base::json::Document> document = parse_lax(json, kEngineConfigBytesMax, parsed.errors);
  if (!document) return parsed;
  if (!document->root->is_object()) {
    parsed.errors.push_back(
        {Errno::inval, "", "must be an object, not " + std::string(base::json::to_string(document->root->kind()))});
    return parsed;
  }
  const LaxObject root(document->root.get(), "", parsed.errors);
  if (root.find("system") == nullptr) {
    root.error("system", Errno::inval, "is missing; the least valid configuration is {\"system\":{}}");
    return parsed;
  }
  const LaxObject system = root.object("system");
  read_profile(system, profile, fallback, config);
  read_ceilings(system.object("limits"), config);
  config.privileged = boolean(system, "privileged");
  read_tls(system.object("tls"), config);
  read_clock_quality(system, config);
  read_image_keys(system, config);
  config.policy_path = system.text("policy", kOptionBytesMax);
  const LaxObject compat = system.object("compat");
  config.prestat_nul = boolean(compat, "prestatNul");
  if (const auto order = compat.choice("resolve", {"newest", "first"})) config.resolve_first = *order == 1;
  read_supervisor(root, config);
  return parsed;
}

ConfigErrors supervisor_errors(const EngineConfig& config) {
  return launch_errors(config.supervisor, "supervisor.params");
}

std::string_view default_engine_config() noexcept {
  return R"({"system":{"privileged":true},"supervisor":{"imagePath":"./wasm/supervisor/sheriff/supervisor.tar",)"
         R"("params":{"console":{"in":{"name":"platform"},"out":{"name":"platform"},"err":{"name":"platform"}},)"
         R"("drivers":[{"name":"wanted"}]}}})";
}

}  // namespace fusebox::container
