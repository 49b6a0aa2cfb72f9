#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "edge/config/names.h"
#include "edge/config/read_app.h"
#include "edge/config/values.h"

namespace fusebox::edge::config {
namespace {

using base::in_quotes;
using base::json::Kind;
using base::json::Node;
using base::json::ObjectReader;

bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// Of valid UTF-8.
std::size_t characters(std::string_view text) noexcept {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, is_continuation));
}

// C0, DEL and C1: what a terminal or a compiler may act upon.
bool has_control_character(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

void read_name(const Source& source, ObjectReader& reader, AppConfig& out) {
  const Node* node = reader.required("name");
  if (node == nullptr) return;
  if (!node->is_string()) {
    source.error(*node, "application.name must be a string, not " + given(*node));
    return;
  }
  const std::size_t length = characters(node->string());
  if (length == 0 || length > kAppNameCharactersMax)
    source.error(*node, "application.name has " + std::to_string(length) + " characters; allowed are 1 to " +
                            std::to_string(kAppNameCharactersMax));
  if (has_control_character(node->string())) source.error(*node, "application.name contains a control character");
  out.name = node->string();
}

std::uint32_t read_count(const Source& source, ObjectReader& reader, std::string_view key, std::uint32_t max) {
  const Node* node = reader.required(key);
  if (node == nullptr) return 0;
  return static_cast<std::uint32_t>(read_integer(source, *node, "application." + std::string(key), 1, max).value_or(0));
}

std::string unknown_group(std::string_view name) {
  const auto names = optional_group_names();
  const std::string near = base::json::nearest(name, names);
  std::string out = "unknown HAL group " + in_quotes(name);
  if (!near.empty()) return out + "; did you mean " + in_quotes(near) + "?";
  std::string all;
  for (const std::string_view known : names) all.append(all.empty() ? "" : ", ").append(known);
  return out + "; known are " + all;
}

void read_group(const Source& source, const Node& item, AppConfig& out) {
  if (!item.is_string()) {
    source.error(item, "application.hal_groups must hold names, not " + given(item));
    return;
  }
  const HalGroup* group = group_named(item.string());
  if (group == nullptr) {
    source.error(item, unknown_group(item.string()));
    return;
  }
  if (group->always) {
    source.error(item, in_quotes(item.string()) + " is always present; leave it out of application.hal_groups");
    return;
  }
  if ((out.hal_mask & group->capability) != 0)
    source.warning(item, in_quotes(item.string()) + " stands twice in application.hal_groups");
  out.hal_mask |= group->capability;
  out.hal_groups.push_back(item.string());
}

void read_groups(const Source& source, ObjectReader& reader, AppConfig& out) {
  const Node* node = reader.required("hal_groups");
  if (node == nullptr) return;
  for (const Node& item : read_list(source, *node, "application.hal_groups", kListMax)) read_group(source, item, out);
}

void read_options(const Source& source, const Node& node, bool strict, fuse_options_t& out) {
  ObjectReader reader = source.object(node, "application.fusebox");
  if (!node.is_object()) return;
  for (const auto& key : keys::kOptionNumbers) read_number(source, reader, key, Presence::optional, out);
  finish(source, reader, strict);
}

void check_event(const Source& source, const Node& node, base::json::Location at, const EventName& event,
                 const std::vector<EventName>& before) {
  for (const EventName& other : before) {
    if (other.name == event.name) continue;  // said already, of the key
    if (other.bit == event.bit)
      source.error(node, "events " + in_quotes(other.name) + " and " + in_quotes(event.name) + " have the same index " +
                             std::to_string(event.bit));
    if (event_macro(other.name) == event_macro(event.name))
      source.error(at, node,
                   "events " + in_quotes(other.name) + " and " + in_quotes(event.name) +
                       " get the same macro FUSE_EVENT_" + event_macro(event.name));
  }
}

}  // namespace

std::string event_macro(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (is_continuation(c)) continue;  // one '_' a character
    const bool lower = c >= 'a' && c <= 'z';
    const bool kept = lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += !kept ? '_' : lower ? static_cast<char>(c & ~0x20) : c;
  }
  return out;
}

std::vector<EventName> read_events(const Source& source, const Node& node) {
  std::vector<EventName> out;
  if (!node.is_object()) {
    source.error(node, "events must be an object of names and indices, not " + given(node));
    return out;
  }
  if (node.keys().size() > kConfigEventsMax + kListMax) {
    source.error(node, "events has " + std::to_string(node.keys().size()) + " members; there are " +
                           std::to_string(kConfigEventsMax) + " events");
    return out;
  }
  for (std::size_t i = 0; i < node.keys().size(); ++i) {
    const Node& value = node.elements()[i];
    const std::string& name = node.keys()[i];
    // A comment stands beside the events; an integer makes it an event of that name.
    if (is_free_key(name) && value.kind() != Kind::integer) continue;
    const auto bit = read_integer(source, value, "event " + in_quotes(name), 0, FUSE_MAX_EVENT_ID - 1);
    if (!bit) continue;
    const EventName event{name, static_cast<std::uint32_t>(*bit)};
    check_event(source, value, node.key_locations()[i], event, out);
    out.push_back(event);
  }
  std::ranges::sort(out, {}, &EventName::bit);
  return out;
}

void read_application(const Source& source, const Node& node, bool strict, AppConfig& out) {
  ObjectReader reader = source.object(node, "application");
  if (!node.is_object()) return;
  read_name(source, reader, out);
  if (const Node* text = reader.optional("description"); text != nullptr && !text->is_string())
    source.error(*text, "application.description must be a string, not " + given(*text));
  out.max_modules = read_count(source, reader, "max_modules", kConfigModulesMax);
  out.wamr_pool_bytes = read_count(source, reader, "wamr_pool_bytes", kU32Max);
  out.log_pool_bytes = read_count(source, reader, "log_pool_bytes", kU32Max);
  if (out.log_pool_bytes != 0 && out.log_pool_bytes < sizeof(fuse_log_entry_t))
    source.warning(*node.find("log_pool_bytes"), "application.log_pool_bytes is " + std::to_string(out.log_pool_bytes) +
                                                     "; one log entry takes 144 bytes, so nothing is kept");
  read_groups(source, reader, out);
  if (const Node* events = reader.optional("events")) out.events = read_events(source, *events);
  if (const Node* options = reader.optional("fusebox")) read_options(source, *options, strict, out.options);
  finish(source, reader, strict);
}

}  // namespace fusebox::edge::config
