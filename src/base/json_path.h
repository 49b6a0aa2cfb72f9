// Where a reader stands inside a document, as a JSON pointer on demand. Internal to base/json.
//
// Owner    Borrows the keys it is given until their object is left.
// Threads  One thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"

namespace fusebox::base::json {

// `key` as a step of a JSON pointer, slash included (RFC 6901 section 3).
std::string pointer_step(std::string_view key);

class Path {
 public:
  bool full() const noexcept { return depth_ == kDepthMax; }
  void enter_array() noexcept { steps_[depth_++] = {{}, 0, false}; }
  void enter_object() noexcept { steps_[depth_++] = {{}, 0, true}; }
  void leave() noexcept { --depth_; }
  void next_element() noexcept { ++steps_[depth_ - 1].index; }  // 0 before the first, 1 at the first
  void at_key(std::string_view key) noexcept {
    steps_[depth_ - 1].key = key;
    steps_[depth_ - 1].index = 1;
  }
  std::string pointer() const;

 private:
  struct Step {
    std::string_view key;
    std::size_t index;  // 0: no member reached yet
    bool object;
  };
  std::array<Step, kDepthMax> steps_;  // only the first depth_ are ever read
  std::size_t depth_ = 0;
};

}  // namespace fusebox::base::json
