// Reading a policy document: contract capability.md section 8, plus the keys docs/policy.md marks as Fusebox's own.
//
// Threads  pure functions; load() reads one file.
// Errors   `invalid`, named POLICY_INVALID (contract 14.1), with every problem of the document, one a line, each as
//          "file:line:column: sentence". `not_found`, `exhausted`, `io` when the file cannot be read.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "policy/policy.h"

namespace fusebox::policy {

// base_dir of the result is the folder of the file; folders named by roots are not looked at (check.h does).
base::Result<Policy> load(const std::filesystem::path& file);

// `file` is for messages only; relative host paths start at `base_dir`. Nothing when `problems` got any.
// hash_hex of the result is the SHA-256 of the document's canonical form (contract 8.1).
std::optional<Policy> parse(std::string_view text, std::string file, std::string base_dir,
                            base::json::Problems& problems);

// One entry of the short form, "GET,POST https://host[:port]/path[*]" (contract 8.4); also for command line options.
base::Result<HttpRule> parse_http_entry(std::string_view text);

// Where a root's or the audit file's host path lies: as written when absolute, else below base_dir.
std::filesystem::path resolve(const Policy& policy, std::string_view host_path);

}  // namespace fusebox::policy
