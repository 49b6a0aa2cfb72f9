#include "policy/capability_id.h"

#include <algorithm>

#include "policy/key_tables.h"
#include "policy/limits.h"

namespace fusebox::policy {

bool is_plain_name(std::string_view text) noexcept {
  if (text.empty() || text.front() < 'a' || text.front() > 'z') return false;
  return std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_capability_id(std::string_view text) noexcept {
  if (text.size() > kCapabilityIdBytesMax) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    if (!is_plain_name(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::string_view host_capability(std::string_view name) noexcept {
  for (const keys::HostCapability& host : keys::kHostCapabilities)
    if (name == host.id || (!host.alias.empty() && name == host.alias)) return host.id;
  return {};
}

}  // namespace fusebox::policy
