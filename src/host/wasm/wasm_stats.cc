// What a wasm environment uses just now.
#include <limits>

#include "host/wasm/elsewhere.h"
#include "host/wasm/wasm_provider.h"

namespace fusebox::host {

using base::Result;
using base::Task;

namespace {

// Frozen layers count as well: they are what the environment has written, whoever shares them.
Result<std::uint64_t> disk_bytes(const LayerStore& layers, const LayerChain& chain, std::uint64_t upper,
                                 const base::Clock& clock) {
  FB_TRY(const std::uint64_t frozen, content_bytes(chain, clock, std::numeric_limits<std::uint64_t>::max()));
  FB_TRY(const std::uint64_t written, layers.written_bytes(upper, clock));
  return frozen + written;
}

}  // namespace

Task<Result<VmStats>> WasmProvider::stats(CallContext context, std::string vm) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  VmStats stats;
  stats.cpu_us = environment->cpu_us_ended;
  for (const auto& [pid, process] : environment->processes) {
    if (!process->guest) continue;
    stats.cpu_us += static_cast<std::uint64_t>(process->guest->cpu_time().count()) / 1000;
    stats.memory_bytes += process->guest->memory_bytes();
    stats.processes += process->running() ? 1 : 0;
  }
  const std::uint64_t upper = environment->kept.upper;
  if (environment->chain.empty() && !layers_->exists(upper)) co_return stats;  // it has never written
  const auto done = elsewhere<std::uint64_t>(
      offload_, [layers = layers_, chain = environment->chain, upper, &clock = executor().clock()] {
        return disk_bytes(*layers, chain, upper, clock);
      });
  auto counted = co_await done.wait(executor());
  FB_CO_TRY(stats.disk_bytes, std::move(counted));
  co_return stats;
}

}  // namespace fusebox::host
