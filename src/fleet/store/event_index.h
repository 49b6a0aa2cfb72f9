// Which audit events have an index of their own. Internal to fleet/store.
//
// Every environment leaves one of each common event, so a look back along the ids soon meets enough of any of them, and
// their writers pay for no index. What is rare is found by an index that holds nothing else. Queries repeat the condition:
// that is how the database sees that the index serves them.
//
// Threads  constants.
#pragma once

#include <string>
#include <string_view>

#define FUSEBOX_RARE_EVENT_TYPE                                                                         \
  "event_type NOT IN ('vm.provisioning', 'vm.scheduled', 'vm.running', 'vm.destroying', 'vm.removed', " \
  "'task.assigned', 'task.running', 'task.completed', 'task.failed')"
#define FUSEBOX_RARE_ENTITY_TYPE "entity_type NOT IN ('vm', 'task')"

namespace fusebox::fleet {

// Whether the condition excludes the word.
inline bool is_common(std::string_view condition, std::string_view word) {
  std::string quoted("'");
  quoted.append(word).append("'");
  return condition.find(quoted) != std::string_view::npos;
}

}  // namespace fusebox::fleet
