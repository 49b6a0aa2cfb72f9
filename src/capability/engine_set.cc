#include "capability/engine_set.h"

#include "capability/limits.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

base::Result<std::shared_ptr<engine::Engine>> EngineSet::get(const EngineKey& key) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<engine::Engine>& engine = engines_[key];
  if (engine == nullptr) {
    engine::EngineOptions options;
    options.profile = key.profile;
    options.stopping = key.stopping;
    options.stack_bytes = key.stack_bytes;
    options.pool_instances = key.profile == engine::Profile::fast ? pool_instances_ : 0;
    options.pool_memory_bytes = kPoolMemoryBytesMax;
#if defined(__SANITIZE_THREAD__)
#endif
    FB_TRY(engine, engine::Engine::create(options));
  }
  return engine;
}

std::shared_ptr<EngineSet> make_engines(std::uint32_t pool_instances) {
  return std::make_shared<EngineSet>(pool_instances);
}

}  // namespace fusebox::capability
