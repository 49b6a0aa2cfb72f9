// A program that can be started, or the end of the process that wanted it.
//
// Threads  any.
#pragma once

#include <expected>
#include <memory>
#include <utility>

#include "container/core/end.h"
#include "container/core/offloaded.h"
#include "container/core/programs.h"

namespace fusebox::container {

using Loaded = std::expected<std::shared_ptr<const engine::Program>, End>;

inline Loaded loaded(base::Result<Programs::ProgramPtr> made) {
  if (made) return std::move(*made);
  return std::unexpected(end_of_module(made.error()));
}

}  // namespace fusebox::container
