#include "edge/config/edge_policy.h"

#include <string_view>

#include "edge/config/keys.h"
#include "edge/config/names.h"

namespace fusebox::edge::config {
namespace {

// In the order of the file.
constexpr std::uint32_t fuse_policy_t::* kFields[] = {
    &fuse_policy_t::capabilities,    &fuse_policy_t::memory_pages_max, &fuse_policy_t::stack_size,
    &fuse_policy_t::heap_size,       &fuse_policy_t::cpu_quota_us,     &fuse_policy_t::step_interval_us,
    &fuse_policy_t::activation_mask, &fuse_policy_t::event_subscribe,
};
static_assert(std::size(kFields) * 4 == kPolicyBinBytes);

// `["A", "B"]`.
std::string list_json(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) out.append(out.size() == 1 ? "\"" : ", \"").append(name).append("\"");
  return out + "]";
}

std::string indices_json(std::uint32_t mask) {
  std::string out = "[";
  for (std::uint32_t bit = 0; bit < FUSE_MAX_EVENT_ID; ++bit)
    if (((mask >> bit) & 1) != 0) out.append(out.size() == 1 ? "" : ", ").append(std::to_string(bit));
  return out + "]";
}

void add_line(std::string& out, std::string_view key, const std::string& value) {
  out.append(out.size() == 1 ? "\n" : ",\n").append("  \"").append(key).append("\": ").append(value);
}

}  // namespace

fuse_policy_ext_t EdgePolicy::no_extension() noexcept {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  return ext;
}

bool same_policy(const fuse_policy_t& a, const fuse_policy_t& b) noexcept {
  for (const auto field : kFields)
    if (a.*field != b.*field) return false;
  return true;
}

PolicyBin policy_to_bin(const fuse_policy_t& policy) noexcept {
  PolicyBin bytes{};
  std::size_t at = 0;
  for (const auto field : kFields)
    for (int shift = 0; shift < 32; shift += 8) bytes[at++] = static_cast<std::byte>(policy.*field >> shift);
  return bytes;
}

std::optional<fuse_policy_t> policy_from_bin(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() != kPolicyBinBytes) return std::nullopt;
  fuse_policy_t policy{};
  std::size_t at = 0;
  for (const auto field : kFields)
    for (int shift = 0; shift < 32; shift += 8) policy.*field |= static_cast<std::uint32_t>(bytes[at++]) << shift;
  return policy;
}

std::vector<std::string> unknown_parts(const fuse_policy_t& policy) {
  std::vector<std::string> found;
  if (const std::uint32_t bits = policy.capabilities & ~known_capabilities(); bits != 0)
    found.push_back("capability bits " + hex(bits) + " are unknown to this build and grant nothing");
  if (const std::uint32_t bits = policy.activation_mask & ~kActivationMask; bits != 0)
    found.push_back("activation bits " + hex(bits) + " are unknown and ignored");
  if (policy.memory_pages_max > kPagesMax)
    found.push_back("memory_pages_max is " + std::to_string(policy.memory_pages_max) + " and counts as " +
                    std::to_string(kPagesMax));
  return found;
}

std::string policy_json(const fuse_policy_t& policy) {
  const bool named = (policy.capabilities & ~known_capabilities()) == 0;
  const bool timed = (policy.activation_mask & ~kActivationMask) == 0;
  std::string out = "{";
  add_line(out, "capabilities",
           named ? list_json(capability_names(policy.capabilities)) : std::to_string(policy.capabilities));
  for (const auto& key : keys::kPolicyNumbers) add_line(out, key.name, std::to_string(policy.*key.field));
  add_line(out, "activation",
           timed ? list_json(activation_names(policy.activation_mask)) : std::to_string(policy.activation_mask));
  add_line(out, "event_subscribe", indices_json(policy.event_subscribe));
  return out + "\n}\n";
}

}  // namespace fusebox::edge::config
