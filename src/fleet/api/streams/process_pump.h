// A process in a guest, driven from a connection's loop.
//
// Threads  called at `home`; the process itself is touched on the engine's executor alone.
// Contract control-plane.md 5.5
#pragma once

#include <memory>
#include <string>

#include "fleet/api/streams/guest_call.h"
#include "host/api/process.h"

namespace fusebox::fleet {

using ProcessPtr = OpenedPtr<host::ProcessStream>;

base::Task<base::Result<ProcessPtr>> open_process(GuestCall call, host::ProcessSpec spec);
base::Task<base::Result<host::ProcessEvent>> next_event(base::Executor& there, base::Executor& home,
                                                        ProcessPtr process);
// The process ends, and with it whoever waits for its next event. Any thread.
void kill_soon(base::Executor& there, ProcessPtr process);

}  // namespace fusebox::fleet
