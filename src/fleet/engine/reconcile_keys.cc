// The pass that seals what a former key sealed under the present one (17.1), so that the former may go.
#include "fleet/engine/boot_material.h"
#include "fleet/engine/reconcile.h"

namespace fusebox::fleet {
namespace {

constexpr std::uint32_t kPage = 200;

bool same_seals(const EnvironmentRow& a, const EnvironmentRow& b) {
  return a.boot_sealed == b.boot_sealed && a.auth_token_sealed == b.auth_token_sealed &&
         a.secrets_sealed == b.secrets_sealed;
}

}  // namespace

// Only the seals are written, into the row as it is then: at a start others change rows, too.
base::Task<void> Reconciler::reseal() {
  bool all = true;
  unopened_ = false;
  for (const auto& host : core_.hosts.all()) {
    const HostRow found = host->row;
    if (!is_outdated(core_.parts.vault, found)) continue;
    all = co_await reseal_host(found) && all;
  }
  std::string after;
  for (;;) {
    auto rows = co_await core_.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments({}, after, kPage); });
    all = all && rows;
    if (!rows || rows->empty()) break;
    after = rows->back().vm_id;
    for (const EnvironmentRow& found : *rows) {
      if (!is_outdated(core_.parts.vault, found)) continue;
      all = co_await reseal_environment(found) && all;
    }
  }
  resealed_ = all;  // else again at the next tick
  if (all && !unopened_) core_.log(base::LogLevel::info, "all that is stored is sealed under the present key");
}

base::Task<bool> Reconciler::reseal_host(HostRow found) {
  HostRow sealed = found;
  const auto made = seal_again(core_.parts.vault, sealed);
  if (!made) co_return tell_unsealed("host_id", found.host_id);
  const auto kept = co_await core_.commit("resealed", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(auto row, tx.host(found.host_id));
    if (!row) return {};
    if (row->token_sealed != found.token_sealed || row->tls_json != found.tls_json)
      return base::fail(base::Errc::stale, "it was registered again");
    row->token_sealed = sealed.token_sealed;
    row->tls_json = sealed.tls_json;
    tx.put_host(*row);
    return {};
  });
  if (kept) (void)co_await refresh_host(core_, found.host_id);
  co_return kept.has_value();
}

base::Task<bool> Reconciler::reseal_environment(EnvironmentRow found) {
  if (!found.op_id.empty()) co_return false;  // its operation will write the row as it has it
  EnvironmentRow sealed = found;
  const auto made = seal_again(core_.parts.vault, sealed);
  if (!made) co_return tell_unsealed("vm_id", found.vm_id);
  const auto kept = co_await core_.commit("resealed", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(auto row, tx.environment(found.vm_id));
    if (!row) return {};
    if (!row->op_id.empty() || !same_seals(*row, found)) return base::fail(base::Errc::stale, "it has changed");
    row->boot_sealed = sealed.boot_sealed;
    row->auth_token_sealed = sealed.auth_token_sealed;
    row->secrets_sealed = sealed.secrets_sealed;
    tx.update_environment(*row, row->generation);
    return {};
  });
  co_return kept.has_value();
}

// What no key opens will not be opened by trying again.
bool Reconciler::tell_unsealed(std::string_view field, std::string_view id) {
  unopened_ = true;
  core_.log(base::LogLevel::warn, "no key opens what is stored", {{field, id}});
  return true;
}

}  // namespace fusebox::fleet
