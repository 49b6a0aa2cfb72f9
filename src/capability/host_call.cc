#include "capability/host_call.h"

#include <cstring>

#include "base/bytes.h"
#include "engine/host_time.h"

namespace fusebox::capability {

namespace {

// Functions that wait for a disk or a network: wall time says nothing about the processor time they take.
bool waits(HostCapability capability) noexcept {
  return capability == HostCapability::http_request || capability == HostCapability::fs_read ||
         capability == HostCapability::fs_write;
}

}  // namespace

bool HostCall::run(engine::HostContext& context, const HostFunctionRow& row, const HostSignature& signature,
                   engine::RawValue* values) {
  Execution& execution = *static_cast<Execution*>(context.user());
  const base::Clock& clock = *execution.setup().clock;
  // A refusal waits for nothing and need not pay for two readings of the processor clock.
  const bool slow = waits(row.capability) && execution.setup().grants.has(row.capability);
  const base::Nanos start = slow ? clock.thread_cpu() : clock.monotonic();
  bool goes_on = false;
  {
    const engine::HostTime not_the_guests(
        context, slow ? engine::HostTime::Clock::thread_cpu : engine::HostTime::Clock::monotonic);
    HostCall call(context, execution, row);
    goes_on = call.answer(signature, values);
  }
  execution.add_host_cpu((slow ? clock.thread_cpu() : clock.monotonic()) - start);
  return goes_on;
}

bool HostCall::answer(const HostSignature& signature, engine::RawValue* values) {
  ++execution_.counters().host_calls;
  if (stop_if_asked()) return false;
  const std::int32_t code = perform(signature, values);
  if (execution_.ended() != HostEnd::none) return false;
  if (stop_if_asked()) return false;
  if (signature.returns_code) values[0].i32 = code;
  return true;
}

std::int32_t HostCall::perform(const HostSignature& signature, const engine::RawValue* values) {
  // The enabled check comes before the bounds check, so that a guest without the capability learns nothing about either
  // and the refusal reaches the audit log as what it is.
  if (!execution_.setup().grants.has(row_.capability)) {
    refuse(gate::host_function(row_.capability, execution_.setup().grants), {});
    return refused();
  }
  if (!decode(signature, values)) return 0;
  if (!base::is_utf8(text_)) {
    refuse(deny(Decision::denied_argument_invalid, HostCode::utf8_invalid, "the text is not valid UTF-8"), {});
    return refused();
  }
  if (execution_.counters().host_calls > execution_.setup().limits.host_calls) {
    refuse(gate::host_calls(execution_.setup().limits, execution_.counters()), {});
    return refused();
  }
  return row_.handler(*this);
}

bool HostCall::stop_if_asked() {
  if (!context_.stop_requested() && !execution_.cancelled()) return false;
  // No trap text: the engine knows which limit it was, and run_protocol where it does not.
  execution_.end(HostEnd::stopped, "stopped in a host call");
  return true;
}

bool HostCall::decode(const HostSignature& signature, const engine::RawValue* values) {
  const std::span<std::byte> memory = context_.memory();
  std::uint32_t pointer = 0;
  for (std::size_t i = 0; i < signature.param_count; ++i) {
    const auto value = static_cast<std::uint32_t>(values[i].i32);
    switch (signature.params[i]) {
      case Param::level:
        level_ = values[i].i32;
        continue;
      case Param::offset:
        offset_ = value;
        continue;
      case Param::text_ptr:
      case Param::data_ptr:
      case Param::out_ptr:
        pointer = value;
        continue;
      case Param::text_len:
      case Param::data_len:
      case Param::out_cap:
        break;
    }
    if (!base::in_bounds(pointer, value, memory.size())) {
      fault(pointer, value);
      return false;
    }
    const std::span<std::byte> range = memory.subspan(pointer, value);
    if (signature.params[i] == Param::out_cap) {
      out_ = range;
    } else {
      (signature.params[i] == Param::text_len ? text_ : data_) = base::as_text(range);
    }
  }
  return true;
}

void HostCall::fault(std::uint32_t pointer, std::uint32_t length) {
  const std::string where = "[" + std::to_string(pointer) + ", +" + std::to_string(length) + ")";
  const std::string size = std::to_string(context_.memory().size());
  execution_.record(AuditType::security_violation, "gate", capability(), {}, "GUEST_MEMORY_FAULT",
                    "{\"function\":\"" + std::string(row_.name) + "\",\"pointer\":" + std::to_string(pointer) +
                        ",\"length\":" + std::to_string(length) + ",\"memory_bytes\":" + size + "}");
  std::string message =
      std::string(row_.name) + " was given the buffer " + where + " outside the guest's memory of " + size + " bytes";
  execution_.end(HostEnd::memory_fault, message, capability());
  context_.trap(std::move(message));
}

bool HostCall::decide(const Ruling& ruling, std::string_view detail) {
  if (!ruling.authorized()) return refuse(ruling, detail);
  execution_.record_decision(capability(), ruling, detail);
  action_start_ = execution_.setup().clock->monotonic();
  return true;
}

bool HostCall::refuse(const Ruling& ruling, std::string_view detail) {
  if (row_.capability != HostCapability::none) execution_.record_decision(capability(), ruling, detail);
  tell_guest(ruling);
  return false;
}

void HostCall::tell_guest(const Ruling& ruling) {
  refused_ = ruling.code;
  execution_.clear_pending();
  execution_.set_last_error({std::string(to_string(ruling.decision)), ruling.reason, capability(), ruling.code,
                             execution_.setup().clock->wall()});
  if (execution_.policy().on_denied == policy::OnDenied::trap && row_.capability != HostCapability::none) {
    execution_.end(HostEnd::denied, ruling.reason, capability());
    context_.end(engine::Denied{std::string(capability()), ruling.reason});
  }
}

GatewayCall HostCall::gateway_call() {
  GatewayCall call;
  call.wall_left = context_.wall_left();
  call.stop = [this] { return context_.stop_requested() || execution_.cancelled(); };
  call.decided = [this](const Ruling& ruling, std::string_view detail) {
    execution_.record_decision(capability(), ruling, detail);
    // What follows leaves the process: the decision must be on record even if the process does not survive it.
    if (ruling.authorized()) execution_.flush_audit();
  };
  return call;
}

bool HostCall::accept(const GatewayReply& reply, std::int32_t& code) {
  if (!reply.ruling.authorized()) {
    tell_guest(reply.ruling);
    code = refused();
    return false;
  }
  record_action(to_string(reply.code), reply.facts, reply.duration);
  if (reply.ok()) return true;
  code = fail(reply.code, reply.reason);
  return false;
}

std::int32_t HostCall::fail(HostCode code, std::string reason) {
  execution_.clear_pending();
  execution_.set_last_error(
      {std::string(to_string(code)), std::move(reason), capability(), code, execution_.setup().clock->wall()});
  return static_cast<std::int32_t>(code);
}

std::int32_t HostCall::deliver(std::string output) {
  if (output.size() > kOutputMax) return fail(HostCode::too_large, "the output does not fit a 32-bit count");
  execution_.set_pending(std::move(output));
  return copy_out(execution_.pending());
}

std::int32_t HostCall::deliver_view(std::string_view output) {
  execution_.set_pending_view(output);
  return copy_out(output);
}

std::int32_t HostCall::copy_out(std::string_view output) {
  const std::size_t count = std::min(output.size(), out_.size());
  if (count != 0) std::memcpy(out_.data(), output.data(), count);
  return static_cast<std::int32_t>(output.size());
}

void HostCall::record_action(std::string_view outcome, std::string_view fields) {
  record_action(outcome, fields, execution_.setup().clock->monotonic() - action_start_);
}

void HostCall::record_action(std::string_view outcome, std::string_view fields, base::Nanos took) {
  execution_.setup().statistics->host_call.add(took);
  std::string detail =
      "{\"function\":\"" + std::string(row_.name) + "\",\"duration_ns\":" + std::to_string(took.count());
  if (!fields.empty()) detail.append(",").append(fields);
  detail += '}';
  execution_.record(AuditType::host_call, "gate", capability(), {}, outcome, detail);
}

}  // namespace fusebox::capability
