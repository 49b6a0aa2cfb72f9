// Which server a verb talks to, and with which token.
//
// A token goes only to the server it was given for: one of a context is not sent to an address from --server or
// FUSE_BASE_URL, unless it is that context's address.
//
// Threads  pure functions.
// Errors   `invalid`: an unknown context, an address that is no http or https URL.
// Contract control-plane.md 20 (FUSE_BASE_URL, FUSE_TOKEN), 21
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/fleet/config_file.h"

namespace fusebox::cli::fleet {

inline constexpr const char* kDefaultServer = "http://127.0.0.1:8080";

struct ConnectionOptions {
  std::string server{}, token{}, context{};  // as typed; "" = not given
  std::string config{};                      // the file; "" = default_config_path()
  std::string ca{};                          // PEM file of authorities
  std::string env_server{}, env_token{};     // FUSE_BASE_URL, FUSE_TOKEN
};

struct Connection {
  std::string base_url;  // no slash at its end
  std::string token;
  std::string context;  // the name of the one in use, "" = none
};

std::filesystem::path config_path(const ConnectionOptions& options);
base::Result<Connection> choose_connection(const ConnectionOptions& options, const Config& config);
// "https://host/prefix" without a slash at its end.
base::Result<std::string> clean_base_url(std::string_view url);

}  // namespace fusebox::cli::fleet
