// Arguments, environment, clocks, chance, and ends.
#include <algorithm>
#include <string>
#include <vector>

#include "wasi/calls.h"
#include "wasi/clocks.h"
#include "wasi/limits.h"

namespace fusebox::wasi::calls {
namespace {

constexpr u32 kPointerBytes = 4;
constexpr u32 kSignalsEnd = 31;  // preview1 numbers them 0 (none) to 30 (sys)

u64 text_bytes(const std::vector<std::string>& list) noexcept {
  u64 bytes = 0;
  for (const std::string& each : list) bytes += each.size() + 1;
  return bytes;
}

Errno put_list(const Caller& caller, const std::vector<std::string>& list, u32 pointers, u32 text) {
  if (!caller.memory.has(pointers, list.size() * kPointerBytes) || !caller.memory.has(text, text_bytes(list)))
    return Errno::fault;
  for (const std::string& each : list) {
    caller.memory.store(pointers, text);
    caller.memory.put(text, {each.c_str(), each.size() + 1});
    pointers += kPointerBytes;
    text += static_cast<u32>(each.size() + 1);
  }
  return Errno::success;
}

Errno put_sizes(const Caller& caller, const std::vector<std::string>& list, u32 count, u32 bytes) {
  if (!caller.memory.has(count, sizeof(u32)) || !caller.memory.has(bytes, sizeof(u32))) return Errno::fault;
  caller.memory.store(count, static_cast<u32>(list.size()));
  caller.memory.store(bytes, static_cast<u32>(text_bytes(list)));
  return Errno::success;
}

}  // namespace

Errno args_get(Caller& caller, u32 argv, u32 text) {
  return put_list(caller, caller.process.options.args, argv, text);
}
Errno args_sizes_get(Caller& caller, u32 count, u32 bytes) {
  return put_sizes(caller, caller.process.options.args, count, bytes);
}
Errno environ_get(Caller& caller, u32 environ, u32 text) {
  return put_list(caller, caller.process.options.envs, environ, text);
}
Errno environ_sizes_get(Caller& caller, u32 count, u32 bytes) {
  return put_sizes(caller, caller.process.options.envs, count, bytes);
}

Errno clock_res_get(Caller& caller, u32 id, u32 out) {
  if (!caller.memory.has(out, sizeof(u64))) return Errno::fault;
  if (id >= kClocks) return Errno::inval;
  caller.memory.store(out, u64{1});
  return Errno::success;
}

Errno clock_time_get(Caller& caller, u32 id, u64, u32 out) {
  if (!caller.memory.has(out, sizeof(u64))) return Errno::fault;
  if (id >= kClocks) return Errno::inval;
  caller.memory.store(out, static_cast<u64>(time_of(caller.process, id).count()));
  return Errno::success;
}

void proc_exit(Caller& caller, u32 code) {
  caller.process.exit_code = static_cast<std::int32_t>(code);
  caller.host.end(engine::Exited{static_cast<std::int32_t>(code)});
  caller.ended = true;
}

Errno proc_raise(Caller& caller, u32 signal) {
  if (signal >= kSignalsEnd) return Errno::inval;
  if (signal == 0) return Errno::success;
  caller.process.raised = static_cast<std::uint8_t>(signal);
  caller.host.trap("the module raised signal " + std::to_string(signal));
  caller.ended = true;
  return Errno::success;
}

// Waits for a moment that has come already: whoever runs the guest lets others go first.
Errno sched_yield(Caller& caller) {
  if (std::exchange(caller.process.yielded, true)) return Errno::success;
  caller.process.waits.until(caller.process.options.clock->monotonic());
  return Errno::would_block;
}

Errno random_get(Caller& caller, u32 at, u32 size) {
  if (!caller.memory.has(at, size)) return Errno::fault;
  std::span<std::byte> left = caller.memory.bytes(at, size);
  while (!left.empty() && !caller.host.stop_requested()) {
    const std::span<std::byte> piece = left.first(std::min(left.size(), kRandomPieceBytes));
    caller.process.options.random->fill(piece);
    left = left.subspan(piece.size());
  }
  return Errno::success;
}

}  // namespace fusebox::wasi::calls
