// What this process knows of environments and operations beyond their rows: who uses a guest now, who waits for an outcome.
//
// Threads  the engine's executor.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/wait.h"
#include "fleet/store/records.h"

namespace fusebox::fleet {

struct LiveEnvironment {
  Incarnation incarnation{};
  std::stop_source ended;  // requested when the environment leaves `running`
  std::size_t leases = 0;  // open calls and streams: while there are some the idle clock stands still
  bool changed = false;    // its row, maybe by another replica: to be looked at
  base::Nanos activity_step{0};
  base::Nanos activity_written{0};
};

class LiveTable {
 public:
  // Another incarnation of the name than the one in the table ends that one.
  std::shared_ptr<LiveEnvironment> use(const std::string& vm_id, const Incarnation& incarnation);
  bool in_use(std::string_view vm_id) const;
  bool is_of(std::string_view vm_id, const Incarnation& incarnation) const;
  // Its row was written: told by changed_in_use() while somebody uses it.
  void note_change(std::string_view vm_id);
  // Ends every call and stream of the environment.
  void end(std::string_view vm_id);
  void end_all();

  // Those in use whose rows were written since the last call.
  std::vector<std::string> changed_in_use();
  // Those in use whose activity was not written for a step.
  std::vector<std::string> activity_due(base::Nanos wall) const;
  void activity_written(const std::vector<std::string>& vm_ids, base::Nanos wall);
  // Forgets what nobody uses any more and has nothing to remember.
  void forget_unused(base::Nanos wall);

 private:
  std::map<std::string, std::shared_ptr<LiveEnvironment>, std::less<>> by_id_;
};

// Whether a step has passed since it was last written; a clock that went back ends every step.
bool activity_is_due(const LiveEnvironment& live, base::Nanos wall) noexcept;

// One result that several tasks may wait for, by the id of the operation that brings it.
template <class T>
class Awaited {
 public:
  // While no begin() without finish() is under way for the id, nobody may wait for it.
  void begin(const std::string& id) { waiting_.try_emplace(id); }
  bool under_way(std::string_view id) const { return waiting_.contains(id); }
  base::Completion<T> join(std::string_view id) {
    base::Completion<T> mine;
    if (const auto found = waiting_.find(id); found != waiting_.end()) found->second.push_back(mine);
    return mine;
  }
  void finish(std::string_view id, const T& result) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return;
    const auto waiters = std::move(found->second);
    waiting_.erase(found);
    for (const auto& waiter : waiters) waiter.set(result);
  }

 private:
  std::map<std::string, std::vector<base::Completion<T>>, std::less<>> waiting_;
};

}  // namespace fusebox::fleet
