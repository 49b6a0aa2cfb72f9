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

namespace fusebox::fleet {

struct LiveEnvironment {
  std::stop_source ended;  // requested when the environment leaves `running`
  std::size_t leases = 0;  // open calls and streams: while there are some the idle clock stands still
  base::Nanos activity_written{0};
};

class LiveTable {
 public:
  std::shared_ptr<LiveEnvironment> use(std::string_view vm_id);
  // Nothing when nobody has used it since it was last forgotten.
  std::shared_ptr<LiveEnvironment> find(std::string_view vm_id) const;
  bool in_use(std::string_view vm_id) const;
  // Ends every call and stream of the environment.
  void end(std::string_view vm_id);
  void end_all();

 private:
  std::map<std::string, std::shared_ptr<LiveEnvironment>, std::less<>> by_id_;
};

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
