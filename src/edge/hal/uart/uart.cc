#include "edge/hal/uart/uart.h"

#include <cstring>

namespace fusebox::edge {
namespace {

// What a driver says it moved, held against the buffer it was given.
std::uint32_t clamped(std::uint32_t moved, const ImportCall& call) {
  return moved < call.buffer_size ? moved : call.buffer_size;
}

const char* read_port(ImportCall& call) {
  const auto read = call.hal.uart.read;
  if (read == nullptr) return nullptr;
  call.result = clamped(read(static_cast<std::uint32_t>(call.args[0]), call.buffer, call.buffer_size), call);
  return nullptr;
}

const char* write_port(ImportCall& call) {
  const auto write = call.hal.uart.write;
  if (write == nullptr || call.buffer_size == 0) return nullptr;
  call.result = clamped(write(static_cast<std::uint32_t>(call.args[0]), call.buffer, call.buffer_size), call);
  return nullptr;
}

constexpr ImportRow kRows[] = {
    {
        .module = "env",
        .field = "uart_read",
        .params = "iii",
        .results = "i",
        .capability = FUSE_CAP_UART,
        .capability_name = "UART",
        .label = "uart",
        .empty_buffer_trap = "FUSE uart: null or zero-length buffer",
        .args = {{Arg::value, "port", "unsigned int"},
                 {Arg::out_buffer, "buf", "void*"},
                 {Arg::size, "max_len", "unsigned int"}},
        .result_ctype = "unsigned int",
        .summary = "Takes received bytes of a serial port; bytes written to `buf`, 0 = none waiting.",
        .handler = &read_port,
    },
    {
        .module = "env",
        .field = "uart_write",
        .params = "iii",
        .results = "i",
        .capability = FUSE_CAP_UART,
        .capability_name = "UART",
        .label = "uart",
        .empty_buffer_trap = nullptr,
        .args = {{Arg::value, "port", "unsigned int"},
                 {Arg::in_buffer, "buf", "const void*"},
                 {Arg::size, "len", "unsigned int"}},
        .result_ctype = "unsigned int",
        .summary = "Sends bytes to a serial port; bytes taken.",
        .handler = &write_port,
    },
};

void take(const void* member, Hal& out) {
  std::memcpy(&out.uart, member, sizeof out.uart);
}

}  // namespace

constinit const HalGroup kUartGroup = {
    .name = "uart",
    .flag = "FUSE_HAL_ENABLE_UART",
    .capability = FUSE_CAP_UART,
    .capability_name = "UART",
    .always = false,
    .summary = "serial ports",
    .allows = "use the serial ports",
    .rows = kRows,
    .row_count = 2,
    .hal_bytes = sizeof(fuse_hal_uart_group_t),
    .take = &take,
};

}  // namespace fusebox::edge
