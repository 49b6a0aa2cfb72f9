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

// Time is up, or somebody cancelled and the one who stops guests has not come by yet.
bool must_end(const Instance::Impl& self) noexcept {
  return self.slot->must_stop() || self.is_cancelled();
}

__attribute__((noinline)) wasm_trap_t* end_call(Instance::Impl& self, const BoundImport& import, bool completed) {
  if (!self.pending && !self.slot->must_stop() && must_end(self))
    self.pending = Outcome{Stopped{Limit::cancelled, {}}, {}};
  if (!self.pending && self.slot->must_stop()) self.pending = Outcome{Stopped{self.slot->limit(), {}}, {}};
  if (!self.pending && !completed)
    self.pending = host_error("host function " + import.name + " failed without a reason");
  return unwind();
}

// Out of line so that the way a host function usually goes carries no code for exceptions.
__attribute__((noinline)) bool call_guarded(const BoundImport& import, HostContext& context,
                                            RawValue* values) noexcept {
  try {
    return import.function(context, import.env, values);
  } catch (const std::exception& error) {
    context.trap("host function " + import.name + " threw: " + error.what());
  } catch (...) {
    context.trap("host function " + import.name + " threw");
  }
  return false;
}

}  // namespace

wasm_trap_t* host_call_trampoline(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values,
                                  std::size_t) noexcept {
  const BoundImport& import = *static_cast<const BoundImport*>(env);
  auto& self = *static_cast<Instance::Impl*>(wasmtime_context_get_data(wasmtime_caller_context(caller)));
  ++self.host_calls;
  // Contract edge.md 2.2: the stop flag is looked at before a host function starts and before control returns to the
  // guest.
  if (must_end(self)) [[unlikely]]
    return end_call(self, import, true);
  HostContext context(self.user, self.owner);
  const bool completed = call_guarded(import, context, reinterpret_cast<RawValue*>(values));
  if (completed && !must_end(self)) [[likely]]
    return nullptr;
  return end_call(self, import, completed);
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
  return self.is_cancelled() || (self.slot != nullptr && self.slot->must_stop());
}

}  // namespace fusebox::engine
