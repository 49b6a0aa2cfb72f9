// What may happen to one VM at the same time: 64 guest calls, one of start-agent, snapshot and restore, and a DELETE that
// ends all of them.
//
// Owner    the gates outlive the passes and tokens they give.
// Threads  one executor.
// Errors   `unavailable` (503) when too much is under way; `exists` (409) while the VM is being destroyed.
// Contract host-agent.md 8.1
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/executor.h"
#include "base/result.h"
#include "base/task.h"
#include "base/wait.h"

namespace fusebox::host {

class VmGates {
  struct Vm;

 public:
  explicit VmGates(base::Executor& executor) noexcept : executor_(executor) {}
  VmGates(const VmGates&) = delete;
  VmGates& operator=(const VmGates&) = delete;

  // Leave to work on a VM, given back by destruction. `stop` is requested by a DELETE of the VM.
  class [[nodiscard]] Pass {
   public:
    Pass(Pass&& from) noexcept = default;
    Pass& operator=(Pass&& from) noexcept;
    ~Pass();
    std::stop_token stop() const noexcept;

   private:
    friend class VmGates;
    Pass(VmGates& gates, std::string name, std::shared_ptr<Vm> vm, bool guest_call,
         std::optional<base::Places::Place> alone);
    VmGates* gates_;
    std::string name_;
    std::shared_ptr<Vm> vm_;  // null: moved from
    bool guest_call_;
    std::optional<base::Places::Place> alone_;
  };

  base::Result<Pass> enter(const std::string& name);
  // Waits for the one before; `unavailable` when that took longer than `limit`.
  base::Task<base::Result<Pass>> enter_alone(std::string name, base::Nanos limit);

  // Stops what is under way and runs `act`, once for all who ask while it runs.
  base::Task<base::Result<void>> destroy(std::string name, std::function<base::Task<base::Result<void>>()> act);

  std::size_t size() const noexcept { return vms_.size(); }

 private:
  std::shared_ptr<Vm> find_or_make(const std::string& name);
  void drop_if_idle(const std::string& name, const std::shared_ptr<Vm>& vm);
  base::Executor& executor_;
  std::map<std::string, std::shared_ptr<Vm>> vms_;
};

}  // namespace fusebox::host
