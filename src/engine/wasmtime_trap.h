// How a call ended, from what Wasmtime reports and what the host recorded. Internal to src/engine/wasmtime_*.
#pragma once

#include "engine/wasmtime_instance.h"

namespace fusebox::engine {

struct GuestEnd {
  ErrorPtr error;  // a host function's, or Wasmtime's own
  TrapPtr trap;    // the guest's
};

struct Ended {
  Outcome outcome;
  std::int64_t refund_ticks = 0;  // taken off for work the trap prevented
};

// `slot` is the call's; `pending` what a host function asked for, if one did.
Ended read_end(const Code::Impl& code, const CallSlot& slot, const GuestEnd& end, std::optional<Outcome> pending);

}  // namespace fusebox::engine
