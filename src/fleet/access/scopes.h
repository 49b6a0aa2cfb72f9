// What a credential may do, as data.
//
// Threads  immutable; any thread.
// Contract control-plane.md 2.3
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fusebox::fleet {

enum class Scope : std::uint8_t {
  env_read,
  env_write,
  env_exec,
  computer,
  snapshot_read,
  snapshot_write,
  host_read,
  host_write,
  host_agent,
  key_admin,
  audit_read,
  metrics_read,
};
inline constexpr std::size_t kScopes = 12;
std::string_view to_string(Scope scope) noexcept;  // "env:read"

class Scopes {
 public:
  static Scopes all() noexcept;       // `*`: MASTER, open mode
  static Scopes defaults() noexcept;  // of a key that was made without a list
  // invalid: `unknown scope "x"`. `*` stands for all.
  static base::Result<Scopes> parse(std::span<const std::string> texts);

  bool has(Scope scope) const noexcept { return (bits_ >> static_cast<unsigned>(scope) & 1u) != 0; }
  // A key can only mint keys that may do no more than itself.
  bool includes(Scopes other) const noexcept { return (other.bits_ & ~bits_) == 0; }
  // In the order of the enum; `*` alone for all.
  std::vector<std::string> texts() const;
  bool operator==(const Scopes&) const = default;

 private:
  std::uint16_t bits_ = 0;
};

// The operations of the API and the scope each needs. `master_text` is what a refusal says when only MASTER was meant
// ("" = the scope alone).
enum class Action : std::uint8_t {
  read_environments,
  stream_events,
  create,
  drain,
  destroy,
  rotate_token,
  fork,
  migrate,
  put_secrets,
  exec,
  attach,
  exec_stream,
  files,
  logs,
  computer,
  read_snapshots,
  create_snapshot,
  restore_snapshot,
  delete_snapshot,
  fork_snapshot,
  read_hosts,
  register_host,
  change_host,
  remove_host,
  heartbeat,
  api_keys,
  audit,
  metrics,
};
struct ActionRule {
  Action action;
  Scope scope;
  std::string_view master_text;
};
const ActionRule& rule_of(Action action) noexcept;
// 403's sentence: `exec requires the master token, or a key with scope env:exec`.
std::string refusal_text(Action action);

}  // namespace fusebox::fleet
