#include "fleet/access/scopes.h"

#include <array>

#include "base/text.h"

namespace fusebox::fleet {
namespace {

struct ScopeRow {
  Scope scope;
  std::string_view text;
  bool by_default;
};
constexpr std::array<ScopeRow, kScopes> kScopeTable = {{
    {Scope::env_read, "env:read", true},
    {Scope::env_write, "env:write", true},
    {Scope::env_exec, "env:exec", false},
    {Scope::computer, "computer", true},
    {Scope::snapshot_read, "snapshot:read", true},
    {Scope::snapshot_write, "snapshot:write", true},
    {Scope::host_read, "host:read", true},
    {Scope::host_write, "host:write", false},
    {Scope::host_agent, "host:agent", false},
    {Scope::key_admin, "key:admin", false},
    {Scope::audit_read, "audit:read", false},
    {Scope::metrics_read, "metrics:read", false},
}};
constexpr std::uint16_t kAllBits = (1u << kScopes) - 1;

constexpr ActionRule kActions[] = {
    {Action::read_environments, Scope::env_read, ""},
    {Action::stream_events, Scope::env_read, ""},
    {Action::create, Scope::env_write, ""},
    {Action::drain, Scope::env_write, ""},
    {Action::destroy, Scope::env_write, ""},
    {Action::rotate_token, Scope::env_write, ""},
    {Action::fork, Scope::env_write, ""},
    {Action::migrate, Scope::env_write, ""},
    {Action::put_secrets, Scope::env_write, ""},
    {Action::exec, Scope::env_exec, "exec requires the master token"},
    {Action::attach, Scope::env_exec, "attach requires the master token"},
    {Action::exec_stream, Scope::env_exec, "exec requires the master token"},
    {Action::files, Scope::env_exec, "files require the master token"},
    {Action::logs, Scope::env_exec, "logs require the master token"},
    {Action::computer, Scope::computer, ""},
    {Action::read_snapshots, Scope::snapshot_read, ""},
    {Action::create_snapshot, Scope::snapshot_write, ""},
    {Action::restore_snapshot, Scope::snapshot_write, ""},
    {Action::delete_snapshot, Scope::snapshot_write, ""},
    {Action::fork_snapshot, Scope::snapshot_write, ""},
    {Action::read_hosts, Scope::host_read, ""},
    {Action::register_host, Scope::host_write, "host registration requires the master token"},
    {Action::change_host, Scope::host_write, "host mutations require the master token"},
    {Action::remove_host, Scope::host_write, "host removal requires the master token"},
    {Action::heartbeat, Scope::host_agent, "host heartbeat requires the master token"},
    {Action::api_keys, Scope::key_admin, "API key management requires the master token"},
    {Action::audit, Scope::audit_read, "audit requires the master token"},
    {Action::metrics, Scope::metrics_read, "metrics require the master token"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kScopes; ++i) {
    if (static_cast<std::size_t>(kScopeTable[i].scope) != i) return false;
  }
  for (std::size_t i = 0; i < std::size(kActions); ++i) {
    if (static_cast<std::size_t>(kActions[i].action) != i) return false;
  }
  return std::size(kActions) == static_cast<std::size_t>(Action::metrics) + 1;
}
static_assert(in_order(), "both tables are looked up by position");

}  // namespace

std::string_view to_string(Scope scope) noexcept {
  return kScopeTable[static_cast<std::size_t>(scope)].text;
}

Scopes Scopes::all() noexcept {
  Scopes scopes;
  scopes.bits_ = kAllBits;
  return scopes;
}

Scopes Scopes::defaults() noexcept {
  Scopes scopes;
  for (const ScopeRow& row : kScopeTable) {
    if (row.by_default) scopes.bits_ |= static_cast<std::uint16_t>(1u << static_cast<unsigned>(row.scope));
  }
  return scopes;
}

base::Result<Scopes> Scopes::parse(std::span<const std::string> texts) {
  Scopes scopes;
  for (const std::string& text : texts) {
    std::uint16_t bits = text == "*" ? kAllBits : 0;
    for (const ScopeRow& row : kScopeTable) {
      if (row.text == text) bits = static_cast<std::uint16_t>(1u << static_cast<unsigned>(row.scope));
    }
    if (bits == 0) return base::fail(base::Errc::invalid, "scopes: unknown scope " + base::in_quotes(text));
    scopes.bits_ |= bits;
  }
  return scopes;
}

std::vector<std::string> Scopes::texts() const {
  if (bits_ == kAllBits) return {"*"};
  std::vector<std::string> texts;
  for (const ScopeRow& row : kScopeTable) {
    if (has(row.scope)) texts.emplace_back(row.text);
  }
  return texts;
}

const ActionRule& rule_of(Action action) noexcept {
  return kActions[static_cast<std::size_t>(action)];
}

std::string refusal_text(Action action) {
  const ActionRule& rule = rule_of(action);
  const std::string scope(to_string(rule.scope));
  if (rule.master_text.empty()) return "this call requires a key with scope " + scope;
  return std::string(rule.master_text) + ", or a key with scope " + scope;
}

}  // namespace fusebox::fleet
