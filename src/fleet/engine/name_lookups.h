// Asks the store what names stand for, many at a time: whatever is asked while an answer is awaited goes with the next
// question.
//
// Internal to src/fleet/engine.
// Threads  the engine's executor.
#pragma once

#include <string>
#include <vector>

#include "base/executor.h"
#include "base/task.h"
#include "base/wait.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

class NameLookups {
 public:
  // `jobs`: the questions are its.
  NameLookups(base::Executor& executor, Store& store, base::TaskScope& jobs) noexcept
      : executor_(executor), store_(store), jobs_(jobs) {}
  // As it is after this call began.
  base::Task<base::Result<Reader::NameUse>> look_up(std::string vm_id, std::string host_vm_name = {});

 private:
  struct Waiting {
    Reader::Name name;
    base::Completion<base::Result<Reader::NameUse>> answer;
  };
  base::Task<void> ask();

  base::Executor& executor_;
  Store& store_;
  base::TaskScope& jobs_;
  std::vector<Waiting> waiting_;
  bool asking_ = false;
};

}  // namespace fusebox::fleet
