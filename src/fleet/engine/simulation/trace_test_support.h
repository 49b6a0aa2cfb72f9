// What happened in a simulation, in order: equal for equal seeds.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"

namespace fusebox::fleet::simulation {

class Trace {
 public:
  Trace(const base::Clock& clock, std::size_t lines_kept) : clock_(clock), kept_max_(lines_kept) {}
  void add(std::string_view what) {
    std::string line = std::to_string(clock_.monotonic().count() / 1'000) + "us " + std::string(what) + "\n";
    digest_ = base::to_hex(base::sha256(base::as_bytes(digest_ + line)).bytes);
    kept_.push_back(std::move(line));
    if (kept_.size() > kept_max_) kept_.pop_front();
  }
  const std::string& digest() const noexcept { return digest_; }
  std::string last() const {
    std::string text;
    for (const std::string& line : kept_) text += line;
    return text;
  }

 private:
  const base::Clock& clock_;
  std::size_t kept_max_;
  std::deque<std::string> kept_;
  std::string digest_;
};

}  // namespace fusebox::fleet::simulation
