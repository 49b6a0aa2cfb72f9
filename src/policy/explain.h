// What a policy means, in words and worst-case numbers, for the person who has to approve it.
//
// Threads  pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace fusebox::policy {

// A group of hardware functions, and what it allows, as it follows "can": "take camera frames".
struct Hardware {
  std::string_view group;
  std::string_view allows;
};

// Who runs the policy, for the words alone.
struct Wording {
  bool stepped = false;  // the edge face: budgets are per step
  // All groups there are, in the order to name them: those that are not granted are named too.
  std::span<const Hardware> hardware = {};
  std::span<const std::string> events = {};  // names by number; "" = it has none
};

struct Topic {
  std::string name;      // "memory and time", "network", ...: stable, used in JSON
  std::string sentence;  // starts with a verb: "can use at most ..."
};

// The most one execution (one step, of the edge face) can take or move; saturates at 2^64-1.
struct WorstCase {
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_ns = 0;
  std::uint64_t wall_ns = 0;
  std::uint64_t ticks = 0;  // 0 = no bound
  std::uint64_t http_requests = 0;
  std::uint64_t http_sent_bytes = 0;      // bodies
  std::uint64_t http_received_bytes = 0;  // bodies
  std::uint64_t file_read_bytes = 0;
  std::uint64_t file_written_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t concurrent_memory_bytes = 0;  // all executions of one sandbox together
};
WorstCase worst_case(const Policy& policy);

struct Explanation {
  std::vector<Topic> topics;
  WorstCase worst;
  std::vector<std::string> warnings;  // grants a reviewer should look at twice
};
Explanation explanation(const Policy& policy, const Wording& wording = {});

// One line per topic, then the worst case of one execution, then "warning: ..." lines.
std::string explain(const Policy& policy, const Wording& wording = {});
// {"hash":..,"topics":[{"name":..,"sentence":..}],"worst_case":{..},"warnings":[..]}
std::string explain_json(const Policy& policy, const Wording& wording = {});

}  // namespace fusebox::policy
