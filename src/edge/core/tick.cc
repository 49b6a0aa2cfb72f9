// Which modules run in a tick, in which order.
//
// A timed module is in one of three places: the queue (by the time it was last known not to be due before), `ready_` (due by
// some tick's clock) or `always_` (no interval, or no clock). Event modules are found by `pending_`. A pass walks the sets
// in slot order, so a module that becomes due or gets an event behind the place the pass has reached still runs in this
// tick, and one before it in the next: what a walk over all slots would do, without the walk.
#include "edge/core/core.h"

namespace fusebox::edge {

struct Core::Pass {
  fuse_module_id_t* ids;
  std::uint32_t cap;
  std::uint32_t count = 0;
  std::uint32_t mask = 0;
  std::int32_t level = 0;      // priority of the modules this walk is about
  std::uint32_t position = 0;  // slots below it had their turn
  bool clock_may_have_moved = false;
};

namespace {

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

}  // namespace

void Core::schedule(Slot& slot) {
  const std::uint32_t id = id_of(slot);
  if (slot.runs_timed()) {
    const bool every_tick =
        hal_.timer.get_timestamp == nullptr || (slot.policy.step_interval_us == 0 && slot.phase_us == 0);
    // Looked at once at the next tick, whatever the clock did while it did not run.
    every_tick ? always_.add(id) : ready_.add(id);
  }
  if ((slot.latch.load() & slot.policy.event_subscribe) != 0) pending_.add(id);
}

void Core::unschedule(Slot& slot) {
  const std::uint32_t id = id_of(slot);
  always_.drop(id);
  ready_.drop(id);
  queue_.remove(static_cast<std::uint16_t>(id));
}

void Core::requeue(Slot& slot, std::uint64_t key_us) {
  const auto id = static_cast<std::uint16_t>(id_of(slot));
  queue_.remove(id);
  slot.wait_until = key_us;
  queue_.insert(id);
}

// Moves what is due by this time from the queue to `ready_`.
void Core::take_due(std::uint64_t now_us) {
  taken_us_ = now_us;
  taken_ = true;  // the next attempt's timestamp: the look at the queue was made for it
  while (queue_.size() > 0 && queue_.first_key_us() <= now_us) {
    const std::uint16_t id = queue_.first();
    queue_.remove(id);
    ready_.add(id);
    if (slots_[id].turn == tick_number_) --requeued_;
  }
}

// Whether an event waits for this slot. One that cannot run is not pending: it is looked at again when it starts.
bool Core::has_event(std::uint32_t id) {
  Slot& slot = slots_[id];
  const auto waits = [&] {
    return slot.in_use && slot.state == FUSE_MODULE_STATE_RUNNING && slot.runs_on_events() &&
           (slot.latch.load() & slot.policy.event_subscribe) != 0;
  };
  if (waits()) return true;
  pending_.drop(id);
  if (!waits()) return false;
  pending_.add(id);  // posted between the two looks
  return true;
}

// The first slot at or after the pass's position that may run and has its priority.
bool Core::next_candidate(const Pass& pass, std::uint32_t& found) {
  std::uint32_t w = pass.position >> 5;
  std::uint32_t mask = ~std::uint32_t{0} << (pass.position & 31);
  for (; w < words_; ++w, mask = ~std::uint32_t{0}) {
    const std::uint32_t timed = always_.word(w) | ready_.word(w);
    for (std::uint32_t word = (timed | pending_.word(w)) & mask; word != 0; word &= word - 1) {
      const auto bit = static_cast<std::uint32_t>(__builtin_ctz(word));
      found = w * 32 + bit;
      if (prioritised_ != 0 && slots_[found].priority != pass.level) continue;
      if ((timed >> bit & 1) != 0 || has_event(found)) return true;
    }
  }
  return false;
}

// The highest priority below `bound` of any slot that may run.
bool Core::highest_below(std::int64_t bound, std::int32_t& out) const {
  bool found = false;
  for (std::uint32_t w = 0; w < words_; ++w) {
    each_slot(always_.word(w) | ready_.word(w) | pending_.word(w), w, [&](std::uint32_t id) {
      const std::int32_t priority = slots_[id].priority;
      if (priority >= bound || (found && priority <= out)) return;
      out = priority;
      found = true;
    });
  }
  return found;
}

// True when the module completed a step.
bool Core::attempt(Slot& slot, Pass& pass) {
  const std::uint32_t id = id_of(slot);
  slot.turn = tick_number_;
  pending_.drop(id);  // before the claim: a post after it is seen again
  const bool timed = always_.has(id) || ready_.has(id);
  std::uint32_t events = 0;
  const bool claims = slot.runs_on_events();
  if (claims) {
    // All of them, before the latch is taken: an event that is cleared meanwhile is found in one of the two.
    slot.claim.store(slot.policy.event_subscribe);
    events = slot.latch.fetch_and(~slot.policy.event_subscribe) & slot.policy.event_subscribe;
  }
  if (events == 0 && !timed) return false;
  ready_.drop(id);
  const fuse_stat_t status = step(slot, events);
  if (claims) {
    const std::uint32_t claimed = slot.claim.exchange(0) & events;
    if (status != FUSE_SUCCESS && claimed != 0) slot.latch.fetch_or(claimed);
  }
  pass.clock_may_have_moved = true;

  if (slot.state == FUSE_MODULE_STATE_RUNNING && slot.runs_timed() && !always_.has(id)) {
    requeue(slot, slot.phase_known ? slot.next_due_us : saturating_add(slot.last_us, slot.policy.step_interval_us));
    ++requeued_;
  }
  return status == FUSE_SUCCESS;
}

void Core::run_level(Pass& pass) {
  pass.position = 0;
  for (;;) {
    std::uint32_t id = 0;
    bool found = next_candidate(pass, id);
    // Steps take time: another module may have become due meanwhile. The clock is read for the next attempt, once.
    if (!taken_ && queue_.size() > requeued_ && (found || pass.clock_may_have_moved)) {
      take_due(read_clock());
      found = next_candidate(pass, id);
    }
    pass.clock_may_have_moved = false;
    if (!found) return;
    pass.position = id + 1;
    if (!attempt(slots_[id], pass)) continue;
    if (id < 32) pass.mask |= 1u << id;
    if (pass.ids != nullptr && pass.count < pass.cap) pass.ids[pass.count] = id;
    ++pass.count;
  }
}

std::uint32_t Core::run_tick(fuse_module_id_t* ids, std::uint32_t cap, std::uint32_t* n) {
  Pass pass{};
  pass.ids = ids;
  pass.cap = cap;
  ++tick_number_;
  requeued_ = 0;
  if (restarts_waiting_ != 0) run_restarts();
  if (queue_.size() > 0) take_due(read_clock());
  account_ns_ = 0;
  if (prioritised_ == 0) {
    run_level(pass);
  } else {
    std::int64_t bound = std::int64_t{INT32_MAX} + 1;
    while (highest_below(bound, pass.level)) {
      bound = pass.level;
      run_level(pass);
    }
  }
  taken_ = false;
  if (n != nullptr) *n = pass.count;
  return pass.mask;
}

bool Core::has_work() {
  for (std::uint32_t w = 0; w < words_; ++w) {
    if ((always_.word(w) | ready_.word(w)) != 0) return true;
    for (std::uint32_t word = pending_.word(w); word != 0; word &= word - 1) {
      if (has_event(w * 32 + static_cast<std::uint32_t>(__builtin_ctz(word)))) return true;
    }
  }
  return false;
}

std::uint64_t Core::next_due() {
  if (!running_) return UINT64_MAX;
  if (has_work()) return 0;
  std::uint64_t wait_us = UINT64_MAX;
  if (restarts_waiting_ != 0) {
    const std::uint64_t now_ns = port_->now_ns();
    for (std::uint32_t id = 0; id < slot_count_; ++id) {
      if (!restarting_.has(id)) continue;
      const std::uint64_t at_ns = slots_[id].wait_until;
      const std::uint64_t left_us = at_ns > now_ns ? (at_ns - now_ns + 999) / 1000 : 0;
      if (left_us < wait_us) wait_us = left_us;
    }
  }
  if (queue_.size() > 0) {
    const std::uint64_t now_us = read_clock();  // may make everything due: a clock that went back
    const std::uint64_t key_us = queue_.first_key_us();
    const std::uint64_t left_us = key_us <= now_us ? 0 : key_us - now_us;
    if (left_us < wait_us) wait_us = left_us;
  }
  return wait_us;
}

}  // namespace fusebox::edge
