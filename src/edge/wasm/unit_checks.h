// What can be said about a module before any of its code runs (contract edge.md 1.1, 1.2, 3.2).
//
// Threads  pure functions.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "edge/backend.h"
#include "edge/wasm/import_bridge.h"
#include "engine/inspect.h"

namespace fusebox::edge {

// One line, in the guest's own words where it has some: control characters become '?'. Cut at a character.
void set_text(ErrorText& error, std::string_view text);

// "" when the bytes begin like a core module, else why they do not.
std::string_view why_not_wasm(base::ByteView bytes) noexcept;

// Exports first, then imports in the module's order, then the memory: the first that does not fit decides. `heap_pages` of
// the module's initial memory were added to it and do not count.
LoadEnd check_module(const engine::ModuleInfo& info, std::uint32_t heap_pages, const UnitLimits& limits,
                     const ImportBridge& bridge, ErrorText& error);

std::string_view export_name(Export which) noexcept;

}  // namespace fusebox::edge
