// What this machine offers a sandbox, and what is missing: each finding with what to do about it.
//
// Threads  reads the system; no state.
#pragma once

#include <string>
#include <vector>

namespace fusebox::cli {

enum class Health { good, weak, bad };  // weak: works, slower or with less; bad: something will not work

struct Finding {
  Health health = Health::good;
  std::string topic;
  std::string found;
  std::string advice;  // "" when good
};

std::vector<Finding> examine_machine(const std::string& cache_dir);

}  // namespace fusebox::cli
