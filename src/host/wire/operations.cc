#include "host/wire/operations.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/json.h"
#include "host/wire/limits.h"
#include "host/wire/status.h"

namespace fusebox::host {

const Operations::Outcome* Operations::find(std::string_view op, std::string_view call) const {
  const auto [first, last] = by_op_.equal_range(op);
  for (auto at = first; at != last; ++at)
    if (at->second->call == call) return &at->second->outcome;
  return nullptr;
}

void Operations::erase(Entries::iterator entry) {
  const auto [first, last] = by_op_.equal_range(entry->op);
  by_op_.erase(std::find_if(first, last, [&](const auto& one) { return one.second == entry; }));
  entries_.erase(entry);
}

void Operations::make_room() {
  const base::Nanos oldest = clock_.monotonic() - kOperationKept;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    if (!here->outcome.done) continue;
    if (here->at >= oldest && entries_.size() < kOperationsMax) return;
    erase(here);
  }
}

base::Result<void> Operations::begin(const std::string& op, const std::string& call) {
  forget(op, call);
  make_room();
  if (entries_.size() >= kOperationsMax)
    return base::fail(base::Errc::unavailable, "too many operations are under way");
  entries_.push_back({op, call, {}, clock_.monotonic()});
  by_op_.emplace(op, std::prev(entries_.end()));
  return {};
}

void Operations::finish(std::string_view op, std::string_view call, Outcome outcome) {
  const auto [first, last] = by_op_.equal_range(op);
  for (auto at = first; at != last; ++at) {
    if (at->second->call != call) continue;
    const auto entry = at->second;
    entry->outcome = std::move(outcome);
    entry->at = clock_.monotonic();
    entries_.splice(entries_.end(), entries_, entry);  // finished ones stand in the order they go
    return;
  }
}

void Operations::succeed(std::string_view op, std::string_view call, std::string result) {
  finish(op, call, {.done = true, .result = std::move(result), .error = {}});
}

void Operations::fail(std::string_view op, std::string_view call, base::Error error) {
  finish(op, call, {.done = true, .result = {}, .error = std::move(error)});
}

void Operations::forget(std::string_view op, std::string_view call) {
  const auto [first, last] = by_op_.equal_range(op);
  for (auto at = first; at != last; ++at) {
    if (at->second->call != call) continue;
    erase(at->second);
    return;
  }
}

std::optional<std::string> Operations::describe(std::string_view op) const {
  const auto [first, last] = by_op_.equal_range(op);
  if (first == last) return {};
  const Outcome& outcome = std::prev(last)->second->outcome;
  base::json::Writer out;
  out.begin_object().key("op").string(base::to_utf8(op)).key("state");
  out.string(!outcome.done ? "running" : outcome.error ? "failed" : "done");
  if (outcome.error) out.key("error").string(short_text(outcome.error->message));
  if (outcome.done && !outcome.error) out.key("result").raw(outcome.result);
  out.end_object();
  return out.take();
}

}  // namespace fusebox::host
