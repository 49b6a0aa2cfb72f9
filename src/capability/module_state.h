// What stands behind a Module: the bytes, what was read from them, and the code made of them so far.
//
// Threads  everything but the prepared programs is constant after creation; those have their own locks.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "base/bytes.h"
#include "capability/engine_set.h"
#include "capability/gate.h"
#include "capability/manifest.h"
#include "capability/module_store.h"
#include "capability/run_protocol.h"
#include "engine/inspect.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

struct Module::State {
  base::Bytes wasm;
  Sha256 hash;
  Sha256 identity;  // of the bytes and both side files
  engine::ModuleInfo info;
  AbiPlan abi;
  SideFiles sides;
  std::optional<Manifest> manifest;
  Grants permitted = Grants::all();  // what the manifest allows at most

  ModulePin pin;  // of a module from a store, set before anybody else sees the state

  // The program made ready for this engine, if there is one.
  std::shared_ptr<const Prepared> find(const engine::Engine* engine) const;
  // The one kept for this engine: `made`, unless another thread was faster.
  std::shared_ptr<const Prepared> keep(const engine::Engine* engine, std::shared_ptr<const Prepared> made);
  // Held while compiling, so that threads that meet a new module at once compile it once.
  std::mutex compiling;

 private:
  struct Slot {
    const engine::Engine* engine = nullptr;
    std::shared_ptr<const Prepared> prepared;  // keeps the engine alive, so its address is not reused
  };
  mutable std::shared_mutex mutex_;
  std::vector<Slot> slots_;  // newest last
};

// `engine` validates; `module_bytes_max` is the policy's.
base::Result<Module> make_module(const engine::Engine& engine, std::span<const std::byte> wasm, SideFiles sides,
                                 std::uint64_t module_bytes_max);

}  // namespace fusebox::capability
