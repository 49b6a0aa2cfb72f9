#include "edge/wasm/trap_text.h"

#include <variant>

#include "edge/backend.h"

namespace fusebox::edge {
namespace {

constexpr std::byte kCallIndirect{0x11};

// An index beyond the table is one trap for the engine and two for the contract: the instruction says which.
bool at_call_indirect(const engine::Trapped& trapped, base::ByteView wasm) noexcept {
  if (trapped.backtrace.empty()) return false;
  const std::uint64_t at = trapped.backtrace.front().module_offset;
  return at < wasm.size() && wasm[at] == kCallIndirect;
}

const char* text_of(const engine::Trapped& trapped, const char* sink_trap, base::ByteView wasm) noexcept {
  using enum engine::TrapKind;
  switch (trapped.kind) {
    case unreachable:
      return kTrapUnreachable;
    case memory_out_of_bounds:
      return kTrapMemoryBounds;
    case table_out_of_bounds:
      return at_call_indirect(trapped, wasm) ? kTrapUndefinedElement : kTrapTableBounds;
    case indirect_call_to_null:
      return kTrapUninitializedElement;
    case indirect_call_type_mismatch:
      return kTrapCallType;
    case integer_overflow:
      return kTrapIntegerOverflow;
    case integer_divide_by_zero:
      return kTrapDivideByZero;
    case invalid_conversion_to_integer:
      return kTrapConversion;
    case stack_overflow:
      return kTrapStack;
    case host_error:
      return sink_trap != nullptr ? sink_trap : kTrapHostException;
    case other:
      return kTrapAllocation;
  }
  return kTrapAllocation;
}

}  // namespace

const char* trap_text(const engine::Outcome& outcome, const char* sink_trap, base::ByteView wasm) noexcept {
  if (std::holds_alternative<engine::Stopped>(outcome.how)) return nullptr;
  if (const auto* trapped = std::get_if<engine::Trapped>(&outcome.how)) return text_of(*trapped, sink_trap, wasm);
  return kTrapAllocation;  // the engine could not run the call: no stack, no timer
}

}  // namespace fusebox::edge
