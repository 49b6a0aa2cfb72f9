// A policy document looked at as a reviewer would: its errors, and what is allowed but probably not meant.
//
// Threads  reads the document and asks the file system about the folders it names.
// Errors   `not_found`, `exhausted`, `io` when the document itself cannot be read; all else is a finding.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"

namespace fusebox::policy {

enum class Severity : std::uint8_t { error, warning };
std::string_view to_string(Severity severity) noexcept;  // "error", "warning"

struct Finding {
  Severity severity = Severity::error;
  std::string file;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::string pointer;  // RFC 6901
  std::string message;
  std::string text() const;  // "policy.json:7:18: warning: message"
};

struct CheckReport {
  std::vector<Finding> findings;  // errors first, each group in document order
  std::optional<Policy> policy;   // set when there is no error
  bool ok() const noexcept { return policy.has_value(); }
  std::string text() const;  // one finding a line, "" when there is none
  std::string json() const;  // {"ok":..,"hash":..,"findings":[..]}
};

base::Result<CheckReport> check(const std::filesystem::path& file);
// The same for text at hand.
CheckReport check_text(std::string_view text, std::string file, std::string base_dir);

// What a policy allows but probably does not mean, whatever made it: {pointer, sentence}.
struct Doubt {
  std::string pointer;
  std::string message;
};
std::vector<Doubt> doubts(const Policy& policy);
// Folders a root or the audit file needs that are not there. A configuration error (contract 8.5).
std::vector<Doubt> missing_folders(const Policy& policy);

}  // namespace fusebox::policy
