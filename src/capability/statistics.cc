#include "capability/statistics.h"

#include <functional>
#include <thread>

namespace fusebox::capability {
namespace {

std::uint64_t read(const Statistics::Count& count) noexcept {
  return count.load(std::memory_order_relaxed);
}

}  // namespace

void Statistics::Timing::add(base::Nanos took) noexcept {
  const auto ns = static_cast<std::uint64_t>(took.count() < 0 ? 0 : took.count());
  bump(count);
  bump(total_ns, ns);
  std::uint64_t seen = read(max_ns);
  while (ns > seen && !max_ns.compare_exchange_weak(seen, ns, std::memory_order_relaxed)) {
  }
}

void Statistics::Timing::add_to(Latency& sum) const noexcept {
  sum.count += read(count);
  sum.total_ns += read(total_ns);
  sum.max_ns = std::max(sum.max_ns, read(max_ns));
}

Statistics::Shard& Statistics::shard() noexcept {
  // Thread ids are addresses: the low bits are the same for all of them.
  const std::size_t hash = std::hash<std::thread::id>{}(std::this_thread::get_id());
  return shards_[(hash ^ hash >> 12 ^ hash >> 24) % kCounterShards];
}

Stats Statistics::sum() const noexcept {
  Stats sum;
  for (const Shard& shard : shards_) {
    sum.executions += read(shard.executions);
    sum.invocations += read(shard.invocations);
    sum.completed += read(shard.completed);
    sum.failed += read(shard.failed);
    sum.log_records += read(shard.log_records);
    sum.log_dropped += read(shard.log_dropped);
    for (std::size_t i = 0; i < kDecisions; ++i) sum.decisions[i] += read(shard.decisions[i]);
    sum.stopped_cpu += read(shard.stopped[0]);
    sum.stopped_wall += read(shard.stopped[1]);
    sum.stopped_ticks += read(shard.stopped[2]);
    sum.stopped_cancelled += read(shard.stopped[3]);
    sum.stopped_memory += read(shard.stopped[4]);
    shard.execution.add_to(sum.execution);
    shard.compile.add_to(sum.compile);
    shard.host_call.add_to(sum.host_call);
  }
  return sum;
}

}  // namespace fusebox::capability
