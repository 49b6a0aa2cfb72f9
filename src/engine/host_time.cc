#include "engine/host_time.h"

#include <algorithm>

#include "engine/stop_slot.h"
#include "engine/stop_thread.h"
#include "engine/wasmtime_instance.h"

namespace fusebox::engine {

HostTime::HostTime(HostContext& context, Clock clock) noexcept : clock_(clock) {
  CallSlot* slot = context.instance().impl().slot;
  if (slot == nullptr || slot->host_since_ns.load(std::memory_order_relaxed) != kNever) return;
  slot_ = slot;
  slot->host_since_is_cpu.store(clock == Clock::thread_cpu, std::memory_order_relaxed);
  // Released last: whoever sees the time also sees which clock it is of.
  slot->host_since_ns.store(clock == Clock::thread_cpu ? thread_cpu_ns() : monotonic_ns(), std::memory_order_release);
}

HostTime::~HostTime() {
  if (slot_ == nullptr) return;
  const std::int64_t since = slot_->host_since_ns.load(std::memory_order_relaxed);
  const std::int64_t now = clock_ == Clock::thread_cpu ? thread_cpu_ns() : monotonic_ns();
  slot_->host_ns.fetch_add(now - since, std::memory_order_relaxed);
  slot_->host_since_ns.store(kNever, std::memory_order_release);
  if (slot_->watched || slot_->cpu_budget_ns == kNever) return;  // the watcher looks often enough by itself
  // While the host function ran, the handler looked only now and then: what the guest has left may end sooner.
  if (clock_ == Clock::thread_cpu) {
    const std::int64_t spent = now - slot_->cpu_start_ns - slot_->host_ns.load(std::memory_order_relaxed);
    slot_->cpu_deadline_ns = monotonic_ns() + std::max<std::int64_t>(slot_->cpu_budget_ns - spent, 0);
  }
  StopThread::current()->arm_for(slot_->first_deadline_ns());
}

}  // namespace fusebox::engine
