#include "policy/diff.h"

#include <algorithm>

#include "base/json.h"
#include "policy/diff_parts.h"
#include "policy/text.h"

namespace fusebox::policy {

std::string_view to_string(ChangeKind kind) noexcept {
  switch (kind) {
    case ChangeKind::widened:
      return "widened";
    case ChangeKind::narrowed:
      return "narrowed";
    case ChangeKind::changed:
      return "changed";
  }
  return "";
}

bool Diff::widened() const noexcept {
  return std::ranges::any_of(changes, [](const Change& change) { return change.kind == ChangeKind::widened; });
}

std::string Diff::text() const {
  if (changes.empty()) return "no difference\n";
  std::string out;
  for (const Change& change : changes) {
    std::string kind(to_string(change.kind));
    kind.resize(10, ' ');
    out += concat({kind, change.pointer, ": ", change.message, "\n"});
  }
  return out;
}

std::string Diff::json() const {
  base::json::Writer out;
  out.begin_object().key("widened").boolean(widened()).key("changes").begin_array();
  for (const Change& change : changes) {
    out.begin_object().key("kind").string(to_string(change.kind)).key("pointer").string(change.pointer);
    out.key("message").string(change.message).end_object();
  }
  out.end_array().end_object();
  return out.take();
}

Diff diff(const Policy& a, const Policy& b) {
  parts::Changes changes;
  changes.table("", keys::kTop, a, b);
  parts::diff_limits(changes, a.limits, b.limits);
  parts::diff_integrity(changes, a.integrity, b.integrity);
  changes.table("/input", keys::kInput, a, b);
  changes.table("/result", keys::kResult, a, b);
  changes.table("/capabilities/log", keys::kLog, a.log, b.log);
  parts::diff_env(changes, a.env, b.env);
  parts::diff_http(changes, a.http, b.http);
  parts::diff_files(changes, false, a.fs_read, b.fs_read);
  parts::diff_files(changes, true, a.fs_write, b.fs_write);
  parts::diff_registered(changes, a, b);
  parts::diff_audit(changes, a.audit, b.audit);
  parts::diff_schedule(changes, a.schedule, b.schedule);
  changes.set("/hal_groups", "the hardware group", a.hal_groups, b.hal_groups);
  // Relative host folders mean other folders when the document lies elsewhere, but the rules are the same.
  return {changes.take()};
}

}  // namespace fusebox::policy
