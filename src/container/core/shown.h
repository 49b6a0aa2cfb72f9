// Internal to container/core.
#pragma once

#include <string>
#include <string_view>

#include "container/core/core.h"

namespace fusebox::container {

// Emits one event when the token of a name has changed between its making and its end.
class Containers::Core::Shown {
 public:
  Shown(Core& core, std::string_view name) : core_(core), name_(name), before_(token()) {}
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
  ~Shown() {
    const std::string_view after = token();
    if (after != before_) core_.events_->add(name_, before_, after, "-");
    core_.changed_.notify_all();
  }

 private:
  std::string_view token() const {
    const auto at = core_.records_.find(name_);
    if (at == core_.records_.end() || (!at->second.run && !at->second.reservation)) return {};
    return to_string(at->second.state());
  }
  Core& core_;
  std::string name_;
  std::string_view before_;
};

}  // namespace fusebox::container
