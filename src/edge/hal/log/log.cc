#include "edge/hal/log/log.h"

#include <cstring>

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kTextBytesMax = FUSE_LOG_MSG_MAX - 1;  // the entry's NUL

const char* log_event(ImportCall& call) {
  if (call.buffer_size == 0) return nullptr;
  const std::uint32_t taken = call.buffer_size < kTextBytesMax ? call.buffer_size : kTextBytesMax;
  const auto* text = reinterpret_cast<const char*>(call.buffer);
  const void* nul = std::memchr(text, 0, taken);
  const auto length = nul == nullptr ? taken : static_cast<std::uint32_t>(static_cast<const char*>(nul) - text);
  call.host.log(text, length, static_cast<std::uint32_t>(call.args[2]));
  return nullptr;
}

constexpr ImportRow kRows[] = {{
    .module = "env",
    .field = "module_log_event",
    .params = "iii",
    .results = "",
    .capability = FUSE_CAP_LOG,
    .capability_name = "LOG",
    .label = "log",
    .empty_buffer_trap = nullptr,
    .args = {{Arg::in_buffer, "ptr", "const char*"},
             {Arg::size, "len", "unsigned int"},
             {Arg::value, "level", "unsigned int"}},
    .result_ctype = "void",
    .summary = "Appends an entry of at most 127 characters to the security log.",
    .handler = &log_event,
}};

}  // namespace

constinit const HalGroup kLogGroup = {
    .name = "log",
    .flag = "",
    .capability = FUSE_CAP_LOG,
    .capability_name = "LOG",
    .always = true,
    .summary = "entries of the security log",
    .allows = "log",
    .rows = kRows,
    .row_count = 1,
    .hal_bytes = 0,
    .take = nullptr,
};

}  // namespace fusebox::edge
