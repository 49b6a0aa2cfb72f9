#include "edge/wasm/program_store.h"

#include <algorithm>

#include "edge/wasm/limits.h"

namespace fusebox::edge {

std::shared_ptr<const LinkedModule> ProgramStore::find(const engine::Engine& engine, base::ByteView wasm) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(kept_, [&](const std::shared_ptr<const LinkedModule>& module) {
    return &module->program->code().engine() == &engine && std::ranges::equal(module->wasm, wasm);
  });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return kept_.front();
}

void ProgramStore::keep(std::shared_ptr<const LinkedModule> module) {
  const std::lock_guard lock(mutex_);
  bytes_ += module->wasm.size();
  kept_.push_front(std::move(module));
  while (kept_.size() > kProgramsKeptMax || bytes_ > kProgramBytesKeptMax) {
    bytes_ -= kept_.back()->wasm.size();
    kept_.pop_back();
  }
}

}  // namespace fusebox::edge
