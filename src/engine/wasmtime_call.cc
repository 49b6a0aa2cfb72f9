// The path of every call into a guest. What is not needed when a call completes is kept out of line.
#include <algorithm>

#include "engine/call_limits.h"
#include "engine/native_stack.h"
#include "engine/wasmtime_instance.h"
#include "engine/wasmtime_trap.h"

// Small steps of every call that asynchronous calls take too: inlined here all the same.
#define FUSEBOX_ONE_PIECE __attribute__((always_inline)) inline

namespace fusebox::engine {
namespace {

void epoch_poke(void* engine) noexcept {
  wasmtime_engine_increment_epoch(static_cast<wasm_engine_t*>(engine));
}

std::int64_t after(std::int64_t start_ns, std::chrono::nanoseconds span) noexcept {
  return span.count() >= kNever - start_ns ? kNever : start_ns + span.count();
}

Outcome failed(base::Errc code, std::string message) {
  return {Failed{{code, std::move(message), {}, nullptr}}, {}};
}

void set_cpu_deadline(CallSlot& slot, std::chrono::nanoseconds budget, StopThread::Start start) noexcept {
  slot.cpu_budget_ns = budget.count();
  slot.cpu_deadline_ns = after(start.monotonic_ns, budget);
  slot.cpu_start_ns = start.cpu_ns;
}

struct Call {
  const wasmtime_func_t* function;
  wasmtime_val_raw_t* values;
  std::size_t count;
};

wasmtime_error_t* call_function(Instance::Impl& self, void* env, wasm_trap_t** trap) noexcept {
  const Call& call = *static_cast<Call*>(env);
  return wasmtime_func_call_unchecked(self.context, call.function, call.values, call.count, trap);
}

static_assert(sizeof(RawValue) == sizeof(wasmtime_val_raw_t));
static_assert(sizeof(Function::handle) == sizeof(wasmtime_func_t));

}  // namespace

bool Instance::Impl::refuse(Outcome why) noexcept {
  outcome = std::move(why);
  ticks = 0;
  host_calls = 0;
  host_ns = 0;
  return false;
}

// Of a host function that asked for an end and then did not return false.
__attribute__((noinline)) void Instance::Impl::forget_pending() noexcept {
  pending.reset();
}

std::int64_t Instance::Impl::begin_account(const CallBudget& budget) noexcept {
  const std::int64_t tick_budget = budget.ticks > 0 ? std::min(budget.ticks, kTicksMax) : kTicksMax;
  if (counter != nullptr) {
    std::atomic_ref<std::int64_t>(*counter).store(counts_ticks ? tick_budget : 0, std::memory_order_relaxed);
  }
  host_calls = 0;
  if (pending) [[unlikely]]
    forget_pending();
  return tick_budget;
}

void Instance::Impl::end_account(std::int64_t tick_budget) noexcept {
  ticks = 0;
  if (!counts_ticks) return;
  ticks = tick_budget - without_stop_bias(std::atomic_ref<std::int64_t>(*counter).load(std::memory_order_relaxed));
}

void Instance::Impl::attach(StopThread& thread, CallSlot& call_slot) noexcept {
  call_slot.counter = counter;
  call_slot.watched = watcher != nullptr;
  if (stopping == Stopping::epoch) {
    call_slot.poke = &epoch_poke;
    call_slot.poke_env = wasm_engine;
    wasmtime_context_set_epoch_deadline(context, 1);
  }
  if (stop_state) {
    // Published before the flag is looked at: a cancel sees this thread, or this call sees the cancel.
    if (stop_state->thread.load(std::memory_order_relaxed) != thread.id()) stop_state->thread.store(thread.id());
    call_slot.cancelled.store(&stop_state->cancelled, std::memory_order_relaxed);
  }
}

void Instance::Impl::enter(StopThread& thread, CallSlot& call_slot) noexcept {
  life = Life::calling;
  slot = &call_slot;
  thread.enter(call_slot, stopping != Stopping::none && watcher == nullptr);
  if (watcher != nullptr) [[unlikely]]
    watcher->enter(call_slot);
}

void Instance::Impl::leave(StopThread& thread, CallSlot& call_slot) noexcept {
  if (watcher != nullptr) [[unlikely]]
    watcher->leave(call_slot);
  thread.leave(call_slot);
  slot = nullptr;
}

void Instance::Impl::set_deadlines(StopThread& thread, CallSlot& call_slot, const CallBudget& budget) const noexcept {
  if (stopping == Stopping::none || (budget.wall.count() <= 0 && budget.cpu.count() <= 0)) return;
  if (budget.wall.count() <= 0) {
    set_cpu_deadline(call_slot, budget.cpu, thread.start_at(budget.read_ns));
    return;
  }
  const std::int64_t start_ns = monotonic_ns();
  call_slot.wall_deadline_ns = after(start_ns, budget.wall);
  if (budget.cpu.count() > 0) set_cpu_deadline(call_slot, budget.cpu, {start_ns, thread.cpu_at(start_ns)});
}

__attribute__((noinline)) bool Instance::Impl::refuse_life() noexcept {
  return refuse(failed(base::Errc::unavailable,
                       life == Life::calling
                           ? "call: the instance is in a call already; a host function may call other instances only"
                           : "call: the instance did not complete an earlier call; make a new one"));
}
__attribute__((noinline)) bool Instance::Impl::refuse_ticks() noexcept {
  return refuse(failed(base::Errc::unsupported, "call: a tick budget needs an engine with stopping = ticks"));
}
__attribute__((noinline)) bool Instance::Impl::refuse_blocking() noexcept {
  return refuse(failed(base::Errc::invalid, "call: the module imports functions that wait; use an asynchronous call"));
}

__attribute__((noinline)) bool Instance::Impl::run_on_more_stack(StopThread& thread, const CallBudget& budget,
                                                                 Body body, void* env) noexcept {
  if (thread.innermost() != nullptr && thread.innermost()->depth >= kNestedCallsMax) {
    return refuse(
        {Trapped{
             TrapKind::stack_overflow, "guests call each other through host functions too deeply for this thread", {}},
         {}});
  }
  struct Moved {
    Impl& self;
    StopThread& thread;
    const CallBudget& budget;
    Body body;
    void* env;
    bool completed;
  } moved{*this, thread, budget, body, env, false};
  const base::Result<void> ran = run_on_own_stack(
      stack_need_bytes,
      [](void* raw) noexcept {
        auto& m = *static_cast<Moved*>(raw);
        m.completed = m.self.run_here(m.thread, m.budget, m.body, m.env);
      },
      &moved);
  if (!ran) return refuse({Failed{ran.error()}, {}});
  return moved.completed;
}

__attribute__((noinline)) bool Instance::Impl::over_before_it_began() noexcept {
  life = Life::over;
  outcome = {Stopped{Limit::cancelled, {}}, {}};
  return false;
}

FUSEBOX_ONE_PIECE bool Instance::Impl::run_here(StopThread& thread, const CallBudget& budget, Body body,
                                                void* env) noexcept {
  if (budget.ticks > 0 && stopping != Stopping::ticks) [[unlikely]]
    return refuse_ticks();
  if (blocks && body == &call_function) [[unlikely]]
    return refuse_blocking();
  const std::int64_t tick_budget = begin_account(budget);
  CallSlot here;
  attach(thread, here);
  set_deadlines(thread, here, budget);
  enter(thread, here);
  wasmtime_error_t* error = nullptr;
  wasm_trap_t* trap = nullptr;
  const bool cancelled = is_cancelled();
  if (!cancelled) [[likely]]
    error = body(*this, env, &trap);
  leave(thread, here);
  host_ns = here.host_ns.load(std::memory_order_relaxed);
  end_account(tick_budget);
  if (error == nullptr && trap == nullptr && !cancelled) [[likely]] {
    life = Life::idle;
    return true;
  }
  return cancelled ? over_before_it_began() : finish_badly(here, error, trap);
}

FUSEBOX_ONE_PIECE bool Instance::Impl::run_known(const CallBudget& budget, Body body, void* env) noexcept {
  if (life != Life::idle) [[unlikely]]
    return refuse_life();
  StopThread* thread = StopThread::current();
  if (thread == nullptr) [[unlikely]] {
    base::Result<StopThread*> made = StopThread::create();
    if (!made) return refuse({Failed{std::move(made.error())}, {}});
    thread = *made;
  }
  if (has_native_stack(stack_need_bytes)) [[likely]]
    return run_here(*thread, budget, body, env);
  return run_on_more_stack(*thread, budget, body, env);
}

bool Instance::Impl::run(const CallBudget& budget, Body body, void* env) noexcept {
  return run_known(budget, body, env);
}

__attribute__((noinline)) bool Instance::Impl::finish_badly(const CallSlot& call_slot, wasmtime_error_t* error,
                                                            wasm_trap_t* trap) noexcept {
  const GuestEnd end{ErrorPtr(error), TrapPtr(trap)};
  Ended ended = read_end(code(), call_slot, end, std::exchange(pending, std::nullopt));
  if (counts_ticks) ticks -= ended.refund_ticks;
  outcome = std::move(ended.outcome);
  const auto* exited = std::get_if<Exited>(&outcome.how);
  life = exited != nullptr && exited->code == 0 ? Life::idle : Life::over;
  return false;
}

bool Instance::call_fast(const Function& function, RawValue* values, const CallBudget& budget) noexcept {
  Call call{reinterpret_cast<const wasmtime_func_t*>(function.handle), reinterpret_cast<wasmtime_val_raw_t*>(values),
            std::max(function.params, function.results)};
  return impl_->run_known(budget, &call_function, &call);
}

Outcome Instance::call(const Function& function, std::span<RawValue> values, const CallBudget& budget) {
  if (values.size() < std::max(function.params, function.results)) {
    return failed(base::Errc::invalid, "call: " + std::to_string(values.size()) + " values given; the function takes " +
                                           std::to_string(function.params) + " and returns " +
                                           std::to_string(function.results));
  }
  const std::int64_t start_ns = monotonic_ns();
  const std::int64_t start_cpu_ns = thread_cpu_ns();
  Outcome outcome;
  if (!call_fast(function, values.data(), budget)) outcome = take_outcome();
  const std::int64_t cpu_ns = thread_cpu_ns() - start_cpu_ns - impl_->host_ns;
  outcome.usage.cpu_us = static_cast<std::uint64_t>(std::max<std::int64_t>(cpu_ns, 0)) / 1000;
  outcome.usage.wall_us = static_cast<std::uint64_t>(monotonic_ns() - start_ns) / 1000;
  outcome.usage.ticks = static_cast<std::uint64_t>(std::max<std::int64_t>(impl_->ticks, 0));
  outcome.usage.host_calls = impl_->host_calls;
  outcome.usage.peak_memory_bytes = peak_memory_bytes();
  return outcome;
}

Outcome Instance::take_outcome() {
  return std::exchange(impl_->outcome, Outcome{});
}

}  // namespace fusebox::engine
