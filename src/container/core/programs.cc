#include "container/core/programs.h"

#include <algorithm>
#include <bit>

#include "base/mapped_file.h"
#include "wasi/process.h"

namespace fusebox::container {
namespace {

constexpr std::uint64_t kStackLeast = 256u << 10;  // contract 16.5
constexpr std::uint64_t kStackMost = 8u << 20;     // the engine's own bound
constexpr std::uint64_t kStackFactor = 16;         // contract 16.5
constexpr std::uint32_t kPooledMax = 4096;  // the engine's own bound; beyond it guard pages exhaust the address space
#if defined(FUSEBOX_TSAN)
constexpr std::uint64_t kPoolMemoryBytes = 16u << 20;  // the sanitizer's shadow leaves no room for more
#else
constexpr std::uint64_t kPoolMemoryBytes = std::uint64_t{4} << 30;  // every memory fits: a slot is address space alone
#endif

engine::EngineOptions options_for(std::uint64_t stack_bytes, bool count_ticks, std::uint32_t instances) {
  engine::EngineOptions options;
  options.stopping = count_ticks ? engine::Stopping::ticks : engine::Stopping::time;
  options.stack_bytes = stack_bytes;
  options.async = true;
  options.may_ask_again = wasi::may_ask_again();
  options.pool_memory_bytes = kPoolMemoryBytes;
  options.pool_instances = std::min(instances, kPooledMax);
  if (instances > kPooledMax) {
    options.profile = engine::Profile::dense;
    options.pool_instances = 0;
  }
  return options;
}

}  // namespace

std::uint64_t stack_class(std::uint32_t wasm_stack_bytes) noexcept {
  return std::clamp(std::bit_ceil(kStackFactor * wasm_stack_bytes), kStackLeast, kStackMost);
}

base::Result<std::shared_ptr<engine::Engine>> Programs::engine_of(const EngineKey& key) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<engine::Engine>& engine = engines_[key];
  if (!engine) {
    FB_TRY(engine, engine::Engine::create(options_for(key.stack_bytes, key.count_ticks, instances_)));
  }
  return engine;
}

Programs::ProgramPtr Programs::find(const EngineKey& key, const base::Sha256& hash) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::ranges::find_if(kept_, [&](const Kept& kept) { return kept.engine == key && kept.hash == hash; });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->program;
}

base::Result<Programs::ProgramPtr> Programs::get(base::ByteView module, const base::Sha256& hash,
                                                 std::uint64_t stack_bytes, bool count_ticks) {
  const EngineKey key{stack_bytes, count_ticks};
  if (ProgramPtr program = find(key, hash)) return program;
  FB_TRY(const std::shared_ptr<engine::Engine> engine, engine_of(key));
  FB_TRY(const std::shared_ptr<const engine::Code> code, cache_->get_or_compile(engine, module, hash));
  if (base::MappedFile::lost(module)) return base::fail(base::Errc::corrupt, "the image's file became shorter");
  FB_TRY(ProgramPtr program, engine::Program::link(code, wasi::imports(code->info())));
  const std::lock_guard lock(mutex_);
  kept_.push_front({key, hash, program});
  if (kept_.size() > kProgramsMax) kept_.pop_back();
  return program;
}

}  // namespace fusebox::container
