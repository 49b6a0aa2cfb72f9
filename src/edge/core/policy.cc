#include "edge/core/policy.h"

#include "edge/core/core.h"

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kActivations = FUSE_ACTIVATION_INTERVAL | FUSE_ACTIVATION_EVENT | FUSE_ACTIVATION_MANUAL;
constexpr std::uint32_t kPolicyBytes = 32;

std::uint32_t word_at(const std::uint8_t* bytes) {
  return bytes[0] | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24;
}

}  // namespace

PolicyBits drop_unknown(fuse_policy_t& policy) {
  PolicyBits out;
  out.capabilities = policy.capabilities & ~known_capabilities();
  out.activation = policy.activation_mask & ~kActivations;
  out.any = out.capabilities != 0 || out.activation != 0 || policy.memory_pages_max > kPagesMax;
  policy.capabilities &= known_capabilities();
  if ((policy.activation_mask & kActivations) != 0) policy.activation_mask &= kActivations;
  if (policy.memory_pages_max > kPagesMax) policy.memory_pages_max = kPagesMax;
  return out;
}

fuse_stat_t policy_from_bin(const std::uint8_t* bytes, std::uint32_t size, fuse_policy_t* out) {
  if (bytes == nullptr || out == nullptr || size != kPolicyBytes) return FUSE_ERR_INVALID_ARG;
  *out = {word_at(bytes),      word_at(bytes + 4),  word_at(bytes + 8),  word_at(bytes + 12),
          word_at(bytes + 16), word_at(bytes + 20), word_at(bytes + 24), word_at(bytes + 28)};
  return FUSE_SUCCESS;
}

fuse_stat_t policy_validate(const fuse_policy_t& policy, char* error, std::size_t error_size) {
  fuse_policy_t rest = policy;
  const PolicyBits unknown = drop_unknown(rest);
  Text problem;
  if (unknown.capabilities != 0) {
    problem.add("capabilities: bits 0x").add_hex(unknown.capabilities).add(" are not known to this build");
  } else if (unknown.activation != 0) {
    problem.add("activation_mask: bits 0x").add_hex(unknown.activation).add(" are unknown; the mask is at most 7");
  } else if (unknown.any) {
    problem.add("memory_pages_max is ").add(policy.memory_pages_max).add("; the limit is 65536 (4 GiB)");
  }
  copy_text(problem.c_str(), error, error_size);
  return unknown.any ? FUSE_ERR_INVALID_ARG : FUSE_SUCCESS;
}

}  // namespace fusebox::edge
