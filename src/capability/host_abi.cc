// The functions that are part of the ABI (result, input, buffer.read, last_error), env.get, log and AssemblyScript's
// abort.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/json.h"
#include "capability/host_call.h"
#include "capability/limits.h"

namespace fusebox::capability {

std::int32_t host_result(HostCall& call) {
  const std::uint64_t limit = call.execution().setup().limits.result_bytes;
  if (call.data().size() > limit) {
    return call.fail(HostCode::too_large, "limits.result_bytes allows a result of " + std::to_string(limit) + " bytes");
  }
  call.execution().set_result(call.data());
  return 0;
}

std::int32_t host_input(HostCall& call) {
  return call.deliver_view(call.execution().setup().input);
}

std::int32_t host_buffer_read(HostCall& call) {
  const std::string_view pending = call.execution().pending();
  if (call.offset() >= pending.size()) return 0;
  const std::size_t count = std::min(pending.size() - call.offset(), call.out().size());
  if (count != 0) std::memcpy(call.out().data(), pending.data() + call.offset(), count);
  return static_cast<std::int32_t>(count);
}

std::int32_t host_last_error(HostCall& call) {
  return call.deliver(call.execution().last_error_json());
}

std::int32_t host_env_get(HostCall& call) {
  const std::string name(call.text());
  const std::string detail =
      base::json::Writer().begin_object().key("name").string(name.substr(0, 255)).end_object().take();
  const Ruling ruling = gate::environment_name(name);
  // A refused name may hold anything; only accepted ones are written down.
  if (!call.decide(ruling, ruling.authorized() ? std::string_view(detail) : std::string_view())) return call.refused();
  const auto& vars = call.execution().policy().env.vars;
  const auto at = vars.find(name);
  if (at == vars.end()) {
    call.record_action("NOT_FOUND", {});
    return call.fail(HostCode::not_found, "the policy lists no variable of this name");
  }
  call.record_action("OK", "\"bytes\":" + std::to_string(at->second.size()));
  return call.deliver_view(at->second);
}

std::int32_t host_log(HostCall& call) {
  Execution& execution = call.execution();
  const policy::LogRules& rules = execution.policy().log;
  if (call.level() < 0 || call.level() > 3) {
    call.decide(deny(Decision::denied_argument_invalid, HostCode::argument_invalid, "log levels are 0 to 3"));
    return call.refused();
  }
  const auto level = static_cast<policy::LogLevelMin>(call.level());
  const std::string_view text = base::utf8_prefix(call.text(), rules.max_message_bytes);
  const bool filtered = level < rules.level_min;
  const Ruling ruling = filtered ? Ruling{} : gate::log_message(rules, execution.counters(), text.size());
  if (!call.decide(ruling)) {
    execution.count_dropped_log();
    return call.refused();
  }
  if (filtered) {
    call.record_action("FILTERED", {});
    return 0;
  }
  ++execution.counters().log_messages;
  execution.counters().log_bytes += text.size();
  execution.log(level, text, text.size() < call.text().size());
  call.record_action("OK", "\"bytes\":" + std::to_string(text.size()));
  return static_cast<std::int32_t>(text.size());
}

namespace {

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// An AssemblyScript string: UTF-16 at `pointer`, its length in bytes in the four bytes before. Empty when any of it
// lies outside.
std::string assembly_script_string(std::span<const std::byte> memory, std::uint32_t pointer) {
  std::uint32_t bytes = 0;
  if (pointer < sizeof bytes || !base::in_bounds(pointer, 0, memory.size())) return {};
  std::memcpy(&bytes, memory.data() + pointer - sizeof bytes, sizeof bytes);
  if (!base::in_bounds(pointer, bytes, memory.size())) return {};
  const auto unit = [&](std::size_t i) {
    std::uint16_t value = 0;
    std::memcpy(&value, memory.data() + pointer + 2 * i, sizeof value);
    return static_cast<char32_t>(value);
  };
  std::string text;
  const std::size_t units = bytes / 2;
  for (std::size_t i = 0, characters = 0; i < units && characters < kAbortCharactersMax; ++i, ++characters) {
    char32_t c = unit(i);
    const bool high = c >= 0xd800 && c < 0xdc00;
    if (high && i + 1 < units && unit(i + 1) >= 0xdc00 && unit(i + 1) < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (unit(++i) - 0xdc00);
    } else if (c >= 0xd800 && c < 0xe000) {
      c = 0xfffd;
    }
    append_utf8(text, c);
  }
  return text;
}

}  // namespace

bool host_abort(engine::HostContext& context, void*, engine::RawValue* values) {
  Execution& execution = *static_cast<Execution*>(context.user());
  ++execution.counters().host_calls;
  const auto argument = [&](std::size_t i) { return static_cast<std::uint32_t>(values[i].i32); };
  const std::string text = assembly_script_string(context.memory(), argument(0));
  const std::string file = assembly_script_string(context.memory(), argument(1));
  std::string message = "the guest aborted";
  if (!text.empty()) message += ": " + text;
  if (!file.empty())
    message += " (" + file + ":" + std::to_string(argument(2)) + ":" + std::to_string(argument(3)) + ")";
  execution.end(HostEnd::guest_abort, message);
  context.trap(std::move(message));
  return false;
}

}  // namespace fusebox::capability
