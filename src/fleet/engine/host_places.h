// So many tasks for each host at a time: one that hangs holds up its own work and nobody else's. One that failed is left
// alone by what is still waiting for it, or a pass would take as long as all of its calls do.
//
// Internal to src/fleet/engine.
// Threads  the executor's.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/wait.h"

namespace fusebox::fleet {

class HostPlaces {
 public:
  HostPlaces(base::Executor& executor, std::size_t each) noexcept : executor_(executor), each_(each) {}
  // "": of the providers of this process.
  base::Places& of(const std::string& host_id) { return by_host_.try_emplace(host_id, executor_, each_).first->second; }

  void give_up(const std::string& host_id) { failed_.insert(host_id); }
  bool given_up(std::string_view host_id) const { return failed_.contains(host_id); }

 private:
  base::Executor& executor_;
  std::size_t each_;
  std::map<std::string, base::Places, std::less<>> by_host_;
  std::set<std::string, std::less<>> failed_;
};

}  // namespace fusebox::fleet
