#include "engine/stop_slot.h"

#include <algorithm>

namespace fusebox::engine {
namespace {

// The bias is looked at again, then less and less often: the guest may be inside a long host function, which sees the
// flag by itself. The guest changes its counter by single instructions (meter.h), which only another thread's write can
// fall into the middle of: the watcher looks again soon. The thread's own handler would only disturb the end it has
// asked for, which takes some 40 us.
constexpr std::int64_t kRepeatFirstWatchedNs = 4'000;
constexpr std::int64_t kRepeatFirstTimedNs = 150'000;
constexpr std::int64_t kRepeatLastNs = 1'000'000;
constexpr std::int64_t kLookInHostNs = 50'000;
constexpr std::int64_t kLookAgainLeastNs = 1'500;  // arming a timer takes half a microsecond

void poke_guest(CallSlot& slot) noexcept {
  if (slot.counter != nullptr) {
    const std::atomic_ref<std::int64_t> counter(*slot.counter);
    if (!is_stop_biased(counter.load(std::memory_order_relaxed)))
      counter.fetch_add(kStopBias, std::memory_order_relaxed);
  } else if (slot.poke != nullptr) {
    slot.poke(slot.poke_env);
  }
}

std::int64_t repeat(CallSlot& slot, std::int64_t now_ns) noexcept {
  poke_guest(slot);
  const std::int64_t first_ns = slot.watched ? kRepeatFirstWatchedNs : kRepeatFirstTimedNs;
  slot.repeat_ns = slot.repeat_ns == 0 ? first_ns : std::min(slot.repeat_ns * 2, kRepeatLastNs);
  return now_ns + slot.repeat_ns;
}

std::int64_t stop_now(CallSlot& slot, Limit limit, std::int64_t now_ns) noexcept {
  slot.stop.store(static_cast<std::uint8_t>(1 + static_cast<unsigned>(limit)), std::memory_order_relaxed);
  return repeat(slot, now_ns);
}

bool is_cancelled(const CallSlot& slot) noexcept {
  const std::atomic<bool>* flag = slot.cancelled.load(std::memory_order_acquire);
  return flag != nullptr && flag->load(std::memory_order_acquire);
}

// What the guest certainly used. Where a host function's own CPU time is not known, its whole duration is taken as its
// CPU time.
std::int64_t guest_cpu_ns(const CallSlot& slot, std::int64_t now_ns, std::int64_t cpu_ns) noexcept {
  std::int64_t spent = cpu_ns - slot.cpu_start_ns - slot.host_ns.load(std::memory_order_relaxed);
  const std::int64_t since = slot.host_since_ns.load(std::memory_order_acquire);
  if (since != kNever) spent -= (slot.host_since_is_cpu.load(std::memory_order_relaxed) ? cpu_ns : now_ns) - since;
  return spent;
}

}  // namespace

std::int64_t look_at(CallSlot& slot, std::int64_t now_ns, clockid_t cpu_clock) noexcept {
  if (slot.must_stop()) return repeat(slot, now_ns);
  if (is_cancelled(slot)) return stop_now(slot, Limit::cancelled, now_ns);
  const std::int64_t wait_ns = slot.watched ? 0 : kTimerEarlyNs;
  if (now_ns >= slot.wall_deadline_ns - wait_ns) {
    while (monotonic_ns() < slot.wall_deadline_ns) {
    }
    return stop_now(slot, Limit::wall_time, now_ns);
  }
  if (now_ns < slot.cpu_deadline_ns - wait_ns) return slot.first_deadline_ns();

  const auto left_ns = [&] { return slot.cpu_budget_ns - guest_cpu_ns(slot, now_ns, read_clock(cpu_clock)); };
  std::int64_t left = left_ns();
  // Inside a host function the guest spends nothing; HostTime looks again when it ends.
  const bool in_host = slot.host_since_ns.load(std::memory_order_relaxed) != kNever;
  while (!in_host && left > 0 && left <= wait_ns) left = left_ns();
  if (left <= 0) return stop_now(slot, Limit::cpu_time, now_ns);
  slot.cpu_deadline_ns = now_ns + std::max(left, in_host ? kLookInHostNs : kLookAgainLeastNs);
  return slot.first_deadline_ns();
}

std::int64_t look_at_chain(CallSlot* innermost, std::int64_t now_ns, clockid_t cpu_clock, LookAt kind) noexcept {
  const bool watched = kind == LookAt::watched;
  std::int64_t next = kNever;
  for (CallSlot* slot = innermost; slot != nullptr; slot = slot->outer) {
    if (slot->watched == watched) next = std::min(next, look_at(*slot, now_ns, cpu_clock));
  }
  // Repeated until nothing changes, so that a stop travels from any depth all the way in; chains are short.
  bool changed = false;
  do {
    changed = false;
    for (CallSlot* slot = innermost; slot != nullptr; slot = slot->outer) {
      if (slot->watched != watched || slot->outer == nullptr || !slot->outer->must_stop() || slot->must_stop())
        continue;
      next = std::min(next, stop_now(*slot, slot->outer->limit(), now_ns));
      changed = true;
    }
  } while (changed);
  return next;
}

}  // namespace fusebox::engine
