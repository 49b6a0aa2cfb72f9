// Who we are to a registry, and what it asks for.
//
// Threads  pure functions but for reading a file.
// Errors   `invalid` for a file that is none; `denied` for challenges that cannot be met.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::image::registry {

struct Credentials {
  std::string user;
  std::string password;
  std::string basic() const;  // the value of an Authorization header
};

// From a file of docker or podman ("auths": {"host": {"auth": base64}}); nothing where it does not know the registry.
base::Result<std::optional<Credentials>> read_credentials(const std::filesystem::path& file,
                                                          std::string_view authority);

// One challenge of a WWW-Authenticate header.
struct Challenge {
  std::string scheme;                             // lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower case
};
// The first that can be met: bearer or basic.
std::optional<Challenge> parse_challenge(std::string_view header);

}  // namespace fusebox::image::registry
