// The policy of `fusebox run`: a file, options, or neither; one Policy comes out.
//
// Threads  pure functions but for reading the file.
// Errors   `invalid`, every problem on its own line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"

namespace fusebox::cli {

// As typed. An empty text is an option that was not given.
struct GrantOptions {
  std::string policy_file;
  std::string memory;
  std::string cpu_time;
  std::string wall_time;
  std::optional<std::uint64_t> ticks;
  std::vector<std::string> allow_http;  // short form of an entry: "GET https://host/path*"
  std::vector<std::string> fs_read;     // HOST[:GUEST]
  std::vector<std::string> fs_write;
  std::vector<std::string> env;  // K=V
  std::string audit_file;
  bool log = false;
};

// Limits of file and options combine as the smaller value; grants of the options are added to those of the file.
// An --allow-http rule that names a literal address or `localhost` may reach that address though it is private.
base::Result<policy::Policy> policy_from(const GrantOptions& options);

}  // namespace fusebox::cli
