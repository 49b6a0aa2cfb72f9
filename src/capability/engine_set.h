// The engines of one process or one sandbox: one per kind of stopping and stack size, made when first needed.
//
// Owner    Engines live as long as this set or any module compiled for them.
// Threads  any thread.
// Errors   what Engine::create says.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "engine/engine.h"

namespace fusebox::capability {

struct EngineKey {
  engine::Profile profile = engine::Profile::fast;
  engine::Stopping stopping = engine::Stopping::time;
  std::uint64_t stack_bytes = 512u << 10;
  auto operator<=>(const EngineKey&) const = default;
};

class EngineSet {
 public:
  // `pool_instances` places for running instances in each engine; more run on demand, slower to start.
  explicit EngineSet(std::uint32_t pool_instances) noexcept : pool_instances_(pool_instances) {}
  base::Result<std::shared_ptr<engine::Engine>> get(const EngineKey& key);

 private:
  const std::uint32_t pool_instances_;
  std::mutex mutex_;
  std::map<EngineKey, std::shared_ptr<engine::Engine>> engines_;
};

}  // namespace fusebox::capability
