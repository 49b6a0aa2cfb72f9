#include "fleet/engine/abandon.h"

#include "fleet/engine/guest_setup.h"
#include "fleet/engine/intent.h"
#include "fleet/engine/removal.h"

namespace fusebox::fleet {
namespace {

constexpr base::Nanos kDestroyLimit{std::chrono::seconds{10}};
constexpr base::Nanos kGoneLimit{std::chrono::seconds{10}};  // how long the answer waits for what is to be gone (5.2)

}  // namespace

std::unexpected<base::Error> destroyed_meanwhile(const Boot& boot) {
  return refuse(409, "vm " + boot.row.vm_id + " was destroyed while it was being created",
                {{"vm_id", boot.row.vm_id}, {"op_id", boot.op.op_id}});
}

base::Task<base::Result<Outcome>> abandon(Core& core, Boot& boot, base::Error error) {
  error.message = redacted(boot.material, error.message);
  const std::string text = error.message;
  OperationRow op = boot.op;
  const base::Result<Outcome> outcome = std::unexpected(std::move(error));
  finish_operation(op, outcome, core.wall());
  RequestInfo info;  // of whoever asked for what has failed
  info.request_id = op.request_id;
  auto removal = co_await begin_removal(core, boot.row, RemovalReason("boot_error", text, TaskStatus::failed, "failed"),
                                        info, [&](Tx& tx) -> base::Result<void> {
                                          tx.update_operation(op);
                                          return {};
                                        });
  const bool gone_by_others =
      !removal && (removal.error().code == base::Errc::stale || removal.error().code == base::Errc::not_found);
  if (gone_by_others) co_return destroyed_meanwhile(boot);
  if (!removal) co_return outcome;
  base::Completion<bool> gone;
  const auto remove = [](Core& on, Removal what, base::Completion<bool> tell) -> base::Task<void> {
    const auto removed = co_await run_removal(on, std::move(what));
    tell.set(removed.has_value());
  };
  core.jobs.spawn(remove(core, std::move(*removal), gone));
  const auto timer = core.parts.executor.post_at(core.now() + kGoneLimit, [gone] { gone.set(false); });
  co_await gone.wait(core.parts.executor);
  core.parts.executor.cancel(timer);
  co_return outcome;
}

base::Task<base::Result<Outcome>> abandon_unrecorded(Core& core, Boot& boot, base::Error error) {
  auto recorded = co_await record_intent(core, boot);
  if (recorded) {
    boot.recorded = true;
    co_return co_await abandon(core, boot, std::move(error));
  }
  if (auto place = core.place_of(boot.row)) {
    const auto gone =
        co_await place->provider->destroy(core.context(boot.row, &boot.op, kDestroyLimit), boot.row.host_vm_name);
    if (!gone && gone.error().code != base::Errc::not_found)
      core.log(base::LogLevel::warn, "what was made could not be destroyed", {{"vm_id", boot.row.vm_id}});
  }
  if (recorded.error().code == base::Errc::exists) co_return already_assigned(boot.row.task_id, boot.row.vm_id);
  co_return std::unexpected(std::move(recorded.error()));
}

}  // namespace fusebox::fleet
