// One event of an environment as its subscribers get it, and the ids they resume by.
//
// Threads  plain values; a frame never changes once it is shared.
// Contract control-plane.md 7; section 26 row 11
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/store/records.h"

namespace fusebox::fleet {

enum class EventKind : std::uint8_t { state = 1, step = 2, health = 4, log = 8, snapshot = 16, other = 32 };
using EventKinds = std::uint8_t;  // a set of them
inline constexpr EventKinds kDefaultKinds = 1 | 2;
EventKind event_kind(std::string_view word) noexcept;
std::string_view to_string(EventKind kind) noexcept;
// "state,health": unknown words mean nothing; nothing known at all is the default.
EventKinds event_kinds(std::string_view list) noexcept;
inline bool has_kind(EventKinds kinds, EventKind kind) noexcept {
  return (kinds & static_cast<EventKinds>(kind)) != 0;
}

struct EventId {
  std::uint64_t seq = 0;
  Incarnation incarnation{};
  bool operator==(const EventId&) const = default;
};
std::string to_text(const EventId& id);  // 32 hex digits
std::optional<EventId> parse_event_id(std::string_view text) noexcept;

struct EventFrame {
  EventId id;
  EventKind kind = EventKind::state;
  bool terminal = false;  // destroyed or failed: nothing follows
  std::string text;       // as it is sent; "" = only known to exist, the table has it
};
using FramePtr = std::shared_ptr<const EventFrame>;

FramePtr make_frame(const EnvEventRow& row);
// `payload` is a JSON object without an id.
std::string frame_text(const EventId& id, std::string_view payload);

}  // namespace fusebox::fleet
