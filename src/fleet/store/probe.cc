#include "fleet/store/probe.h"

#include "fleet/store/failure_class.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {

base::Task<base::Result<void>> probe_write(Committer& committer, base::Executor& executor) {
  PendingWrite write;
  write.work = [](Tx& tx) { return static_cast<SqlTx&>(tx).prove_writable(); };
  const base::Completion<base::Result<void>> done = write.done;
  if (!committer.submit(std::move(write)))
    co_return base::fail(base::Errc::exhausted, "too many writes wait for the store");
  const auto timer = executor.post_at(executor.clock().monotonic() + kProbeMax,
                                      [done] { done.set(base::fail(base::Errc::unavailable, "no answer in time")); });
  base::Result<void> outcome = co_await done.wait(executor);
  executor.cancel(timer);
  co_return outcome;
}

StoreStatus status_of(const base::Result<void>& probed) {
  StoreStatus status;
  status.healthy = probed.has_value();
  if (probed) return status;
  status.failure = failure_class(probed.error());
  if (status.failure.empty()) status.failure = "error";
  return status;
}

}  // namespace fusebox::fleet
