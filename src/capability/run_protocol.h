// One execution inside one fresh instance: `_initialize`, input, entry, result, release (contract capability.md section
// 4), all of it under one budget.
//
// Owner    Borrows everything it is given; the instance dies with run().
// Threads  the execution's thread.
#pragma once

#include <string>
#include <string_view>

#include "capability/abi_plan.h"
#include "capability/budget.h"
#include "capability/execution.h"
#include "engine/engine.h"

namespace fusebox::capability {

// A module made ready for one engine.
struct Prepared {
  std::shared_ptr<const engine::Program> program;
  AbiPlan abi;
  std::shared_ptr<engine::Engine> engine;  // it was asked for; the program's own where it runs unmetered is another
};

// Told when there is something to stop and when there no longer is; cancel() reaches the guest through it.
class StopTarget {
 public:
  virtual ~StopTarget() = default;
  virtual void attach(engine::StopHandle handle) = 0;
};

struct RunEnd {
  engine::Outcome outcome;  // without usage
  std::string_view code;    // of 14.1; "" on success
  std::string message;
  std::string reason;
  std::string result;
  ResultKind kind = ResultKind::json;
  std::string release_trap;
  Usage usage;
};

RunEnd run_in_instance(Execution& execution, const Prepared& prepared, EntryType type, std::string_view function,
                       StopTarget& stop);

}  // namespace fusebox::capability
