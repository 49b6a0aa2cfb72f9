// Guest calls on fibers: a host function that would block suspends the guest instead of the thread.
//
// Two kinds of host functions can: a blocking one leaves something behind that every poll() looks at; one that may ask
// again answers kCallAgain and is called once more at the next poll(). The second costs nothing while it need not wait.
// The owner polls: each poll() runs the guest until it ends or until its blocking host function waits. Between polls
// the call holds no thread, only its stack and its instance. Engines need `async = true`, so that their pool has
// stacks. Owner    AsyncCall borrows the instance, which must outlive it. Destroying a call that has not ended unwinds
// the guest and
//          leaves the instance unusable.
// Threads  one at a time; it may move between threads while suspended.
// Limits   CPU time counts only inside poll(); wall time and ticks count over the whole call. A call whose wall time
// passes
//          while it is suspended ends at its next poll().
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "engine/engine.h"

namespace fusebox::engine {

class AsyncCall {
 public:
  // `not_found` as Instance::function(); `invalid` when the number of arguments is wrong or the instance is in a call.
  // The first call of an instance whose imports may wait runs the module's start function before, under the same budget.
  static base::Result<std::unique_ptr<AsyncCall>> start(Instance& instance, std::string_view export_name,
                                                        std::span<const RawValue> arguments, const CallBudget& budget);
  ~AsyncCall();
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  bool poll();                                         // true when the call has ended; then poll() does nothing
  std::span<const RawValue> results() const noexcept;  // after it completed
  Outcome take_outcome();                              // after it ended

  struct Impl;
  explicit AsyncCall(std::unique_ptr<Impl> impl) noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::engine
