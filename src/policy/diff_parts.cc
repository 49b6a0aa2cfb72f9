#include "policy/diff_parts.h"

#include <chrono>
#include <limits>
#include <map>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/units.h"

namespace fusebox::policy::parts {
namespace {

using enum ChangeKind;

constexpr std::uint64_t kLifecycleBudgetUs = 1'000'000;  // contract edge.md 8.5: the runtime's own

std::string value_text(std::uint64_t value, Unit unit, Zero zero) {
  if (zero == Zero::off && value == 0) return "off";
  if (unit == Unit::nanoseconds && value == kNoTimeLimit) return "no limit";
  switch (unit) {
    case Unit::count:
      return base::format_count(value);
    case Unit::bytes:
      return base::format_size(value);
    case Unit::milliseconds:
      return concat({base::format_count(value), " ms"});
    case Unit::microseconds:
      return concat({base::format_count(value), " us"});
    case Unit::nanoseconds:
      return base::format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(value)));
  }
  return {};
}

bool holds(const std::vector<std::string>& items, const std::string& item) {
  return std::ranges::find(items, item) != items.end();
}

// A trusted key's last moment; none is the latest there is.
std::int64_t end_of(const TrustedKey& key) noexcept {
  return key.not_after_unix_ns.value_or(std::numeric_limits<std::int64_t>::max());
}

const TrustedKey* find_key(const Integrity& integrity, const TrustedKey& key) {
  const auto found = std::ranges::find(integrity.trusted_keys, key.public_key, &TrustedKey::public_key);
  return found == integrity.trusted_keys.end() ? nullptr : &*found;
}

}  // namespace

void Changes::number(std::string pointer, std::string_view name, Unit unit, Zero zero, std::uint64_t a,
                     std::uint64_t b) {
  if (a == b) return;
  const bool more = zero == Zero::off && (a == 0 || b == 0) ? b == 0 : b > a;
  add(more ? widened : narrowed, std::move(pointer),
      concat(
          {name, more ? " rose from " : " fell from ", value_text(a, unit, zero), " to ", value_text(b, unit, zero)}));
}

void Changes::flag(std::string pointer, std::string_view name, Effect effect, bool a, bool b) {
  if (a == b) return;
  const ChangeKind kind = effect == Effect::neutral ? changed : (b == (effect == Effect::grants)) ? widened : narrowed;
  add(kind, std::move(pointer), concat({name, b ? " was switched on" : " was switched off"}));
}

void Changes::choice(std::string pointer, std::string_view name, Effect effect, std::span<const std::string_view> names,
                     std::size_t a, std::size_t b) {
  if (a == b) return;
  const ChangeKind kind = effect == Effect::neutral                 ? changed
                          : ((b > a) == (effect == Effect::grants)) ? widened
                                                                    : narrowed;
  add(kind, std::move(pointer), concat({name, " went from ", names[a], " to ", names[b]}));
}

void Changes::set(std::string_view pointer, std::string_view what, const std::vector<std::string>& a,
                  const std::vector<std::string>& b) {
  for (const std::string& item : b)
    if (!holds(a, item)) add(widened, std::string(pointer), concat({what, " ", in_quotes(item), " was added"}));
  for (const std::string& item : a)
    if (!holds(b, item)) add(narrowed, std::string(pointer), concat({what, " ", in_quotes(item), " was removed"}));
}

// Each time limit has two fields of which one counts, so the limits in force are compared.
void diff_limits(Changes& changes, const Limits& a, const Limits& b) {
  changes.number("/limits/cpu_ms", "the limit of CPU time", Unit::nanoseconds, Zero::plain, a.cpu_limit_ns(),
                 b.cpu_limit_ns());
  changes.number("/limits/wall_ms", "the limit of total time", Unit::nanoseconds, Zero::plain, a.wall_limit_ns(),
                 b.wall_limit_ns());
  Limits others = b;
  others.cpu_ms = a.cpu_ms;
  others.wall_ms = a.wall_ms;
  others.cpu_ns = a.cpu_ns;
  others.wall_ns = a.wall_ns;
  changes.table("/limits", keys::kLimits, a, others);
}

void diff_integrity(Changes& changes, const Integrity& a, const Integrity& b) {
  changes.table("/integrity", keys::kIntegrity, a, b);
  std::vector<std::string> before;
  std::vector<std::string> after;
  for (const auto& hash : a.sha256) before.push_back(base::to_hex(hash));
  for (const auto& hash : b.sha256) after.push_back(base::to_hex(hash));
  changes.set("/integrity/sha256", "the module hash", before, after);
  for (const TrustedKey& key : b.trusted_keys) {
    const TrustedKey* old = find_key(a, key);
    if (old == nullptr)
      changes.add(widened, "/integrity/trusted_keys", concat({"the trusted key ", in_quotes(key.id), " was added"}));
    else if (end_of(*old) != end_of(key))
      changes.add(end_of(key) > end_of(*old) ? widened : narrowed, "/integrity/trusted_keys",
                  concat({"the trusted key ", in_quotes(key.id), " is accepted for a ",
                          end_of(key) > end_of(*old) ? "longer" : "shorter", " time"}));
    else if (old->id != key.id)
      changes.add(changed, "/integrity/trusted_keys",
                  concat({"the trusted key ", in_quotes(old->id), " is called ", in_quotes(key.id)}));
  }
  for (const TrustedKey& key : a.trusted_keys)
    if (find_key(b, key) == nullptr)
      changes.add(narrowed, "/integrity/trusted_keys", concat({"the trusted key ", in_quotes(key.id), " was removed"}));
}

// Values may be secrets, so they are not shown.
void diff_env(Changes& changes, const EnvRules& a, const EnvRules& b) {
  changes.table("/capabilities/env", keys::kEnv, a, b);
  for (const auto& [name, value] : b.vars) {
    const auto old = a.vars.find(name);
    if (old == a.vars.end())
      changes.add(widened, "/capabilities/env/vars", concat({"the variable ", in_quotes(name), " was added"}));
    else if (old->second != value)
      changes.add(changed, "/capabilities/env/vars", concat({"the variable ", in_quotes(name), " has another value"}));
  }
  for (const auto& [name, value] : a.vars)
    if (!b.vars.contains(name))
      changes.add(narrowed, "/capabilities/env/vars", concat({"the variable ", in_quotes(name), " was removed"}));
}

void diff_registered(Changes& changes, const Policy& a, const Policy& b) {
  static const RegisteredCapability kAbsent;
  std::map<std::string, std::pair<const RegisteredCapability*, const RegisteredCapability*>> all;
  for (const auto& [id, capability] : a.registered) all[id] = {&capability, &kAbsent};
  for (const auto& [id, capability] : b.registered) {
    auto& pair = all.try_emplace(id, &kAbsent, &kAbsent).first->second;
    pair.second = &capability;
  }
  for (const auto& [id, pair] : all) {
    const auto& [old, now] = pair;
    const std::string pointer = concat({"/capabilities/", id});
    if (old == &kAbsent || now == &kAbsent) {
      const RegisteredCapability& only = old == &kAbsent ? *now : *old;
      const ChangeKind kind = !only.enabled ? changed : old == &kAbsent ? widened : narrowed;
      changes.add(kind, pointer,
                  concat({"the capability ", id, old == &kAbsent ? " was added" : " was removed",
                          only.enabled ? "" : " (not enabled)"}));
      continue;
    }
    changes.table(pointer, keys::kRegistered, *old, *now);
    changes.set(Changes::path(pointer, "hosts"), "the host capability", old->hosts, now->hosts);
    // Whether one schema accepts more than another is not decided here; only adding one surely narrows.
    if (old->arguments_schema != now->arguments_schema)
      changes.add(old->arguments_schema.empty() ? narrowed : widened, Changes::path(pointer, "arguments"),
                  old->arguments_schema.empty()   ? "arguments are checked now"
                  : now->arguments_schema.empty() ? "arguments are no longer checked"
                                                  : "arguments are checked by another schema");
  }
}

void diff_audit(Changes& changes, const AuditRules& a, const AuditRules& b) {
  if (a.path != b.path)
    changes.add(changed, "/audit/path",
                concat({"the audit log goes from ", in_quotes(a.path), " to ", in_quotes(b.path), " (\"\" = memory)"}));
  if (a.sign_key != b.sign_key)
    changes.add(b.sign_key.empty() ? widened : changed, "/audit/sign_key",
                b.sign_key.empty() ? "checkpoints are no longer signed" : "checkpoints are signed with another key");
  if (a.on_failure != b.on_failure)
    changes.add(b.on_failure == OnAuditFailure::deny ? narrowed : widened, "/audit/on_failure",
                b.on_failure == OnAuditFailure::deny ? "nothing runs any more while the audit log cannot be written"
                                                     : "executions go on while the audit log cannot be written");
  if (a.max_file_bytes != b.max_file_bytes)
    changes.add(changed, "/audit/max_file_bytes",
                concat({"a new audit file is begun at ", base::format_size(b.max_file_bytes), ", before at ",
                        base::format_size(a.max_file_bytes)}));
  for (const std::string& name : a.redact)
    if (!holds(b.redact, name))
      changes.add(widened, "/audit/redact", concat({"values of ", in_quotes(name), " are no longer redacted"}));
  for (const std::string& name : b.redact)
    if (!holds(a.redact, name))
      changes.add(narrowed, "/audit/redact", concat({"values of ", in_quotes(name), " are redacted now"}));
}

namespace {

// Budgets and restarts have changes of their own.
Schedule times_of(Schedule schedule) {
  const Schedule none;
  schedule.init_budget_us = none.init_budget_us;
  schedule.log_entries_per_step = none.log_entries_per_step;
  schedule.restart = none.restart;
  schedule.restart_max = none.restart_max;
  schedule.restart_backoff_us = none.restart_backoff_us;
  return schedule;
}

void diff_times(Changes& changes, const Schedule& a, const Schedule& b) {
  if (a == b) return;
  const std::uint32_t more = (b.activation_mask & ~a.activation_mask) | (b.event_subscribe & ~a.event_subscribe);
  // A module stepped more often, or by more things, gets more processor time over the day.
  const bool oftener = b.step_interval_us < a.step_interval_us || b.priority > a.priority;
  const bool fewer = a.activation_mask != b.activation_mask || a.event_subscribe != b.event_subscribe ||
                     b.step_interval_us != a.step_interval_us || b.priority != a.priority;
  changes.add(more != 0 || oftener ? widened
              : fewer              ? narrowed
                                   : changed,
              "/schedule",
              more != 0 || oftener ? "the module is stepped more often, earlier, or by more events"
              : fewer              ? "the module is stepped less often, later, or by fewer events"
                                   : "steps are due at other times");
}

void diff_restarts(Changes& changes, const Schedule& a, const Schedule& b) {
  Schedule others = b;
  // Counts where restarts are limited alone, the pause only where there are any.
  if (a.restart != Restart::limited || b.restart != Restart::limited) others.restart_max = a.restart_max;
  changes.number("/schedule/restart_max", "restart_max", Unit::count, Zero::plain, a.restart_max, others.restart_max);
  if (a.restart_backoff_us != b.restart_backoff_us && a.restart != Restart::never && b.restart != Restart::never)
    changes.add(b.restart_backoff_us < a.restart_backoff_us ? widened : narrowed, "/schedule/restart_backoff_us",
                concat({"a restart waits ", value_text(b.restart_backoff_us, Unit::microseconds, Zero::plain),
                        ", before ", value_text(a.restart_backoff_us, Unit::microseconds, Zero::plain)}));
}

}  // namespace

void diff_schedule(Changes& changes, const Schedule& a, const Schedule& b) {
  diff_times(changes, times_of(a), times_of(b));
  const auto init = [](const Schedule& schedule) {
    return schedule.init_budget_us == 0 ? kLifecycleBudgetUs : schedule.init_budget_us;
  };
  changes.number("/schedule/init_budget_us", "init_budget_us", Unit::microseconds, Zero::plain, init(a), init(b));
  changes.number("/schedule/log_entries_per_step", "log_entries_per_step", Unit::count, Zero::off,
                 a.log_entries_per_step, b.log_entries_per_step);
  const KeyTable<Schedule> restart{{}, {}, keys::kScheduleChoices, {}};
  changes.table("/schedule", restart, a, b);
  diff_restarts(changes, a, b);
}

}  // namespace fusebox::policy::parts
