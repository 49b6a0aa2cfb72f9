#include "edge/config/read_policy.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "edge/config/names.h"
#include "edge/config/values.h"

namespace fusebox::edge::config {
namespace {

using base::in_quotes;
using base::json::Kind;
using base::json::Node;
using base::json::ObjectReader;

struct Bits {
  std::uint32_t mask = 0;
  std::vector<std::string> names;
};

std::string suggestion(std::string_view given, std::span<const std::string_view> names, std::string_view prefix) {
  const std::string_view bare = given.starts_with(prefix) ? given.substr(prefix.size()) : given;
  const std::string near =
      std::ranges::find(names, bare) != names.end() ? std::string(bare) : base::json::nearest(bare, names);
  if (!near.empty()) return "; did you mean " + in_quotes(near) + "?";
  std::string all;
  for (const std::string_view name : names) all.append(all.empty() ? "" : ", ").append(name);
  return "; known are " + all;
}

void check_group(const Source& source, const Node& at, const HalGroup& group, const PolicyContext& context) {
  if (group.always || !context.groups || (*context.groups & group.capability) != 0) return;
  source.error(at, "capability " + std::string(group.capability_name) + " needs " + in_quotes(group.name) +
                       " in application.hal_groups");
}

std::optional<std::uint32_t> read_mask(const Source& source, const Node& node, std::string_view what,
                                       std::uint32_t known) {
  const auto value = read_integer(source, node, what, 0, kU32Max);
  if (!value) return std::nullopt;
  const auto mask = static_cast<std::uint32_t>(*value);
  if ((mask & ~known) == 0) return mask;
  source.error(node, std::string(what) + " is " + std::to_string(mask) + ", which has the unknown bits " +
                         hex(mask & ~known) + "; known are " + hex(known));
  return std::nullopt;
}

// "capabilities must be a list of names or an integer mask, not true".
void refuse_kind(const Source& source, const Node& node, std::string_view what, std::string_view list_of) {
  source.error(node, std::string(what) + " must be a list of " + std::string(list_of) + " or an integer mask, not " +
                         given(node));
}

bool is_number(const Node& node) {
  return node.kind() == Kind::integer || node.kind() == Kind::number;
}

Bits read_capabilities(const Source& source, const Node& node, const PolicyContext& context) {
  Bits out;
  if (is_number(node)) {
    out.mask = read_mask(source, node, "capabilities", known_capabilities()).value_or(0);
    out.names = capability_names(out.mask);
    for (const std::string& name : out.names) check_group(source, node, *group_of_capability(name), context);
    return out;
  }
  if (!node.is_array()) {
    refuse_kind(source, node, "capabilities", "names");
    return out;
  }
  for (const Node& item : read_list(source, node, "capabilities", kListMax)) {
    if (!item.is_string()) {
      source.error(item, "capabilities must hold names, not " + given(item));
      continue;
    }
    const HalGroup* group = group_of_capability(item.string());
    if (group == nullptr) {
      source.error(item, "unknown capability " + in_quotes(item.string()) +
                             suggestion(item.string(), known_capability_names(), "FUSE_CAP_"));
      continue;
    }
    check_group(source, item, *group, context);
    out.mask |= group->capability;
    out.names.push_back(item.string());
  }
  return out;
}

// Nothing when it is wrong: then the two spellings are not compared.
std::optional<Bits> read_activation(const Source& source, const Node& node, std::string_view key) {
  Bits out;
  if (is_number(node)) {
    const auto mask = read_mask(source, node, key, kActivationMask);
    if (!mask) return std::nullopt;
    return Bits{*mask, activation_names(*mask)};
  }
  const std::size_t before = source.notes.errors.count();
  if (!node.is_array())
    refuse_kind(source, node, key, "names");
  else
    for (const Node& item : read_list(source, node, key, kListMax)) {
      if (!item.is_string()) {
        source.error(item, std::string(key) + " must hold names, not " + given(item));
        continue;
      }
      const auto* name = std::ranges::find(kActivationNames, std::string_view(item.string()));
      if (name == std::end(kActivationNames)) {
        source.error(item, "unknown activation " + in_quotes(item.string()) +
                               suggestion(item.string(), kActivationNames, "FUSE_ACTIVATION_"));
        continue;
      }
      out.mask |= 1u << (name - std::begin(kActivationNames));
      out.names.push_back(item.string());
    }
  if (source.notes.errors.count() != before) return std::nullopt;
  return out;
}

// Both spellings of one key (contract 6.4).
Bits read_activations(const Source& source, ObjectReader& reader, const PolicyContext& context) {
  const Node* const first = reader.optional("activation");
  const Node* const second = reader.optional("activation_mask");
  std::optional<Bits> a;
  std::optional<Bits> b;
  if (first != nullptr) a = read_activation(source, *first, "activation");
  if (second != nullptr) b = read_activation(source, *second, "activation_mask");
  if (a && b && a->mask != b->mask)
    source.error(*second, "activation is " + hex(a->mask) + " and activation_mask is " + hex(b->mask) +
                              "; they are two names of one key: keep one");
  if (a) return *a;
  if (b) return *b;
  return {context.activation_default, activation_names(context.activation_default)};
}

std::string known_events(std::string_view given, std::span<const EventName> events) {
  if (events.empty()) return "; no event is defined";
  std::vector<std::string_view> names;
  for (const EventName& event : events) names.push_back(event.name);
  return suggestion(given, names, "FUSE_EVENT_");
}

std::uint32_t read_subscription(const Source& source, const Node& node, const PolicyContext& context) {
  if (is_number(node)) return read_mask(source, node, "event_subscribe", kU32Max).value_or(0);
  std::uint32_t mask = 0;
  if (!node.is_array()) {
    refuse_kind(source, node, "event_subscribe", "event names and indices");
    return mask;
  }
  for (const Node& item : read_list(source, node, "event_subscribe", kListMax)) {
    if (item.is_string()) {
      const auto event = std::ranges::find(context.events, item.string(), &EventName::name);
      if (event != context.events.end())
        mask |= 1u << event->bit;
      else
        source.error(item, "unknown event " + in_quotes(item.string()) + known_events(item.string(), context.events));
    } else if (is_number(item)) {
      if (const auto bit = read_integer(source, item, "an event index", 0, FUSE_MAX_EVENT_ID - 1)) mask |= 1u << *bit;
    } else {
      source.error(item, "event_subscribe must hold event names and indices, not " + given(item));
    }
  }
  return mask;
}

const Node* first_of(const Node& policy, std::string_view a, std::string_view b) {
  const Node* node = policy.find(a);
  if (node == nullptr) node = policy.find(b);
  return node == nullptr ? &policy : node;
}

void warn(const Source& source, const Node& node, const fuse_policy_t& policy) {
  const Node& activation = *first_of(node, "activation", "activation_mask");
  const bool event = (policy.activation_mask & FUSE_ACTIVATION_EVENT) != 0;
  if (event && policy.event_subscribe == 0)
    source.warning(activation, "EVENT activates the module, and it subscribes to no event");
  if (!event && policy.event_subscribe != 0)
    source.warning(*node.find("event_subscribe"), "events are subscribed to, and EVENT does not activate the module");
  if ((policy.activation_mask & FUSE_ACTIVATION_MANUAL) != 0 && policy.activation_mask != FUSE_ACTIVATION_MANUAL)
    source.warning(activation, "MANUAL is combined with another activation; MANUAL wins");
}

}  // namespace

void read_policy(const Source& source, const Node& node, const PolicyContext& context, EdgePolicy& out) {
  const std::size_t before = source.notes.errors.count();
  ObjectReader reader = source.object(node, context.what);
  if (!node.is_object()) return;
  if (const Node* capabilities = reader.required("capabilities")) {
    Bits bits = read_capabilities(source, *capabilities, context);
    out.policy.capabilities = bits.mask;
    out.capability_names = std::move(bits.names);
  }
  for (const auto& key : keys::kPolicyNumbers) read_number(source, reader, key, Presence::required, out.policy);
  Bits activation = read_activations(source, reader, context);
  out.policy.activation_mask = activation.mask;
  out.activation_names = std::move(activation.names);
  if (const Node* events = reader.optional("event_subscribe"))
    out.policy.event_subscribe = read_subscription(source, *events, context);
  if (const Node* extension = reader.optional("fusebox")) {
    out.extended = true;
    read_extension(source, *extension, out.ext);
  }
  reader.finish();
  if (source.notes.errors.count() == before) warn(source, node, out.policy);
}

std::optional<EdgePolicy> parse_policy(std::string_view text, std::string file, const PolicyContext& context,
                                       Notes& notes) {
  const std::size_t before = notes.errors.count();
  const auto document =
      base::json::parse(text, {.file = std::move(file), .bytes_max = kConfigBytesMax, .pointers = true}, notes.errors);
  EdgePolicy out;
  if (document) read_policy({*document, notes}, *document->root, context, out);
  if (notes.errors.count() != before) return std::nullopt;
  return out;
}

}  // namespace fusebox::edge::config
