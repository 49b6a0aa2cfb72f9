#include <algorithm>
#include <limits>

#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

void read_activation(const Source& source, ObjectReader& reader, Schedule& out) {
  if (!reader.has("activation")) return;
  out.activation_mask = 0;
  for (const Node& item : read_list(reader, "activation", 3)) {
    const auto* name =
        item.is_string() ? std::ranges::find(keys::kActivationNames, item.string()) : std::end(keys::kActivationNames);
    if (name == std::end(keys::kActivationNames))
      source.problem(item, "activation must hold INTERVAL, EVENT or MANUAL");
    else
      out.activation_mask |= 1u << (name - std::begin(keys::kActivationNames));
  }
}

void read_events(const Source& source, ObjectReader& reader, Schedule& out) {
  for (const Node& item : read_list(reader, "event_subscribe", 32)) {
    const auto event = item.as_u64();
    if (!event || *event > 31)
      source.problem(item, "event_subscribe must hold event numbers of 0 to 31");
    else
      out.event_subscribe |= 1u << *event;
  }
}

}  // namespace

void read_schedule(const Source& source, const Node& node, Schedule& out) {
  ObjectReader reader = source.object(node, "schedule");
  read_table(reader, keys::kSchedule, out);
  read_activation(source, reader, out);
  read_events(source, reader, out);
  if (const Node* priority = reader.optional("priority")) {
    using Range = std::numeric_limits<std::int32_t>;
    const auto value = priority->as_i64();
    if (value && *value >= Range::min() && *value <= Range::max())
      out.priority = static_cast<std::int32_t>(*value);
    else
      source.problem(*priority, "priority must be an integer of -2147483648 to 2147483647");
  }
  reader.finish();
}

}  // namespace fusebox::policy::readers
