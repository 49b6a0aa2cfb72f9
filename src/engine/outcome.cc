#include "engine/outcome.h"

#include <array>

namespace fusebox::engine {
namespace {

struct TrapText {
  std::string_view name;
  std::string_view sentence;
};

// In the order of TrapKind. The sentences are those of contract edge.md 2.4 where it has one.
constexpr std::array<TrapText, 11> kTrapTexts = {{
    {"unreachable", "unreachable"},
    {"memory_out_of_bounds", "out of bounds memory access"},
    {"table_out_of_bounds", "out of bounds table access"},
    {"indirect_call_to_null", "uninitialized element"},
    {"indirect_call_type_mismatch", "indirect call type mismatch"},
    {"integer_overflow", "integer overflow"},
    {"integer_divide_by_zero", "integer divide by zero"},
    {"invalid_conversion_to_integer", "invalid conversion to integer"},
    {"stack_overflow", "native stack overflow"},
    {"host_error", "host function failed"},
    {"other", "trap"},
}};
static_assert(static_cast<std::size_t>(TrapKind::other) + 1 == kTrapTexts.size());

constexpr std::array<std::string_view, 5> kLimitNames = {"cpu_time", "wall_time", "ticks", "cancelled", "memory"};
static_assert(static_cast<std::size_t>(Limit::memory) + 1 == kLimitNames.size());

std::string_view stop_sentence(Limit limit) noexcept {
  switch (limit) {
    case Limit::cpu_time:
      return "stopped: the CPU time limit is used up";
    case Limit::wall_time:
      return "stopped: the wall time limit is used up";
    case Limit::ticks:
      return "stopped: the tick budget is used up";
    case Limit::cancelled:
      return "stopped: cancelled";
    case Limit::memory:
      return "stopped: the memory limit is below what the module starts with";
  }
  return "stopped";
}

struct Message {
  std::string operator()(const Completed&) const { return "completed"; }
  std::string operator()(const Exited& exited) const { return "exited with status " + std::to_string(exited.code); }
  std::string operator()(const Trapped& trapped) const {
    std::string text = "trapped: ";
    text += describe(trapped.kind);
    if (!trapped.message.empty()) text += ": " + trapped.message;
    return text;
  }
  std::string operator()(const Stopped& stopped) const { return std::string(stop_sentence(stopped.limit)); }
  std::string operator()(const Denied& denied) const { return "denied: " + denied.capability + ": " + denied.reason; }
  std::string operator()(const Failed& failed) const { return "failed: " + failed.error.message; }
};

}  // namespace

std::string_view to_string(TrapKind kind) noexcept {
  return kTrapTexts[static_cast<std::size_t>(kind)].name;
}
std::string_view describe(TrapKind kind) noexcept {
  return kTrapTexts[static_cast<std::size_t>(kind)].sentence;
}
std::string_view to_string(Limit limit) noexcept {
  return kLimitNames[static_cast<std::size_t>(limit)];
}

std::string_view Outcome::kind() const noexcept {
  constexpr std::array<std::string_view, 6> kKinds = {"completed", "exited", "trapped", "stopped", "denied", "failed"};
  static_assert(std::variant_size_v<decltype(how)> == kKinds.size());
  return kKinds[how.index()];
}

std::string Outcome::message() const {
  return std::visit(Message{}, how);
}

}  // namespace fusebox::engine
