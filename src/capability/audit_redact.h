// What an audit record may not show: credentials and what policy names (contract capability.md section 13, Redaction).
//
// Threads  immutable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fusebox::capability {

inline constexpr std::string_view kRedacted = "[redacted]";

class Redactor {
 public:
  // `names` are added to authorization, proxy-authorization, cookie and set-cookie; case does not matter.
  explicit Redactor(const std::vector<std::string>& names);
  bool hides(std::string_view name) const noexcept;
  // The value, or kRedacted.
  std::string_view value(std::string_view name, std::string_view value) const noexcept;

 private:
  std::vector<std::string> names_;  // lower case
};

// The URL with its query string, user info and fragment replaced: "https://h/p?[redacted]".
std::string redact_url(std::string_view url);

}  // namespace fusebox::capability
