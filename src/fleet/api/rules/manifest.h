// What runs in an environment beside its image: services and variables, some of whose values are secrets.
//
// Threads  plain values, pure functions.
// Errors   parse: `invalid`, the text names the field.
// Contract control-plane.md 9.3
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fusebox::fleet {

inline constexpr std::string_view kDefaultManifest =
    R"({"version":"1","machine":{"workspace":"/workspace"},"services":{}})";

struct ManifestValue {
  std::string value;
  std::string secret;  // the name of one; then `value` is empty
};
using ManifestEnv = std::map<std::string, ManifestValue>;

struct ManifestHealthcheck {
  std::vector<std::string> test;
  std::string interval, timeout;
  std::int64_t retries = 0;
};
struct ManifestService {
  std::string image;
  std::vector<std::int64_t> ports;
  ManifestEnv env;
  std::vector<std::string> command;
  std::string restart;
  std::optional<ManifestHealthcheck> healthcheck;
  std::vector<std::string> depends_on;
};
struct Manifest {
  std::string version, workspace;
  ManifestEnv env;  // of the machine
  std::map<std::string, ManifestService> services;

  std::set<std::string> secret_names() const;
};

base::Result<Manifest> parse_manifest(std::string_view json);

}  // namespace fusebox::fleet
