// Engines by stack class, and modules compiled and linked once for all containers that run them.
//
// Owner    keeps a program while it is among the kProgramsMax last used; running containers keep their own.
// Threads  any. get() compiles where it is called: on the scheduler's offload threads.
// Errors   those of engine::Code::compile and Program::link.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "container/scheduler/scheduler.h"
#include "engine/code_cache.h"
#include "engine/engine.h"

namespace fusebox::container {

// Contract 16.5: at least 256 KiB, 16 times what the profile says; then the next power of two, so that there are few
// engines.
std::uint64_t stack_class(std::uint32_t wasm_stack_bytes) noexcept;

class Programs {
 public:
  static constexpr std::size_t kProgramsMax = 64;  // as the code cache keeps codes
  Programs(std::shared_ptr<engine::CodeCache> cache, std::uint32_t instances) noexcept
      : cache_(std::move(cache)), instances_(instances) {}

  using ProgramPtr = std::shared_ptr<const engine::Program>;
  // `hash`: of the module.
  base::Result<ProgramPtr> get(base::ByteView module, const base::Sha256& hash, std::uint64_t stack_bytes,
                               bool count_ticks);
  // One that is kept already, or null: at once, on any thread.
  ProgramPtr find(const base::Sha256& hash, std::uint64_t stack_bytes, bool count_ticks) {
    return find(EngineKey{stack_bytes, count_ticks}, hash);
  }

 private:
  struct EngineKey {
    std::uint64_t stack_bytes;
    bool count_ticks;
    auto operator<=>(const EngineKey&) const = default;
  };
  struct Kept {
    EngineKey engine;
    base::Sha256 hash;
    ProgramPtr program;
  };
  base::Result<std::shared_ptr<engine::Engine>> engine_of(const EngineKey& key);
  ProgramPtr find(const EngineKey& key, const base::Sha256& hash);

  std::shared_ptr<engine::CodeCache> cache_;
  std::uint32_t instances_;
  std::mutex mutex_;
  std::map<EngineKey, std::shared_ptr<engine::Engine>> engines_;  // guarded by mutex_, as below
  std::list<Kept> kept_;                                          // most recently used first
};

}  // namespace fusebox::container
