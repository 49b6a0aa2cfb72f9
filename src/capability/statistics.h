// Counters of one sandbox (contract capability.md section 13), kept apart per thread so that executions do not share a
// cache line.
//
// Threads  any thread; sum() sees every count made before it that happened before in the reader's order, and perhaps
// newer ones.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "capability/decision.h"
#include "capability/limits.h"
#include "engine/outcome.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

class Statistics {
 public:
  using Count = std::atomic<std::uint64_t>;

  struct Timing {
    Count count{0}, total_ns{0}, max_ns{0};
    void add(base::Nanos took) noexcept;
    void add_to(Latency& sum) const noexcept;
  };

  struct alignas(64) Shard {
    Count executions{0}, invocations{0}, completed{0}, failed{0}, log_records{0}, log_dropped{0};
    std::array<Count, kDecisions> decisions{};
    std::array<Count, 5> stopped{};  // by engine::Limit
    Timing execution, compile, host_call;
  };

  static void bump(Count& count, std::uint64_t by = 1) noexcept { count.fetch_add(by, std::memory_order_relaxed); }

  // The calling thread's.
  Shard& shard() noexcept;
  Stats sum() const noexcept;

 private:
  std::array<Shard, kCounterShards> shards_;
};

}  // namespace fusebox::capability
