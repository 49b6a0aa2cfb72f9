// The executions now running: the bound on their number, and how cancel() finds one.
//
// A slot is claimed without a lock; its own lock is taken only to attach and to cancel.
// Threads  any thread; a Claim belongs to its execution's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

#include "capability/run_protocol.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

class RunningSlots {
  struct alignas(64) Slot {
    std::atomic<bool> taken{false};
    std::atomic<bool> cancelled{false};
    std::mutex mutex;  // guards what follows
    ExecutionId id;
    std::optional<engine::StopHandle> handle;
  };

 public:
  explicit RunningSlots(std::size_t count) : slots_(std::make_unique<Slot[]>(count)), count_(count) {}

  class Claim final : public StopTarget {
   public:
    explicit Claim(Slot& slot) noexcept : slot_(&slot) {}
    Claim(Claim&& from) noexcept : slot_(std::exchange(from.slot_, nullptr)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() override;
    const std::atomic<bool>& cancelled() const noexcept { return slot_->cancelled; }
    void attach(engine::StopHandle handle) override;

   private:
    Slot* slot_;
  };

  // Nothing when all are taken.
  std::optional<Claim> claim(const ExecutionId& id);
  bool cancel(const ExecutionId& id);
  std::size_t cancel_all();
  std::size_t running() const noexcept;
  std::size_t size() const noexcept { return count_; }

 private:
  template <class Matches>
  std::size_t cancel_where(const Matches& matches);

  std::unique_ptr<Slot[]> slots_;
  std::size_t count_;
};

}  // namespace fusebox::capability
