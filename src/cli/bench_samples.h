// What was measured of one thing: many samples in one unit.
//
// Threads  a plain value.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace fusebox::cli::bench {

class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  std::size_t count() const noexcept { return values_.size(); }
  bool empty() const noexcept { return values_.empty(); }
  // In the order measured, so that samples of one round can be compared with each other.
  std::span<const double> values() const noexcept { return values_; }

  // By nearest rank: always a value that was measured. 0 when there is none.
  double percentile(double percent) const;
  double median() const { return percentile(50); }
  double p99() const { return percentile(99); }
  double least() const { return percentile(0); }

 private:
  std::vector<double> values_;
};

}  // namespace fusebox::cli::bench
