// Outcomes of operations by their id: what X-Fusebox-Op repeats, what an asynchronous pull is asked for.
//
// One id may name several calls of one piece of work; `call` tells them apart (method, path and VM).
//
// Threads  one executor.
// Errors   begin(): `unavailable` when kOperationsMax operations are under way.
// Limits   finished ones are kept for kOperationKept and at most kOperationsMax in all, the oldest go first. Memory only: a
//          restarted agent knows none, and its callers look at the VM instead (404 on the operation).
// Contract host-agent.md 3.1, 8.2, 9.3
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace fusebox::host {

class Operations {
 public:
  explicit Operations(const base::Clock& clock) noexcept : clock_(clock) {}

  struct Outcome {
    bool done = false;
    std::string result;  // JSON; of one that succeeded
    std::optional<base::Error> error;
  };

  const Outcome* find(std::string_view op, std::string_view call) const;
  base::Result<void> begin(const std::string& op, const std::string& call);
  void succeed(std::string_view op, std::string_view call, std::string result);
  void fail(std::string_view op, std::string_view call, base::Error error);
  void forget(std::string_view op, std::string_view call);  // as if it had never begun

  // The answer of GET /v1/operations/{op}, of its newest call; nothing for an unknown id.
  std::optional<std::string> describe(std::string_view op) const;
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::string op, call;
    Outcome outcome;
    base::Nanos at{0};  // monotonic: begun, or finished
  };
  using Entries = std::list<Entry>;  // oldest first
  void finish(std::string_view op, std::string_view call, Outcome outcome);
  void make_room();
  void erase(Entries::iterator entry);
  const base::Clock& clock_;
  Entries entries_;
  std::multimap<std::string, Entries::iterator, std::less<>> by_op_;
};

}  // namespace fusebox::host
