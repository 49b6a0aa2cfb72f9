// The file `fusebox engine` and `wanted-cli` are started with: what the engine may do at most, and its supervisor.
//
// Threads  plain values, pure functions.
// Contract containers.md section 4
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container/config/lax_reader.h"

namespace fusebox::container {

struct EngineConfig {
  ProfileValues profile;  // with system.limits applied
  LimitsConfig ceilings;  // the rest of system.limits: what every launch configuration is lowered to
  bool privileged = false;
  std::string image_path;  // "" = the built-in list
  LaunchConfig supervisor;
  bool tls_verify = true;
  std::string tls_ca, tls_cert, tls_key;
  std::optional<std::uint8_t> clock_quality = 3;       // nothing = "auto"
  std::optional<std::vector<std::string>> image_keys;  // 64 hexadecimal digits each
  std::string policy_path;
  bool prestat_nul = false;
  bool resolve_first = false;
};

struct ParsedEngineConfig {
  EngineConfig config;
  ConfigErrors errors;  // empty = valid
};
// `profile`: of the option or the environment, "" = system.profile, or else `fallback`.
ParsedEngineConfig parse_engine_config(std::string_view json, std::string_view profile = {},
                                       std::string_view fallback = kProfileDefault);
// What is wrong with the supervisor's configuration at launch, for --check.
ConfigErrors supervisor_errors(const EngineConfig& config);

// Contract 2.1: the configuration of an engine that is given none.
std::string_view default_engine_config() noexcept;

}  // namespace fusebox::container
