#include "fleet/engine/rearm.h"

#include "fleet/engine/guest_setup.h"

namespace fusebox::fleet {

using std::chrono::seconds;

base::Task<base::Result<void>> rearm(Core& core, EnvironmentRow row, std::string cause) {
  if (!guest_kind(row.backend).profile_files) co_return base::Result<void>{};
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, row));
  FB_CO_TRY(const Place place, core.place_of(row));
  GuestSetup setup{core, row, nullptr, material, place};
  auto mounted = co_await setup.mount_tmpfs();
  if (!mounted) co_return mounted;
  auto uploaded = co_await setup.upload(false);
  if (!uploaded) co_return uploaded;
  if (guest_kind(row.backend).agent) {
    host::ProcessSpec reset;
    reset.argv = {"systemctl", "reset-failed", "fused"};
    (void)co_await place.provider->exec(core.context(row, nullptr, seconds{75}), row.host_vm_name, std::move(reset));
    if (material.request.rerun_script_on_reboot) {
      auto scripted = co_await setup.run_script();
      if (!scripted) co_return scripted;
    }
    auto started = co_await setup.start_agent(!place.has("boot-id"));
    if (!started) co_return std::unexpected(std::move(started.error()));
  }
  const base::Nanos at = core.wall();
  co_return co_await core.commit("rearmed", [&](Tx& tx) -> base::Result<void> {
    tx.add_event(vm_event(row, "vm.rearmed", at, reason_json(cause)));
    return {};
  });
}

}  // namespace fusebox::fleet
