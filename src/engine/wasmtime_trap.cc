#include "engine/wasmtime_trap.h"

#include <algorithm>

#include "engine/function_name.h"

namespace fusebox::engine {
namespace {

class Frames {
 public:
  explicit Frames(const GuestEnd& end) {
    if (end.trap)
      wasm_trap_trace(end.trap.get(), &raw_);
    else if (end.error)
      wasmtime_error_wasm_trace(end.error.get(), &raw_);
    else
      wasm_frame_vec_new_empty(&raw_);
  }
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;
  ~Frames() { wasm_frame_vec_delete(&raw_); }
  std::span<wasm_frame_t* const> list() const noexcept { return {raw_.data, raw_.size}; }

 private:
  wasm_frame_vec_t raw_{};
};

std::vector<Frame> backtrace(const Frames& frames, const Code::Impl& code) {
  std::vector<Frame> out;
  const std::size_t count = std::min(frames.list().size(), kBacktraceFramesMax);
  out.reserve(count);
  for (const wasm_frame_t* raw : frames.list().first(count)) {
    Frame frame;
    frame.function_index = code.original_function(wasm_frame_func_index(raw));
    const std::size_t offset = wasm_frame_module_offset(raw);
    if (offset != SIZE_MAX) frame.module_offset = code.original_offset(offset);
    if (frame.module_offset == 0) continue;  // a helper of the pass, not the guest's code
    if (const wasm_name_t* name = wasmtime_frame_func_name(raw))
      frame.function = readable_function_name({name->data, name->size});
    out.push_back(std::move(frame));
  }
  return out;
}

TrapKind trap_kind(wasmtime_trap_code_t code) noexcept {
  switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW:
      return TrapKind::stack_overflow;
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS:
      return TrapKind::memory_out_of_bounds;
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS:
      return TrapKind::table_out_of_bounds;
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL:
      return TrapKind::indirect_call_to_null;
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE:
      return TrapKind::indirect_call_type_mismatch;
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
      return TrapKind::integer_overflow;
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
      return TrapKind::integer_divide_by_zero;
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER:
      return TrapKind::invalid_conversion_to_integer;
    case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED:
      return TrapKind::unreachable;
    default:
      return TrapKind::other;
  }
}

Outcome failed(base::Errc code, std::string message) {
  return {Failed{{code, std::move(message), "INTERNAL", nullptr}}, {}};
}

Outcome read_trap(const Code::Impl& code, const CallSlot& slot, const wasm_trap_t& trap, const Frames& frames) {
  wasmtime_trap_code_t raw = 0;
  const TrapKind kind = wasmtime_trap_code(&trap, &raw) ? trap_kind(raw) : TrapKind::other;
  const bool at_check = code.metered && kind == TrapKind::unreachable && !frames.list().empty() &&
                        code.map.is_check(wasm_frame_module_offset(frames.list().front()));
  if (!at_check) return {Trapped{kind, {}, backtrace(frames, code)}, {}};
  return {Stopped{slot.must_stop() ? slot.limit() : Limit::ticks, backtrace(frames, code)}, {}};
}

// A host function's verdict, with the trace of the guest that called it.
Outcome with_trace(Outcome outcome, const Frames& frames, const Code::Impl& code) {
  if (auto* trapped = std::get_if<Trapped>(&outcome.how)) trapped->backtrace = backtrace(frames, code);
  if (auto* stopped = std::get_if<Stopped>(&outcome.how)) stopped->backtrace = backtrace(frames, code);
  return outcome;
}

}  // namespace

Ended read_end(const Code::Impl& code, const CallSlot& slot, const GuestEnd& end, std::optional<Outcome> pending) {
  const Frames frames(end);
  Ended ended;
  if (code.metered && !frames.list().empty()) {
    ended.refund_ticks = code.map.refund_at(wasm_frame_module_offset(frames.list().front()));
  }
  if (pending)
    ended.outcome = with_trace(std::move(*pending), frames, code);
  else if (end.trap)
    ended.outcome = read_trap(code, slot, *end.trap, frames);
  else
    ended.outcome = failed(base::Errc::unavailable, "call: " + message_of(*end.error));
  return ended;
}

}  // namespace fusebox::engine
