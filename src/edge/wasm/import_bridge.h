// From a guest's import call to the core's ImportSink: one host function of the engine per row of the HAL table.
//
// Owner    outlives every program linked with imports(). `user` of the engine's instances is their WasmInstance.
// Threads  immutable after construction.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "edge/hal/table.h"
#include "engine/engine.h"

namespace fusebox::edge {

class ImportBridge {
 public:
  ImportBridge();
  ImportBridge(const ImportBridge&) = delete;
  ImportBridge& operator=(const ImportBridge&) = delete;

  // Every import this build knows.
  std::span<const engine::HostImport> imports() const noexcept { return imports_; }

  struct Offer {
    const ImportRow* row = nullptr;
    const HalGroup* group = nullptr;
    std::uint64_t masks[kImportArgsMax] = {};  // which bits of an argument are the guest's
  };
  // Null when there is none of that name.
  const Offer* find(std::string_view module, std::string_view field) const noexcept;
  const engine::FuncType& type_of(const Offer& offer) const noexcept {
    return imports_[static_cast<std::size_t>(&offer - offers_.data())].type;
  }

 private:
  std::vector<Offer> offers_;
  std::vector<engine::HostImport> imports_;  // parallel to `offers_`
};

}  // namespace fusebox::edge
