// The rewriting pass that makes a guest stoppable and its work countable (architecture.md "Stopping a guest", docs/adr/0002).
//
// The pass adds one memory of eight bytes (custom page sizes proposal) after the guest's own and exports it as
// kMeterExport. It is a signed 64-bit counter, written by the host before a call:
//   ticks and time   at every function entry and loop header the region's cost is taken off the counter; the guest traps
//                    before a region that would make it negative.
//   time only        the guest only looks whether the counter is negative.
// Whoever wants the guest to stop makes the counter negative by adding kStopBias. Every change by the guest is one
// instruction on x86-64, so that its own thread's signal handler is never overwritten; another thread may be, and looks
// again until the call ended.
//
// Ticks    docs/ticks.md says how to compute them by hand. They depend on module and input alone.
// Input    only bytes that Wasmtime's validator accepted. The reader is bounded and checks every index all the same.
// Threads  pure functions.
// Errors   `unsupported` with the proposal's name for what the pass does not know; `exhausted` for sizes over the bounds.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/inspect.h"

namespace fusebox::engine {

inline constexpr std::string_view kMeterExport = "fusebox:meter";
inline constexpr std::uint32_t kMeterBytes = 8;  // of the pass's memory: the counter and nothing else
inline constexpr std::int64_t kStopBias = -(std::int64_t{1} << 62);
inline constexpr std::int64_t kTicksMax = (std::int64_t{1} << 61);  // no machine spends more: 2^61 ticks are decades

// What a host function answers to be called again with the same arguments, after a wait. No other answer has this value.
inline constexpr std::int32_t kCallAgain = std::numeric_limits<std::int32_t>::min();

// The import the pass adds where functions may ask to be called again: () -> (), behind the guest's own imports. The
// wrapper of such a function calls it after each answer kCallAgain; the host suspends the guest in it.
inline constexpr std::string_view kWaitModule = "fusebox:wait";
inline constexpr std::string_view kWaitField = "wait";

enum class MeterMode : std::uint8_t { time, ticks };  // `ticks` counts and can be stopped by time as well

struct MeterOptions {
  MeterMode mode = MeterMode::ticks;
  bool unroll = true;                               // small loops; ticks are the same without
  std::span<const std::string> may_ask_again = {};  // as EngineOptions::may_ask_again
};

// Whether calls of this import go through a wrapper that calls it again when asked to: a function with exactly one i32 as
// result, named by `which` ("module" or "module.field").
bool may_ask_again(const Import& import, std::span<const std::string> which) noexcept;
bool any_may_ask_again(const ModuleInfo& info, std::span<const std::string> which) noexcept;

// What the host must know about the rewritten code to read its traps. Sorted by offset; offsets are of the rewritten module.
struct MeterMap {
  // A trap in the few bytes from `offset` on is a failed check, not the guest's own `unreachable`. They are the check's `if` and
  // its `unreachable`: a compiler that joins the two reports the place of the first.
  struct Check {
    static constexpr std::uint32_t kBytes = 3;
    std::uint32_t offset = 0;
  };
  // A trap inside [begin, end) happened after `refund` ticks too many were taken off (unrolled loops charge in batches).
  struct Refund {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::int64_t ticks = 0;
  };
  // Code from `rewritten` on comes from `original` on, in the module the user gave. Inserted code stands at `original`, all of
  // it; 0 for functions of the pass's own, which have no place there.
  struct Origin {
    std::uint32_t rewritten = 0;
    std::uint32_t original = 0;
    bool inserted = false;
  };
  std::vector<Check> checks;
  std::vector<Refund> refunds;
  std::vector<Origin> origins;

  bool is_check(std::uint64_t rewritten_offset) const noexcept;
  std::int64_t refund_at(std::uint64_t rewritten_offset) const noexcept;
  // 0 when the code is the pass's own, or its place unknown (beyond 32 bits): a backtrace leaves such a frame out.
  std::uint64_t original_offset(std::uint64_t rewritten_offset) const noexcept;

  // For storing beside compiled code. decode() checks everything: order, ranges, sizes.
  base::Bytes encode() const;
  static base::Result<MeterMap> decode(base::ByteView bytes);
};

struct Metered {
  base::Bytes wasm;
  MeterMap map;
};

base::Result<Metered> meter(base::ByteView wasm, const MeterOptions& options);

// Changes whenever the same input may give other bytes; part of the compilation cache's key.
inline constexpr std::uint32_t kMeterVersion = 5;

}  // namespace fusebox::engine
