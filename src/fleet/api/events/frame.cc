#include "fleet/api/events/frame.h"

#include <array>
#include <utility>

#include "base/bytes.h"

namespace fusebox::fleet {

namespace {

constexpr std::array<std::pair<std::string_view, EventKind>, 5> kWords{{{"state", EventKind::state},
                                                                        {"step", EventKind::step},
                                                                        {"health", EventKind::health},
                                                                        {"log", EventKind::log},
                                                                        {"snapshot", EventKind::snapshot}}};

constexpr std::size_t kIdDigits = 32;

std::optional<std::uint64_t> hex_digits(std::string_view text) noexcept {
  std::uint64_t value = 0;
  for (const char c : text) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<unsigned>(c - 'a') + 10;
    } else {
      return {};
    }
    value = value << 4 | digit;
  }
  return value;
}

void append_hex(std::string& out, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15];
}

std::uint64_t as_number(const Incarnation& incarnation) noexcept {
  std::uint64_t value = 0;
  for (const std::byte byte : incarnation) value = value << 8 | static_cast<std::uint64_t>(byte);
  return value;
}

// Clients that split lines the way Python does also split at characters a JSON text may hold as they are: those become
// escapes. They can only stand inside texts, so this needs no parser.
void append_one_line(std::string& out, std::string_view json) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t at = 0; at < json.size(); ++at) {
    const auto byte = static_cast<unsigned char>(json[at]);
    const auto next = at + 1 < json.size() ? static_cast<unsigned char>(json[at + 1]) : 0u;
    const auto third = at + 2 < json.size() ? static_cast<unsigned char>(json[at + 2]) : 0u;
    if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {  // U+0080 .. U+009F
      out += "\\u00";
      out += kHex[next >> 4];
      out += kHex[next & 15];
      at += 1;
    } else if (byte == 0xe2 && next == 0x80 && (third == 0xa8 || third == 0xa9)) {  // U+2028, U+2029
      out += third == 0xa8 ? "\\u2028" : "\\u2029";
      at += 2;
    } else if (byte == 0x7f) {
      out += "\\u007f";
    } else if (byte < 0x20) {
      out += ' ';  // white space between members: inside texts it is an escape already
    } else {
      out += json[at];
    }
  }
}

}  // namespace

EventKind event_kind(std::string_view word) noexcept {
  for (const auto& [name, kind] : kWords) {
    if (name == word) return kind;
  }
  return EventKind::other;
}

std::string_view to_string(EventKind kind) noexcept {
  for (const auto& [name, known] : kWords) {
    if (known == kind) return name;
  }
  return "other";
}

EventKinds event_kinds(std::string_view list) noexcept {
  EventKinds kinds = 0;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const EventKind kind = event_kind(list.substr(0, comma));
    if (kind != EventKind::other) kinds = static_cast<EventKinds>(kinds | static_cast<EventKinds>(kind));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return kinds == 0 ? kDefaultKinds : kinds;
}

std::string to_text(const EventId& id) {
  std::string text;
  text.reserve(kIdDigits);
  append_hex(text, id.seq);
  append_hex(text, as_number(id.incarnation));
  return text;
}

std::optional<EventId> parse_event_id(std::string_view text) noexcept {
  if (text.size() != kIdDigits) return {};
  const auto seq = hex_digits(text.substr(0, 16));
  const auto incarnation = hex_digits(text.substr(16));
  if (!seq || !incarnation) return {};
  EventId id{*seq, {}};
  for (std::size_t at = 0; at < id.incarnation.size(); ++at) {
    id.incarnation[at] = static_cast<std::byte>(*incarnation >> (56 - 8 * at) & 0xff);
  }
  return id;
}

std::string frame_text(const EventId& id, std::string_view payload) {
  const std::string id_text = to_text(id);
  std::string text;
  text.reserve(payload.size() + 96);
  text.append("id: ").append(id_text).append("\ndata: {\"id\":\"").append(id_text).append("\"");
  const std::string_view members = payload.size() >= 2 ? payload.substr(1) : std::string_view("}");
  if (members != "}") text += ',';
  append_one_line(text, members);
  text += "\n\n";
  return text;
}

FramePtr make_frame(const EnvEventRow& row) {
  auto frame = std::make_shared<EventFrame>();
  frame->id = {row.seq, row.incarnation};
  frame->kind = event_kind(row.kind);
  if (row.payload_json.empty()) return frame;
  // Quotes inside texts are escaped, so these can only be the member itself.
  frame->terminal =
      frame->kind == EventKind::state && (row.payload_json.find(R"("state":"destroyed")") != std::string::npos ||
                                          row.payload_json.find(R"("state":"failed")") != std::string::npos);
  frame->text = frame_text(frame->id, row.payload_json);
  return frame;
}

}  // namespace fusebox::fleet
