// What changed between two policies, by what they allow and not by how they are written.
//
// In doubt a change counts as widened: a review pipeline may stop too often, never too seldom.
// Threads  pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace fusebox::policy {

// widened: the second policy allows or spends something the first did not. narrowed: the reverse only.
// changed: different behaviour that grants nothing (formats, where the audit goes).
enum class ChangeKind : std::uint8_t { widened, narrowed, changed };
std::string_view to_string(ChangeKind kind) noexcept;

struct Change {
  ChangeKind kind = ChangeKind::changed;
  std::string pointer;  // RFC 6901 into a written policy: "/limits/cpu_ms"
  std::string message;  // "limits.cpu_ms rose from 5000 ms to 6000 ms"
};

struct Diff {
  std::vector<Change> changes;  // in the order of the documentation's table
  bool empty() const noexcept { return changes.empty(); }
  bool widened() const noexcept;
  std::string text() const;  // "widened   /limits/cpu_ms: ..." one a line; "no difference\n"
  std::string json() const;  // {"widened":..,"changes":[{"kind":..,"pointer":..,"message":..}]}
};

Diff diff(const Policy& a, const Policy& b);

}  // namespace fusebox::policy
