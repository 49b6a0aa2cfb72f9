#include "fleet/api/streams/process_pump.h"

#include <utility>

namespace fusebox::fleet {

namespace {
constexpr std::chrono::seconds kStartSlack{15};  // beyond the command's own time

base::Task<base::Result<host::ProcessEvent>> next_there(ProcessPtr process) {
  co_return co_await process->thing->next();
}
}  // namespace

base::Task<base::Result<ProcessPtr>> open_process(GuestCall call, host::ProcessSpec spec) {
  const RequestInfo info = call.info;
  Opener<host::ProcessStream> open =
      [&info, &spec](GuestLease& guest) -> base::Task<base::Result<std::unique_ptr<host::ProcessStream>>> {
    const std::chrono::nanoseconds limit = spec.timeout + kStartSlack;
    co_return co_await guest.provider().start_process(context_for(guest, info, limit), guest.row().host_vm_name, spec);
  };
  co_return co_await open_in_guest<host::ProcessStream>(std::move(call), std::move(open));
}

base::Task<base::Result<host::ProcessEvent>> next_event(base::Executor& there, base::Executor& home,
                                                        ProcessPtr process) {
  co_return co_await on(there, home, next_there(std::move(process)));
}

void kill_soon(base::Executor& there, ProcessPtr process) {
  there.post([process = std::move(process)] {
    const auto killed = process->thing->signal("KILL");
    (void)killed;  // one that has ended needs no signal
  });
}

}  // namespace fusebox::fleet
