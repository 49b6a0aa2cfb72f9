// One thread's network loop: sockets, timers and posted work, as the executor that tasks run on.
//
// Owner    sockets, servers and clients of a loop are destroyed before it.
// Threads  run(): the one thread that is the loop's. post(), stop(): any. All else: the loop's thread.
#pragma once

#include <memory>

#include "base/executor.h"

namespace fusebox::http {

class Loop final : public base::Executor {
 public:
  explicit Loop(const base::Clock& clock);
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();            // until stop()
  void stop() noexcept;  // what is posted and not run stays unrun
  // For tests and short programs: runs until `done` says so; asked after every piece of work.
  void run_until(const std::function<bool()>& done);

  void post(base::Work work) override;
  TimerId post_at(base::Nanos monotonic, base::Work work) override;
  void cancel(TimerId timer) noexcept override;
  const base::Clock& clock() const noexcept override;

  struct Impl;
  Impl& impl() noexcept { return *impl_; }  // for src/http alone

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::http
