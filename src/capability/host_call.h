// One call of a host function by a guest, in the order of contract capability.md section 7: stop flag, gate lookup and
// enabled check, bounds of all buffers, UTF-8, then what the handler does: argument validation, policy, action; and the
// stop flag again.
//
// Owner    Borrows the engine's context and the execution; lives for that call.
// Threads  the execution's thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "capability/execution.h"
#include "capability/host_functions.h"

namespace fusebox::capability {

class HostCall {
 public:
  // What the engine's function does: false ends the guest's call.
  static bool run(engine::HostContext& context, const HostFunctionRow& row, const HostSignature& signature,
                  engine::RawValue* values);

  Execution& execution() noexcept { return execution_; }
  engine::HostContext& context() noexcept { return context_; }
  std::string_view capability() const noexcept { return to_string(row_.capability); }

  // Arguments, checked. Views into the guest's memory: it cannot change them while the host works, because it does not
  // run.
  std::string_view text() const noexcept { return text_; }
  std::string_view data() const noexcept { return data_; }
  std::span<std::byte> out() const noexcept { return out_; }
  std::int32_t level() const noexcept { return level_; }
  std::uint32_t offset() const noexcept { return offset_; }

  // Audits a decision before the action. True: go on. False: return refused().
  bool decide(const Ruling& ruling, std::string_view detail = {});
  // For what decide() refused: the guest's code, kept as its last error; ends the execution under `on_denied: trap`.
  std::int32_t refused() noexcept { return static_cast<std::int32_t>(refused_); }
  // What a gateway needs of this call: every decision it tells is audited at once.
  GatewayCall gateway_call();
  // A gateway's reply, audited. False: `code` is what the guest gets.
  bool accept(const GatewayReply& reply, std::int32_t& code);
  // An authorised action that did not succeed.
  std::int32_t fail(HostCode code, std::string reason);
  // The output rule of 5.3.
  std::int32_t deliver(std::string output);
  std::int32_t deliver_view(std::string_view output);
  // One `host_call` record: `fields` completes the object with members, "" for none.
  void record_action(std::string_view outcome, std::string_view fields);

 private:
  HostCall(engine::HostContext& context, Execution& execution, const HostFunctionRow& row)
      : context_(context), execution_(execution), row_(row) {}
  bool answer(const HostSignature& signature, engine::RawValue* values);
  std::int32_t perform(const HostSignature& signature, const engine::RawValue* values);
  bool decode(const HostSignature& signature, const engine::RawValue* values);
  bool stop_if_asked();
  void fault(std::uint32_t pointer, std::uint32_t length);
  std::int32_t copy_out(std::string_view output);
  bool refuse(const Ruling& ruling, std::string_view detail);
  void tell_guest(const Ruling& ruling);
  void record_action(std::string_view outcome, std::string_view fields, base::Nanos took);

  engine::HostContext& context_;
  Execution& execution_;
  const HostFunctionRow& row_;
  std::string_view text_;
  std::string_view data_;
  std::span<std::byte> out_;
  std::int32_t level_ = 1;  // info, for signatures without a level
  std::uint32_t offset_ = 0;
  HostCode refused_ = HostCode::ok;
  base::Nanos action_start_{0};
};

// The handlers of the table.
std::int32_t host_log(HostCall& call);
std::int32_t host_http_request(HostCall& call);
std::int32_t host_fs_read(HostCall& call);
std::int32_t host_fs_write(HostCall& call);
std::int32_t host_env_get(HostCall& call);
std::int32_t host_result(HostCall& call);
std::int32_t host_input(HostCall& call);
std::int32_t host_buffer_read(HostCall& call);
std::int32_t host_last_error(HostCall& call);
// env.abort: AssemblyScript's own end of a program, not a host function of the table.
bool host_abort(engine::HostContext& context, void* env, engine::RawValue* values);

}  // namespace fusebox::capability
