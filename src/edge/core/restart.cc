// Automatic restart after a fault (contract 6.5, 10.4).
#include "edge/core/core.h"

namespace fusebox::edge {

void Core::plan_restart(Slot& slot) {
  if (slot.restart == FUSE_RESTART_NEVER) return;
  if (slot.restart == FUSE_RESTART_LIMITED && slot.restarts >= slot.restart_max) return;
  const std::uint32_t id = id_of(slot);
  slot.wait_until = port_->now_ns() + std::uint64_t{slot.restart_backoff_us} * 1000;
  if (!restarting_.has(id)) ++restarts_waiting_;
  restarting_.add(id);
}

void Core::cancel_restart(Slot& slot) {
  const std::uint32_t id = id_of(slot);
  if (!restarting_.has(id)) return;
  restarting_.drop(id);
  --restarts_waiting_;
}

void Core::run_restarts() {
  const std::uint64_t now_ns = port_->now_ns();
  for (std::uint32_t w = 0; w < words_; ++w) {
    each_slot(restarting_.word(w), w, [&](std::uint32_t id) {
      Slot& slot = slots_[id];
      if (now_ns < slot.wait_until) return;
      cancel_restart(slot);
      ++slot.restarts;
      // A reset that fails leaves the module as it was, for the host to look at; an init that fails again is a new fault.
      if (reset(slot) == FUSE_SUCCESS) start(slot);
    });
  }
}

}  // namespace fusebox::edge
