// What the pass decided for a whole module, shared by the files of this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/meter.h"
#include "engine/meter/again.h"
#include "engine/wasm/module.h"

namespace fusebox::engine::metering {

// Units of docs/ticks.md.
inline constexpr int kBytesPerTickLog2 = 3;   // bulk memory operations: one tick for 8 bytes
inline constexpr int kTicksPerPageLog2 = 13;  // memory.grow: the same, for pages of 65,536 bytes

// A bulk memory operation looks for a stop after each piece of this size: about 5 us, with first touches of pages 20
// us.
inline constexpr std::uint32_t kBulkPieceBytes = 64 * 1024;
// A bulk operation of a constant length up to this stays in place, without a look of its own.
inline constexpr std::uint32_t kBulkInPlaceBytes = 1024;
// Straight code is bounded by a function's size, which may be megabytes: it looks for a stop about this often (some 10
// us).
inline constexpr std::uint32_t kStraightInstructionsMax = 16 * 1024;
// A call counts as this many when that is added up: a function without calls and loops, up to this size, has no check
// of its own in time mode.
inline constexpr std::uint32_t kLeafInstructionsMax = 64;

// Functions of the pass's own, appended behind the guest's: large bulk memory operations in pieces.
enum class HelperKind : std::uint8_t { fill, copy, init };
struct Helper {
  HelperKind kind = HelperKind::fill;
  std::uint32_t segment = 0;  // of init
};

struct Plan {
  MeterMode mode = MeterMode::ticks;
  std::uint32_t meter_memory = 0;
  std::uint32_t helpers_begin = 0;  // function index of the first helper
  std::uint32_t helper_type = 0;    // type index of (i32, i32, i32) -> ()
  bool helper_type_is_new = false;
  std::vector<Helper> helpers;
  Again again;

  bool ticks() const noexcept { return mode == MeterMode::ticks; }
  std::optional<std::uint32_t> helper(HelperKind kind, std::uint32_t segment = 0) const noexcept {
    for (std::uint32_t i = 0; i < helpers.size(); ++i) {
      if (helpers[i].kind == kind && helpers[i].segment == segment) return helpers_begin + i;
    }
    return std::nullopt;
  }
};

}  // namespace fusebox::engine::metering
