// Gives names to what the host must reach and wasm left nameless, before the metering pass runs.
//
// A start section becomes an export: the engine would run it during instantiation, before the host can find the
// guest's counter, so it could be neither charged nor stopped. The host calls the export right after instantiation,
// under the same limits as any other call. Memory 0 gets a name where it has none, for usage figures and host-side
// growth.
// Input    only bytes that Wasmtime's validator accepted, with their ModuleInfo.
// Threads  pure function.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/inspect.h"

namespace fusebox::engine {

inline constexpr std::string_view kReservedPrefix = "fusebox:";  // no guest may export a name that starts so
inline constexpr std::string_view kMemoryExport = "fusebox:memory";
inline constexpr std::string_view kStartExport = "fusebox:start";

struct Exposed {
  base::Bytes wasm;
  std::int64_t code_shift = 0;  // offset of any code in `wasm` minus its offset in the module the user gave
};

bool must_expose_memory(const ModuleInfo& info) noexcept;
base::Result<Exposed> expose(base::ByteView wasm, const ModuleInfo& info);

}  // namespace fusebox::engine
