// From compiled code into host functions and back.
#include <exception>

#include "engine/call_limits.h"
#include "engine/wasmtime_instance.h"

namespace fusebox::engine {
namespace {

Outcome host_error(std::string_view message) {
  return {Trapped{TrapKind::host_error, std::string(base::utf8_prefix(message, kHostMessageBytesMax)), {}}, {}};
}

// The text is never shown: read_end() takes what stands in `pending`.
wasm_trap_t* unwind() {
  return wasmtime_trap_new("host", 4);
}

__attribute__((noinline)) wasm_trap_t* end_call(Instance::Impl& self, const BoundImport& import, bool completed) {
  if (!self.pending && self.slot->must_stop()) self.pending = Outcome{Stopped{self.slot->limit(), {}}, {}};
  if (!self.pending && !completed)
    self.pending = host_error("host function " + import.name + " failed without a reason");
  return unwind();
}

// In a catch block. Out of line, so that the way a host function usually goes carries no code for exceptions.
__attribute__((noinline, cold)) void note_exception(const BoundImport& import, HostContext& context) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    context.trap("host function " + import.name + " threw: " + error.what());
  } catch (...) {
    context.trap("host function " + import.name + " threw");
  }
}

}  // namespace

namespace {

struct Asked {
  Instance::Impl& self;
  wasm_trap_t* trap;
};

[[gnu::always_inline]] inline Asked call_host(const BoundImport& import, wasmtime_caller_t* caller,
                                              wasmtime_val_raw_t* values) noexcept {
  auto& self = *static_cast<Instance::Impl*>(wasmtime_context_get_data(wasmtime_caller_context(caller)));
  ++self.host_calls;
  // Contract edge.md 2.2: the stop flag is looked at before a host function starts and before control returns to the
  // guest.
  if (self.slot->must_stop()) [[unlikely]]
    return {self, end_call(self, import, true)};
  HostContext context(self.user, self.owner);
  bool completed = false;
  try {
    completed = import.function(context, import.env, reinterpret_cast<RawValue*>(values));
  } catch (...) {
    note_exception(import, context);
  }
  if (completed && !self.slot->must_stop()) [[likely]]
    return {self, nullptr};
  return {self, end_call(self, import, completed)};
}

}  // namespace

wasm_trap_t* host_call_trampoline(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values,
                                  std::size_t) noexcept {
  return call_host(*static_cast<const BoundImport*>(env), caller, values).trap;
}

wasm_trap_t* asking_trampoline(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values, std::size_t) noexcept {
  const BoundImport& import = *static_cast<const BoundImport*>(env);
  const Asked asked = call_host(import, caller, values);
  if (asked.trap != nullptr || values[0].i32 != kCallAgain) [[likely]]
    return asked.trap;
  if (!import.waits) {
    asked.self.pending =
        host_error("host function " + import.name +
                   " asked to be called again, which only asynchronous calls of modules compiled for it can do");
    return unwind();
  }
  --asked.self.host_calls;  // it is one call, however often it is tried
  return nullptr;
}

std::span<std::byte> HostContext::memory() const noexcept {
  return instance_->memory();
}

void HostContext::trap(std::string message) {
  instance_->impl().pending = host_error(message);
}
void HostContext::end(Denied denied) {
  instance_->impl().pending = Outcome{std::move(denied), {}};
}
void HostContext::end(Exited exited) {
  instance_->impl().pending = Outcome{exited, {}};
}

std::chrono::nanoseconds HostContext::wall_left() const noexcept {
  const CallSlot* slot = instance_->impl().slot;
  if (slot == nullptr || slot->wall_deadline_ns == kNever) return std::chrono::nanoseconds::max();
  return std::chrono::nanoseconds(std::max<std::int64_t>(slot->wall_deadline_ns - monotonic_ns(), 0));
}

bool HostContext::stop_requested() const noexcept {
  const Instance::Impl& self = instance_->impl();
  if (self.slot == nullptr) return self.is_cancelled();
  // Who stops guests may not have come by yet. What a host function was told must hold when it returns.
  if (self.is_cancelled()) self.slot->stop_unless_stopped(Limit::cancelled);
  return self.slot->must_stop();
}

}  // namespace fusebox::engine
