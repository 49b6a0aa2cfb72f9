// Names of capabilities: contract capability.md section 1.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fusebox::policy {

// [a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*, at most 128 bytes.
bool is_capability_id(std::string_view text) noexcept;

// The id of the host capability that `name` is the id or the alias of; "" for any other name.
std::string_view host_capability(std::string_view name) noexcept;

// Lower-case letters, digits and '_', beginning with a letter: HAL groups and the parts of ids.
bool is_plain_name(std::string_view text) noexcept;

}  // namespace fusebox::policy
