#include "container/core/end.h"

#include <algorithm>
#include <string_view>
#include <variant>

#include "base/bytes.h"

namespace fusebox::container {
namespace {

using engine::TrapKind;

constexpr std::size_t kReasonBytesMax = 200;  // a sentence; event lines stay readable
constexpr std::string_view kUnlinked = "failed to call unlinked import function (";

// "failed to call unlinked import function (<module>, <name>)" -> "unlinked:<module>.<name>".
std::string unlinked_kind(std::string_view message) {
  std::string_view names = message.substr(kUnlinked.size());
  if (names.ends_with(')')) names.remove_suffix(1);
  const std::size_t comma = names.find(", ");
  if (comma == std::string_view::npos) return "unlinked:" + std::string(names);
  return "unlinked:" + std::string(names.substr(0, comma)) + "." + std::string(names.substr(comma + 2));
}

std::string_view trap_word(TrapKind kind) noexcept {
  switch (kind) {
    case TrapKind::unreachable:
      return "unreachable";
    case TrapKind::memory_out_of_bounds:
      return "memory";
    case TrapKind::stack_overflow:
      return "stack";
    case TrapKind::integer_divide_by_zero:
      return "div-zero";
    case TrapKind::integer_overflow:
      return "overflow";
    case TrapKind::table_out_of_bounds:
    case TrapKind::indirect_call_to_null:
    case TrapKind::indirect_call_type_mismatch:
      return "indirect-call";
    case TrapKind::invalid_conversion_to_integer:
      return "conversion";
    case TrapKind::host_error:
    case TrapKind::other:
      break;
  }
  return {};
}

End failure(std::string reason, std::string message) {
  return {State::failure, -1, one_line(std::move(reason)), std::move(message)};
}

End end_of_trap(const engine::Trapped& trapped) {
  if (trapped.kind == TrapKind::host_error && trapped.message.starts_with(kUnlinked))
    return failure("trap:" + unlinked_kind(trapped.message), " trapped: " + trapped.message);
  const std::string text(trapped.message.empty() ? engine::describe(trapped.kind) : trapped.message);
  const std::string_view word = trap_word(trapped.kind);
  return failure(word.empty() ? "internal" : "trap:" + std::string(word), " trapped: " + text);
}

End end_of_limit(engine::Limit limit) {
  switch (limit) {
    case engine::Limit::cpu_time:
      return ended_by_limit("cpu-limit");
    case engine::Limit::wall_time:
      return ended_by_limit("wall-limit");
    case engine::Limit::ticks:
      return ended_by_limit("tick-limit");
    case engine::Limit::memory:
      return ended_by_limit("memory-cap");
    case engine::Limit::cancelled:
      break;
  }
  return ended_by_stop();
}

}  // namespace

std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return std::string(base::utf8_prefix(base::to_utf8(text), kReasonBytesMax));
}

End ended_by_exit(std::int32_t code) {
  return {State::exited, code, "exit", {}};
}
End ended_by_stop() {
  return {State::exited, -1, "stopped", {}};
}
End ended_by_signal(std::uint8_t number) {
  return failure("signal:" + std::to_string(number), ": ended by signal " + std::to_string(number));
}
End ended_by_limit(std::string reason) {
  std::string message = " ended: " + reason;
  return failure(std::move(reason), std::move(message));
}

End end_of(const engine::Outcome& outcome, std::optional<std::int32_t> exit_code, std::optional<std::uint8_t> raised) {
  if (raised) return ended_by_signal(*raised);
  if (exit_code) return ended_by_exit(*exit_code);
  if (outcome.completed()) return ended_by_exit(0);
  if (const auto* exited = std::get_if<engine::Exited>(&outcome.how)) return ended_by_exit(exited->code);
  if (const auto* trapped = std::get_if<engine::Trapped>(&outcome.how)) return end_of_trap(*trapped);
  if (const auto* stopped = std::get_if<engine::Stopped>(&outcome.how)) return end_of_limit(stopped->limit);
  return failure("internal", " trapped: " + outcome.message());
}

End end_of_image(const base::Error& error) {
  if (error.name == "NO_ENTRY")
    return failure("bad-image:app.wasm absent from the image", ": app.wasm absent from the image");
  if (error.name == "COMPONENT") return failure("bad-wasm:component", ": cannot load app.wasm: " + error.message);
  if (error.name == "BAD_SIGNATURE") return failure("bad-image:signature", ": bad image: " + error.message);
  return failure("bad-image:" + error.message, ": bad image: " + error.message);
}

End end_of_module(const base::Error& error) {
  return failure("bad-wasm:" + error.message, ": cannot load app.wasm: " + error.message);
}

End end_of_instantiation(const base::Error& error) {
  if (error.name == "MEMORY_LIMIT") return failure("memory-cap", ": cannot instantiate: " + error.message);
  if (error.code == base::Errc::unavailable || error.code == base::Errc::bug)
    return failure("internal", ": cannot instantiate: " + error.message);
  return failure("bad-wasm:" + error.message, ": cannot instantiate: " + error.message);
}

}  // namespace fusebox::container
