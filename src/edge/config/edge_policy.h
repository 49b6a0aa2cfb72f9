// The policy of one edge module, as every file that can hold one gives it: the 32 bytes, and what goes beyond them.
//
// Threads  plain values, pure functions.
// Units    those of fuse_types.h.
// Contract edge.md section 6
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "edge/config/limits.h"
#include "fuse_types.h"

namespace fusebox::edge::config {

struct EdgePolicy {
  fuse_policy_t policy{};
  // The module's hash (FUSE_EXT_SHA256) and what happens after a fault are in here too.
  fuse_policy_ext_t ext = no_extension();
  bool extended = false;  // the file has a `fusebox` object: the 32 bytes alone say less than it
  // In the order written, repeated ones included; of a mask, lowest bit first. For people: the masks above decide.
  std::vector<std::string> capability_names;
  std::vector<std::string> activation_names;

  static fuse_policy_ext_t no_extension() noexcept;
};

bool same_policy(const fuse_policy_t& a, const fuse_policy_t& b) noexcept;

using PolicyBin = std::array<std::byte, kPolicyBinBytes>;
PolicyBin policy_to_bin(const fuse_policy_t& policy) noexcept;
// Nothing unless there are 32 bytes. No value is checked.
std::optional<fuse_policy_t> policy_from_bin(std::span<const std::byte> bytes) noexcept;

// What the strict readers would refuse in a policy that came as bytes: one sentence each, "" = nothing.
std::vector<std::string> unknown_parts(const fuse_policy_t& policy);

// An object of contract 6.3, indented, with a line end; bits without a name make their key a mask.
std::string policy_json(const fuse_policy_t& policy);

}  // namespace fusebox::edge::config
