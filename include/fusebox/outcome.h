// How a call into a guest ended: one type for every face. Nothing collapses into a string.
//
// Threads  plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fusebox/result.h"

namespace fusebox::engine {

// Only what the guest (or a host function, for host_error) did. Limits are Stopped, refusals by policy are Denied.
enum class TrapKind : std::uint8_t {
  unreachable,
  memory_out_of_bounds,
  table_out_of_bounds,
  indirect_call_to_null,
  indirect_call_type_mismatch,
  integer_overflow,
  integer_divide_by_zero,
  invalid_conversion_to_integer,
  stack_overflow,
  host_error,  // a host function ended the call; `message` says why
  other,
};
std::string_view to_string(TrapKind kind) noexcept;  // "unreachable", "memory_out_of_bounds", ...: stable, for JSON
std::string_view describe(TrapKind kind) noexcept;   // contract edge.md 2.4: "out of bounds memory access", ...

// memory: what the module asks for at load is above the limit, and no guest code ran; growth is refused, not stopped.
enum class Limit : std::uint8_t { cpu_time, wall_time, ticks, cancelled, memory };
std::string_view to_string(Limit limit) noexcept;  // "cpu_time", "wall_time", "ticks", "cancelled", "memory"

struct Frame {
  std::string function;  // name section, demangled; "" when unnamed
  std::uint32_t function_index = 0;
  std::uint64_t module_offset = 0;  // in the bytes the user gave, not in the metered ones
};

struct Usage {
  std::uint64_t cpu_us = 0;
  std::uint64_t wall_us = 0;
  std::uint64_t ticks = 0;  // 0 where ticks are not counted
  std::uint64_t peak_memory_bytes = 0;
  std::uint64_t host_calls = 0;
};

struct Completed {};
struct Exited {
  std::int32_t code = 0;
};
struct Trapped {
  TrapKind kind = TrapKind::other;
  std::string message;
  std::vector<Frame> backtrace;  // innermost first; at most kBacktraceFramesMax
};
struct Stopped {
  Limit limit = Limit::cpu_time;
  std::vector<Frame> backtrace;
};
struct Denied {
  std::string capability;
  std::string reason;
};
struct Failed {
  base::Error error;
};

struct Outcome {
  std::variant<Completed, Exited, Trapped, Stopped, Denied, Failed> how = Completed{};
  Usage usage;
  bool completed() const noexcept { return std::holds_alternative<Completed>(how); }
  std::string_view kind() const noexcept;  // "completed", "exited", "trapped", "stopped", "denied", "failed"
  std::string message() const;             // one sentence for a person
};

inline constexpr std::size_t kBacktraceFramesMax = 64;  // a recursion's trace repeats itself; memory stays bounded

}  // namespace fusebox::engine
