// Compiled code and what is needed to read its traps. Internal to src/engine/wasmtime_*.
#pragma once

#include <mutex>

#include "engine/engine.h"
#include "engine/wasmtime_engine.h"

namespace fusebox::engine {

struct Code::Impl {
  std::shared_ptr<Engine> engine;
  ModuleInfo info;
  base::Sha256 hash;
  MeterMap map;                 // empty when unmetered
  std::int64_t code_shift = 0;  // of expose()
  bool metered = false;

  std::string memory_export;  // name under which memory 0 can be reached, "" = none
  bool has_start = false;
  bool waits = false;  // the pass added the import that waits (meter.h)
  std::uint32_t functions_imported = 0;
  std::uint64_t pages_min = 0;           // over all memories of the guest
  std::uint64_t table_elements_min = 0;  // over all tables
  bool fits_pool = false;

  // Where code the engine knows by `offset` stands in the module the user gave; 0 for the pass's own.
  std::uint64_t original_offset(std::uint64_t offset) const noexcept {
    const std::uint64_t exposed = metered ? map.original_offset(offset) : offset;
    return exposed == 0 ? 0 : exposed - static_cast<std::uint64_t>(code_shift);
  }

  // The index in the module the user gave of a function of his that the engine knows by `index`.
  std::uint32_t original_function(std::uint32_t index) const noexcept {
    return waits && index > functions_imported ? index - 1 : index;
  }

  // Compiled from `wasm` (what the pass made of it), or taken from serialized code.
  base::Result<void> load(base::ByteView wasm);
  base::Result<void> load_serialized(base::ByteView compiled);
  base::Result<base::Bytes> serialize_compiled() const;
  // The module for that placement; the one not compiled for is derived from the other when first wanted.
  base::Result<const wasmtime_module_t*> module(Placement placement) const;

 private:
  void read_info();
  mutable std::mutex mutex_;
  mutable ModulePtr pooled_;
  mutable ModulePtr on_demand_;
};

}  // namespace fusebox::engine
