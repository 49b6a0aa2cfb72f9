#include "host/wire/vm_gates.h"

#include <utility>

#include "host/wire/limits.h"

namespace fusebox::host {

using base::Errc;
using base::fail;

struct VmGates::Vm {
  explicit Vm(base::Executor& executor) noexcept : alone(executor, 1), destroyed(executor) {}
  std::size_t guest_calls = 0;
  std::size_t users = 0;  // passes, and who waits for one
  base::Places alone;
  std::stop_source stop;
  bool destroying = false;
  std::optional<base::Result<void>> outcome;  // of the destruction, for all who wait for it
  base::Signal destroyed;
};

VmGates::Pass::Pass(VmGates& gates, std::string name, std::shared_ptr<Vm> vm, bool guest_call,
                    std::optional<base::Places::Place> alone)
    : gates_(&gates), name_(std::move(name)), vm_(std::move(vm)), guest_call_(guest_call), alone_(std::move(alone)) {
  ++vm_->users;
  if (guest_call_) ++vm_->guest_calls;
}

VmGates::Pass& VmGates::Pass::operator=(Pass&& from) noexcept {
  std::swap(gates_, from.gates_);
  std::swap(name_, from.name_);
  std::swap(vm_, from.vm_);
  std::swap(guest_call_, from.guest_call_);
  std::swap(alone_, from.alone_);
  return *this;
}

VmGates::Pass::~Pass() {
  if (vm_ == nullptr) return;
  alone_.reset();
  --vm_->users;
  if (guest_call_) --vm_->guest_calls;
  gates_->drop_if_idle(name_, vm_);
}

std::stop_token VmGates::Pass::stop() const noexcept {
  return vm_->stop.get_token();
}

std::shared_ptr<VmGates::Vm> VmGates::find_or_make(const std::string& name) {
  if (const auto found = vms_.find(name); found != vms_.end()) return found->second;
  if (vms_.size() >= kGatesMax) return nullptr;
  return vms_.emplace(name, std::make_shared<Vm>(executor_)).first->second;
}

void VmGates::drop_if_idle(const std::string& name, const std::shared_ptr<Vm>& vm) {
  if (vm->users != 0) return;
  const auto found = vms_.find(name);
  if (found != vms_.end() && found->second == vm) vms_.erase(found);
}

base::Result<VmGates::Pass> VmGates::enter(const std::string& name) {
  auto vm = find_or_make(name);
  if (vm == nullptr) return fail(Errc::unavailable, "too many VMs have calls under way");
  if (vm->destroying) return fail(Errc::exists, "vm " + name + " is being destroyed");
  if (vm->guest_calls >= kGuestCallsMax)
    return fail(Errc::unavailable, "vm " + name + " has 64 calls under way, the most allowed");
  return Pass(*this, name, std::move(vm), true, {});
}

base::Task<base::Result<VmGates::Pass>> VmGates::enter_alone(std::string name, base::Nanos limit) {
  auto vm = find_or_make(name);
  if (vm == nullptr) co_return fail(Errc::unavailable, "too many VMs have calls under way");
  if (vm->destroying) co_return fail(Errc::exists, "vm " + name + " is being destroyed");
  if (vm->alone.waiting() >= kExclusiveWaitersMax)
    co_return fail(Errc::unavailable, "vm " + name + " has 8 operations waiting, the most allowed");
  const base::Nanos deadline = executor_.clock().monotonic() + limit;
  ++vm->users;
  auto place = co_await vm->alone.take();
  --vm->users;
  // The holder before us was bounded too, so this comes late but it comes.
  const bool late = executor_.clock().monotonic() >= deadline;
  if (!vm->destroying && !late) co_return Pass(*this, name, vm, false, std::move(place));
  const bool destroying = vm->destroying;
  {
    const auto give_back = std::move(place);
  }
  drop_if_idle(name, vm);
  if (destroying) co_return fail(Errc::exists, "vm " + name + " is being destroyed");
  co_return fail(Errc::unavailable, "vm " + name + " is busy with another operation");
}

base::Task<base::Result<void>> VmGates::destroy(std::string name, std::function<base::Task<base::Result<void>>()> act) {
  auto vm = find_or_make(name);
  if (vm == nullptr) co_return fail(Errc::unavailable, "too many VMs have calls under way");
  ++vm->users;
  if (!vm->destroying) {
    vm->destroying = true;
    vm->stop.request_stop();
    auto outcome = co_await act();
    vm->outcome = std::move(outcome);
    // Whoever comes from now on meets a VM that is gone, or one whose destruction failed: a new gate.
    if (const auto found = vms_.find(name); found != vms_.end() && found->second == vm) vms_.erase(found);
    vm->destroyed.notify();
  }
  while (!vm->outcome) co_await vm->destroyed.wait();
  --vm->users;
  co_return *vm->outcome;
}

}  // namespace fusebox::host
