#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/async.h"
#include "engine/wasmtime_instance.h"
#include "engine/wasmtime_trap.h"

namespace fusebox::engine {
namespace {

using FuturePtr = std::unique_ptr<wasmtime_call_future_t, Freed<wasmtime_call_future_delete>>;

wasmtime_val_t to_val(ValType type, const RawValue& raw) noexcept {
  wasmtime_val_t value{};
  switch (type) {
    case ValType::i64:
      value.kind = WASMTIME_I64;
      value.of.i64 = raw.i64;
      break;
    case ValType::f32:
      value.kind = WASMTIME_F32;
      value.of.f32 = raw.f32;
      break;
    case ValType::f64:
      value.kind = WASMTIME_F64;
      value.of.f64 = raw.f64;
      break;
    case ValType::v128:
      value.kind = WASMTIME_V128;
      std::memcpy(value.of.v128, raw.v128, sizeof raw.v128);
      break;
    default:
      value.kind = WASMTIME_I32;
      value.of.i32 = raw.i32;
      break;
  }
  return value;
}

RawValue to_raw(const wasmtime_val_t& value) noexcept {
  RawValue raw{};
  std::memcpy(&raw, &value.of, sizeof raw);
  return raw;
}

// Why a guest that waits must end now. Waiting spends no CPU time.
std::optional<Limit> must_end(const Instance::Impl& self) noexcept {
  const CallSlot& slot = *self.slot;
  if (slot.must_stop()) return slot.limit();
  if (self.is_cancelled()) return Limit::cancelled;
  if (monotonic_ns() >= slot.wall_deadline_ns) return Limit::wall_time;
  return std::nullopt;
}

void end_wait(Instance::Impl& self, wasm_trap_t** trap, Outcome outcome) {
  if (!self.pending) self.pending = std::move(outcome);
  *trap = wasmtime_trap_new("host", 4);
}

// One blocking host function that waits. Lives from its call until its continuation is dropped.
struct Suspended {
  const BoundImport& import;
  Instance::Impl& self;
  std::vector<RawValue> values;
  wasmtime_val_t* results;
  wasm_trap_t** trap;
  Waiting waiting;

  Suspended(const BoundImport& from, Instance::Impl& instance, std::size_t count, wasmtime_val_t* out,
            wasm_trap_t** trap_out)
      : import(from), self(instance), values(count), results(out), trap(trap_out) {}
  Suspended(const Suspended&) = delete;
  Suspended& operator=(const Suspended&) = delete;
  ~Suspended() {
    if (waiting.drop != nullptr) waiting.drop(waiting.state);
  }
  bool finish() {
    for (std::size_t i = 0; i < import.type.results.size(); ++i) results[i] = to_val(import.type.results[i], values[i]);
    return true;
  }
  bool end(Outcome outcome) {
    end_wait(self, trap, std::move(outcome));
    return true;
  }
  // Whether the guest can go on, or must end.
  bool look() {
    if (const std::optional<Limit> why = must_end(self)) return end({Stopped{*why, {}}, {}});
    return waiting.ready(waiting.state, values.data()) && finish();
  }
};

void drop_suspended(void* env) noexcept {
  delete static_cast<Suspended*>(env);
}
bool look_at_suspended(void* env) noexcept {
  return static_cast<Suspended*>(env)->look();
}
bool ready_at_once(void*) noexcept {
  return true;
}

// Of wait_trampoline: not ready at the first look, ready at the next poll().
bool look_at_wait(void* env) noexcept {
  auto& self = *static_cast<Instance::Impl*>(env);
  if (const std::optional<Limit> why = must_end(self)) {
    end_wait(self, self.wait_trap, {Stopped{*why, {}}, {}});
    return true;
  }
  return std::exchange(self.waited, true);
}

}  // namespace

void blocking_trampoline(void* env, wasmtime_caller_t* caller, const wasmtime_val_t* args, std::size_t args_count,
                         wasmtime_val_t* results, std::size_t results_count, wasm_trap_t** trap,
                         wasmtime_async_continuation_t* continuation) noexcept {
  const auto& import = *static_cast<const BoundImport*>(env);
  auto& self = *static_cast<Instance::Impl*>(wasmtime_context_get_data(wasmtime_caller_context(caller)));
  ++self.host_calls;
  auto call =
      std::make_unique<Suspended>(import, self, std::max<std::size_t>({args_count, results_count, 1}), results, trap);
  for (std::size_t i = 0; i < args_count; ++i) call->values[i] = to_raw(args[i]);
  *continuation = {&ready_at_once, nullptr, nullptr};
  HostContext context(self.user, self.owner);
  if (!import.blocking(context, import.env, call->values.data(), call->waiting)) {
    call->end({Trapped{TrapKind::host_error, "host function " + import.name + " failed without a reason", {}}, {}});
  } else if (self.slot->must_stop()) {
    call->end({Stopped{self.slot->limit(), {}}, {}});
  } else if (call->waiting.ready == nullptr) {
    call->finish();
  } else {
    *continuation = {&look_at_suspended, call.release(), &drop_suspended};
  }
}

void wait_trampoline(void*, wasmtime_caller_t* caller, const wasmtime_val_t*, std::size_t, wasmtime_val_t*, std::size_t,
                     wasm_trap_t** trap, wasmtime_async_continuation_t* continuation) noexcept {
  auto& self = *static_cast<Instance::Impl*>(wasmtime_context_get_data(wasmtime_caller_context(caller)));
  self.waited = false;
  self.wait_trap = trap;
  *continuation = {&look_at_wait, &self, nullptr};
}

wasmtime_error_t* instantiate_on_fiber(Instance::Impl& self, const wasmtime_instance_pre_t* pre,
                                       wasm_trap_t** trap) noexcept {
  wasmtime_error_t* error = nullptr;
  const FuturePtr future(wasmtime_instance_pre_instantiate_async(pre, self.context, &self.instance, trap, &error));
  // No guest code runs in instantiation (expose.h), so nothing in it can wait.
  if (!wasmtime_call_future_poll(future.get())) return wasmtime_error_new("instantiation waited");
  return error;
}

struct AsyncCall::Impl {
  Instance::Impl& self;
  wasmtime_func_t function{};
  std::vector<wasmtime_val_t> arguments;
  std::vector<wasmtime_val_t> wasm_results;
  std::vector<RawValue> results;
  std::int64_t tick_budget = 0;
  std::int64_t wall_deadline_ns = kNever;
  std::int64_t cpu_left_ns = kNever;
  wasm_trap_t* trap = nullptr;
  wasmtime_error_t* error = nullptr;
  FuturePtr future;       // null once the call has ended
  bool starting = false;  // the start function runs first
  wasmtime_func_t start{};
  Outcome outcome;

  explicit Impl(Instance::Impl& instance) noexcept : self(instance) {}
  void begin() {
    future.reset(starting ? wasmtime_func_call_async(self.context, &start, nullptr, 0, nullptr, 0, &trap, &error)
                          : wasmtime_func_call_async(self.context, &function, arguments.data(), arguments.size(),
                                                     wasm_results.data(), wasm_results.size(), &trap, &error));
  }
  // Whether the call has ended.
  bool advance() {
    if (!wasmtime_call_future_poll(future.get())) return false;
    if (!std::exchange(starting, false)) return true;
    self.start_pending = false;
    if (error != nullptr || trap != nullptr) return true;
    begin();
    return wasmtime_call_future_poll(future.get());
  }
  void end(const CallSlot& slot) {
    future.reset();
    self.end_account(tick_budget);
    if (error == nullptr && trap == nullptr) {
      self.life = Instance::Impl::Life::idle;
      for (const wasmtime_val_t& value : wasm_results) results.push_back(to_raw(value));
    } else {
      self.finish_badly(slot, error, trap);
      outcome = std::exchange(self.outcome, Outcome{});
    }
    outcome.usage.ticks = static_cast<std::uint64_t>(std::max<std::int64_t>(self.ticks, 0));
    outcome.usage.host_calls = self.host_calls;
  }
};

base::Result<std::unique_ptr<AsyncCall>> AsyncCall::start(Instance& instance, std::string_view export_name,
                                                          std::span<const RawValue> arguments,
                                                          const CallBudget& budget) {
  Instance::Impl& self = instance.impl();
  FB_TRY(const Function function, instance.function(export_name));
  const FuncType& type = self.code().info.find_export(export_name)->function;
  if (arguments.size() != type.params.size()) {
    return base::fail(base::Errc::invalid, "call: " + std::to_string(arguments.size()) + " arguments given; \"" +
                                               std::string(export_name) + "\" takes " +
                                               std::to_string(type.params.size()));
  }
  if (self.life != Instance::Impl::Life::idle)
    return base::fail(base::Errc::invalid, "call: the instance is in a call or did not complete one");
  if (!self.engine().options.async)
    return base::fail(base::Errc::invalid, "call: asynchronous calls need an engine with async = true");
  if (budget.ticks > 0 && self.stopping != Stopping::ticks) {
    return base::fail(base::Errc::unsupported, "call: a tick budget needs an engine with stopping = ticks");
  }
  auto impl = std::make_unique<Impl>(self);
  if (self.start_pending) {
    FB_TRY(const Function start, self.start_function());
    std::memcpy(&impl->start, start.handle, sizeof impl->start);
    impl->starting = true;
  }
  std::memcpy(&impl->function, function.handle, sizeof impl->function);
  for (std::size_t i = 0; i < arguments.size(); ++i) impl->arguments.push_back(to_val(type.params[i], arguments[i]));
  impl->wasm_results.resize(type.results.size());
  impl->tick_budget = self.begin_account(budget);
  if (budget.wall.count() > 0) impl->wall_deadline_ns = monotonic_ns() + budget.wall.count();
  if (budget.cpu.count() > 0) impl->cpu_left_ns = budget.cpu.count();
  impl->begin();
  self.life = Instance::Impl::Life::calling;
  return std::make_unique<AsyncCall>(std::move(impl));
}

bool AsyncCall::poll() {
  Impl& call = *impl_;
  if (!call.future) return true;
  Instance::Impl& self = call.self;
  base::Result<StopThread*> thread = StopThread::create();
  if (!thread) {
    call.future.reset();
    self.life = Instance::Impl::Life::over;
    call.outcome = {Failed{thread.error()}, {}};
    return true;
  }
  CallSlot slot;
  self.attach(**thread, slot);
  const std::int64_t start_ns = monotonic_ns();
  slot.wall_deadline_ns = call.wall_deadline_ns;
  slot.cpu_start_ns = thread_cpu_ns();
  slot.cpu_budget_ns = call.cpu_left_ns;
  if (call.cpu_left_ns != kNever) slot.cpu_deadline_ns = start_ns + call.cpu_left_ns;
  self.enter(**thread, slot);
  if (self.is_cancelled() && !slot.watched) (*thread)->arm_for(start_ns);  // cancelled while no thread ran it
  const bool ended = call.advance();
  self.leave(**thread, slot);
  if (call.cpu_left_ns != kNever) {
    call.cpu_left_ns -= thread_cpu_ns() - slot.cpu_start_ns - slot.host_ns.load(std::memory_order_relaxed);
    call.cpu_left_ns = std::max<std::int64_t>(call.cpu_left_ns, 0);
  }
  if (ended) call.end(slot);
  return ended;
}

AsyncCall::AsyncCall(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
AsyncCall::~AsyncCall() {
  if (impl_->future) impl_->self.life = Instance::Impl::Life::over;  // dropping the future unwinds the guest
}
std::span<const RawValue> AsyncCall::results() const noexcept {
  return impl_->results;
}
Outcome AsyncCall::take_outcome() {
  return std::exchange(impl_->outcome, Outcome{});
}

}  // namespace fusebox::engine
