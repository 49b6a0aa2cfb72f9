#include "policy/explain_edge.h"

#include <algorithm>
#include <chrono>

#include "base/units.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::format_count;
using base::format_size;

std::string us_text(std::uint64_t microseconds) {
  return base::format_duration(std::chrono::microseconds(static_cast<std::int64_t>(microseconds)));
}

// "A", "A and B", "A, B and C".
std::string enumeration(const std::vector<std::string>& items, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i)
    out += concat({i == 0 ? "" : i + 1 == items.size() ? last : ", ", items[i]});
  return out;
}

std::string event_text(std::size_t event, const Wording& wording) {
  const std::string number = std::to_string(event);
  if (event >= wording.events.size() || wording.events[event].empty()) return concat({"event ", number});
  return concat({wording.events[event], " (event ", number, ")"});
}

std::string events_text(const Schedule& schedule, const Wording& wording) {
  std::vector<std::string> events;
  for (std::size_t event = 0; event < 32; ++event)
    if (((schedule.event_subscribe >> event) & 1) != 0) events.push_back(event_text(event, wording));
  return enumeration(events, " or ");
}

std::string interval_text(const Schedule& schedule) {
  return schedule.step_interval_us == 0 ? std::string("at every tick of the host")
                                        : concat({"every ", us_text(schedule.step_interval_us)});
}

std::string occasions(const Schedule& schedule, const Wording& wording) {
  const std::uint32_t mask = schedule.activation_mask;
  if ((mask & Schedule::kManual) != 0)
    return schedule.step_interval_us == 0
               ? std::string("is stepped only when the host asks")
               : concat({"is stepped only when the host asks, at most every ", us_text(schedule.step_interval_us)});
  const bool event = (mask & Schedule::kEvent) != 0;
  const bool interval = mask == 0 || (mask & Schedule::kInterval) != 0;
  const bool heard = event && schedule.event_subscribe != 0;
  if (!interval && !heard) return "is never stepped by the host's ticks: it waits for events and subscribes to none";
  std::string out = "is stepped ";
  if (interval) out += interval_text(schedule);
  if (heard) out += concat({interval ? " and when " : "when ", events_text(schedule, wording), " is posted"});
  return out;
}

}  // namespace

std::string step_resources(const Policy& policy) {
  const Limits& limits = policy.limits;
  const std::uint64_t cpu = limits.cpu_limit_ns();
  return concat({"can use at most ", format_size(limits.memory_pages() * kPageBytes), " of memory and ",
                 cpu == kNoTimeLimit ? std::string("any amount of") : us_text(cpu / 1000) + " of", " CPU per step, ",
                 limits.ticks == 0
                     ? std::string("no tick budget")
                     : concat({format_count(limits.ticks), limits.ticks == 1 ? " tick" : " ticks", " per step"}),
                 ", ", format_size(limits.stack_bytes), " of stack or the runtime's floor, and ",
                 policy.schedule.init_budget_us == 0 ? std::string("the runtime's lifecycle budget")
                                                     : us_text(policy.schedule.init_budget_us),
                 " to start and to end"});
}

std::string step_log(const Policy& policy) {
  if (!policy.log.enabled) return "cannot log";
  const std::uint64_t entries = policy.schedule.log_entries_per_step;
  if (entries == 0) return "can log any number of entries per step";
  return concat({"can log at most ", format_count(entries), entries == 1 ? " entry" : " entries", " per step"});
}

std::string schedule_text(const Policy& policy, const Wording& wording) {
  const Schedule& schedule = policy.schedule;
  std::string out = occasions(schedule, wording);
  if (schedule.phase_us != 0) out += concat({"; first ", us_text(schedule.phase_us), " after its start"});
  if (schedule.deadline_us != 0)
    out += concat({"; counted as late ", us_text(schedule.deadline_us), " after it is due"});
  if (schedule.drift_free) out += "; periods do not drift";
  if (schedule.priority != 0) out += concat({"; priority ", std::to_string(schedule.priority)});
  return out;
}

std::string faults(const Policy& policy) {
  const Schedule& schedule = policy.schedule;
  if (schedule.restart == Restart::never) return "stays stopped after a fault";
  std::string out = "starts again after a fault";
  if (schedule.restart_backoff_us != 0) out += concat({", ", us_text(schedule.restart_backoff_us), " later"});
  if (schedule.restart == Restart::always) return out + ", always";
  return concat(
      {out, ", at most ", format_count(schedule.restart_max), schedule.restart_max == 1 ? " time" : " times"});
}

std::string hardware(const Policy& policy, const Wording& wording) {
  std::vector<std::string> granted;
  std::vector<std::string> refused;
  for (const Hardware& group : wording.hardware) {
    const bool has = std::ranges::find(policy.hal_groups, group.group) != policy.hal_groups.end();
    (has ? granted : refused).emplace_back(group.allows);
  }
  for (const std::string& name : policy.hal_groups)
    if (std::ranges::find(wording.hardware, std::string_view(name), &Hardware::group) == wording.hardware.end())
      granted.push_back(concat({"use the hardware group ", name}));
  std::string out;
  if (!granted.empty()) out = concat({"can ", enumeration(granted, " and ")});
  if (!refused.empty()) out += concat({out.empty() ? "" : "; ", "cannot ", enumeration(refused, " or ")});
  return out.empty() ? "cannot use any hardware" : out;
}

}  // namespace fusebox::policy
