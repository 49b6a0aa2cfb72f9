// One call into a module: the stop window, the account, and what its end means.
#include "edge/core/core.h"

namespace fusebox::edge {
namespace {

constexpr std::size_t kTrapTextMax = 80;      // contract 13.3
constexpr std::uint32_t kTimedEvery = 16;     // of the steps of a module without quota and deadline
constexpr std::size_t kInitTrapTextMax = 70;  // the same, of module_init

std::uint32_t saturated(std::uint64_t value) {
  return value > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(value);
}

}  // namespace

// The window is open. Whoever asked for a stop before the guest began has its way: the body does not execute.
CallResult Core::call(Slot& slot, Export which, const CallLimits& limits) {
  CallResult result;
  if (slot.window.stop_asked()) {
    result.end = CallEnd::stopped;
  } else {
    current_ = &slot;
    result = backend_->call(*slot.body.instance, which, limits);
    current_ = nullptr;
  }
  if (slot.window.close(asker_fences_) && result.end == CallEnd::completed) result.end = CallEnd::stopped;
  return result;
}

// quota_arm threw: the body does not execute either.
CallResult Core::not_called(Slot& slot) {
  slot.window.close(asker_fences_);
  CallResult result;
  result.end = CallEnd::trapped;
  result.trap = kTrapHostException;
  return result;
}

CallResult Core::call_lifecycle(Slot& slot, Export which) {
  if (!backend_->has(*slot.body.unit, which)) return {};
  CallLimits limits;
  limits.cpu_us = lifecycle_budget_us(slot);
  slot.log_this_step = 0;
  if (inputs_ != nullptr) inputs_->call_begins(id_of(slot), 0, last_clock_us_);
  slot.window.open();
  const CallResult result = call(slot, which, limits);
  slot.ticks_total += result.ticks;
  return result;
}

// Contract 11.3. A clock behind `last` was reset: the step runs.
bool Core::too_early(const Slot& slot, std::uint64_t now_us) const {
  if (hal_.timer.get_timestamp == nullptr) return false;
  if (slot.phase_known) {
    // Further off than a due time can be: the clock was reset.
    const std::uint64_t reach = std::uint64_t{slot.phase_us} + slot.policy.step_interval_us;
    return now_us < slot.next_due_us && slot.next_due_us - now_us <= reach;
  }
  return slot.policy.step_interval_us > 0 && slot.step_ever_ok && now_us >= slot.last_us &&
         now_us - slot.last_us < slot.policy.step_interval_us;
}

fuse_stat_t Core::step(Slot& slot, std::uint32_t events) {
  std::uint64_t now_us = 0;
  if (taken_) {
    taken_ = false;
    now_us = taken_us_;
  } else {
    now_us = read_clock();
  }
  plan_phase(slot, now_us);
  if (events == 0 && too_early(slot, now_us)) return FUSE_ERR_INTERVAL_NOT_ELAPSED;

  const std::uint32_t id = id_of(slot);
  const std::uint32_t quota_us = slot.policy.cpu_quota_us;
  CallLimits limits;
  limits.cpu_us = quota_us != 0 ? quota_us : options_.step_ceiling_us;
  limits.ticks = slot.tick_budget;
  slot.log_this_step = 0;
  if (inputs_ != nullptr) {
    inputs_->call_begins(id, events, now_us);
    account_ns_ = 0;
  }

  // Two readings of the clock are a third of a null step. What nothing bounds is timed now and then.
  const bool timed = limits.cpu_us != 0 || slot.deadline_us != 0 || inputs_ != nullptr ||
                     static_cast<std::uint32_t>(slot.steps_ok) % kTimedEvery == 0;
  const std::uint64_t begin_ns = !timed ? 0 : account_ns_ != 0 ? account_ns_ : port_->now_ns();
  const bool arm = quota_us != 0 && hal_.quota_arm != nullptr;
  if (!arm) limits.now_ns = begin_ns;  // what quota_arm takes is not the guest's
  slot.window.open();
  const bool armed = !arm || guarded([&] { hal_.quota_arm(id, quota_us); });
  CallResult result = armed ? call(slot, Export::step, limits) : not_called(slot);
  if (arm && hal_.quota_cancel != nullptr && !guarded([&] { hal_.quota_cancel(id); }) &&
      result.end == CallEnd::completed) {
    result.end = CallEnd::trapped;
    result.trap = kTrapHostException;
  }

  if (timed) {
    account_time(slot, begin_ns);
  } else {
    account_ns_ = 0;
  }
  slot.ticks_last = result.ticks;
  slot.ticks_total += result.ticks;
  if (result.end != CallEnd::completed) {
    return fault(slot, result, "module ", "module ");
  }
  account_success(slot, now_us, events);
  return FUSE_SUCCESS;
}

void Core::account_time(Slot& slot, std::uint64_t begin_ns) {
  account_ns_ = port_->now_ns();
  slot.step_last_us = saturated((account_ns_ - begin_ns) / 1000);
  if (slot.step_last_us > slot.step_max_us) slot.step_max_us = slot.step_last_us;
}

// Due times count from the start; where that was not timed (no log, no clock then), from the first attempt.
void Core::plan_phase(Slot& slot, std::uint64_t now_us) const {
  if (slot.phase_known || slot.step_ever_ok || !(slot.drift_free || slot.phase_us != 0)) return;
  slot.phase_known = true;
  slot.next_due_us = now_us + slot.phase_us;
}

void Core::account_success(Slot& slot, std::uint64_t now_us, std::uint32_t events) {
  ++slot.steps_ok;
  if (events != 0) slot.delivered += static_cast<std::uint32_t>(__builtin_popcount(events));
  const std::uint64_t interval = slot.policy.step_interval_us;
  std::uint64_t due_us = now_us;
  if (slot.phase_known) {
    due_us = slot.next_due_us;
    if (events == 0) advance_due(slot, now_us);
  } else if (events == 0 && slot.step_ever_ok && interval > 0 && now_us >= slot.last_us) {
    due_us = slot.last_us + interval;
    slot.missed_periods += saturated((now_us - slot.last_us) / interval - 1);
  }
  if (slot.deadline_us != 0 && events == 0) {
    const std::uint64_t late_us = now_us > due_us ? now_us - due_us : 0;
    if (late_us + slot.step_last_us > slot.deadline_us) ++slot.missed_deadlines;
  }
  slot.step_ever_ok = true;
  slot.last_us = now_us;
}

// A drift-free module keeps its grid; one with a phase only leaves it after the first step.
void Core::advance_due(Slot& slot, std::uint64_t now_us) const {
  const std::uint64_t interval = slot.policy.step_interval_us;
  if (!slot.drift_free || interval == 0) {
    slot.phase_known = false;
    return;
  }
  if (now_us < slot.next_due_us) {  // the clock went back: a new grid from here
    slot.next_due_us = now_us + interval;
    return;
  }
  const std::uint64_t passed = (now_us - slot.next_due_us) / interval;
  slot.missed_periods += saturated(passed);
  slot.next_due_us += (passed + 1) * interval;
}

// A call that did not complete: state, counters, log. The texts are what stands before the module's number.
fuse_stat_t Core::fault(Slot& slot, const CallResult& result, const char* trapped, const char* stopped) {
  const std::uint32_t id = id_of(slot);
  const bool in_step = slot.state == FUSE_MODULE_STATE_RUNNING;
  account_ns_ = 0;
  unschedule(slot);
  fuse_stat_t status = FUSE_ERR_MODULE_TRAP;
  if (result.end == CallEnd::stopped) {
    slot.state = FUSE_MODULE_STATE_QUOTA_EXCEEDED;
    ++slot.quota_stops;
    report(id, Text(stopped).add(id).add(in_step ? " quota exceeded" : ""));
    status = FUSE_ERR_QUOTA_EXCEEDED;
  } else {
    slot.state = FUSE_MODULE_STATE_TRAPPED;
    slot.trap = result.trap;
    ++slot.traps;
    const Text text = Text("Exception: ").add(result.trap);
    report(id, Text(trapped)
                   .add(id)
                   .add(in_step ? " trap: " : ": ")
                   .add(text.c_str(), in_step ? kTrapTextMax : kInitTrapTextMax));
  }
  plan_restart(slot);
  return status;
}

}  // namespace fusebox::edge
