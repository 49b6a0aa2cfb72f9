// Containers as `ps` and `stats` show them.
//
// Threads  pure functions.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "container/control.h"

namespace fusebox::cli {

std::string image_text(const container::Status& status);  // "web:1.0"
std::string state_text(const container::Status& status);  // "running 5 minutes", "exited (3)", "failure: trap:memory"
void print_containers(std::ostream& out, std::span<const container::Status> all);
// `before`: the sample that the share of the processor is taken against; of the same engine, `elapsed` ago.
void print_statistics(std::ostream& out, std::span<const container::Status> now,
                      std::span<const container::Status> before, base::Nanos elapsed);
std::string statuses_json(std::span<const container::Status> all);

}  // namespace fusebox::cli
