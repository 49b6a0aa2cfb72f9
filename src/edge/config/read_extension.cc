#include <algorithm>
#include <limits>

#include "base/crypto.h"
#include "edge/config/read_policy.h"
#include "edge/config/values.h"

namespace fusebox::edge::config {
namespace {

using base::json::Node;
using base::json::ObjectReader;

void read_priority(const Source& source, const Node& node, fuse_policy_ext_t& out) {
  using Range = std::numeric_limits<std::int32_t>;
  const auto value = node.as_i64();
  if (value && *value >= Range::min() && *value <= Range::max())
    out.priority = static_cast<std::int32_t>(*value);
  else
    source.error(node, "priority must be an integer of -2147483648 to 2147483647, not " + given(node));
}

void read_hash(const Source& source, const Node& node, fuse_policy_ext_t& out) {
  const auto hash = node.is_string() ? base::sha256_from_hex(node.string()) : base::fail(base::Errc::invalid, "");
  if (!hash) {
    source.error(node, "sha256 must be 64 hexadecimal digits");
    return;
  }
  const base::ByteView bytes = hash->view();
  std::ranges::transform(bytes, out.sha256, [](std::byte byte) { return static_cast<std::uint8_t>(byte); });
  out.flags |= FUSE_EXT_SHA256;
}

void read_on_fault(const Source& source, const Node& node, fuse_policy_ext_t& out) {
  ObjectReader reader = source.object(node, "on_fault");
  if (!node.is_object()) return;
  if (reader.required("restart") != nullptr)
    out.restart = static_cast<std::uint32_t>(reader.choice("restart", FUSE_RESTART_NEVER, keys::kRestartNames));
  for (const auto& key : keys::kOnFaultNumbers) read_number(source, reader, key, Presence::optional, out);
  if (out.restart == FUSE_RESTART_LIMITED && !reader.has("max"))
    reader.problem_here("key \"max\" is missing in on_fault; with \"limited\" it says how many restarts there are");
  reader.finish();
}

}  // namespace

void read_extension(const Source& source, const Node& node, fuse_policy_ext_t& out) {
  ObjectReader reader = source.object(node, "fusebox");
  if (!node.is_object()) return;
  if (const Node* ticks = reader.optional("tick_budget"))
    out.tick_budget = read_integer(source, *ticks, "tick_budget", 0, kTickBudgetMax).value_or(0);
  if (const Node* priority = reader.optional("priority")) read_priority(source, *priority, out);
  for (const auto& key : keys::kExtensionNumbers) read_number(source, reader, key, Presence::optional, out);
  if (reader.boolean("drift_free", false)) out.flags |= FUSE_EXT_DRIFT_FREE;
  if (const Node* fault = reader.optional("on_fault")) read_on_fault(source, *fault, out);
  if (const Node* hash = reader.optional("sha256")) read_hash(source, *hash, out);
  reader.finish();
}

}  // namespace fusebox::edge::config
