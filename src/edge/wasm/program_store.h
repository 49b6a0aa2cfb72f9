// Modules that are compiled and linked, found again by their bytes.
//
// Compared byte by byte: cheaper than a hash of them, and nothing can collide.
// Owner    entries are shared with the units made of them and outlive the store's own share.
// Threads  any.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "base/bytes.h"
#include "engine/engine.h"

namespace fusebox::edge {

struct LinkedModule {
  base::Bytes wasm;  // as the guest's author built it
  std::shared_ptr<const engine::Program> program;

  const engine::ModuleInfo& info() const noexcept { return program->code().info(); }
};

class ProgramStore {
 public:
  // Null when none is kept for that engine.
  std::shared_ptr<const LinkedModule> find(const engine::Engine& engine, base::ByteView wasm);
  // The least recently used ones go when there are more than kProgramsKeptMax or kProgramBytesKeptMax.
  void keep(std::shared_ptr<const LinkedModule> module);

 private:
  std::mutex mutex_;
  std::list<std::shared_ptr<const LinkedModule>> kept_;  // most recently used first
  std::size_t bytes_ = 0;
};

}  // namespace fusebox::edge
