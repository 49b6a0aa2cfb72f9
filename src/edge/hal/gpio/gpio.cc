#include "edge/hal/gpio/gpio.h"

#include <cstring>

namespace fusebox::edge {
namespace {

const char* read_pin(ImportCall& call) {
  const auto read = call.hal.gpio.read;
  if (read == nullptr) return nullptr;
  call.result = read(static_cast<std::uint32_t>(call.args[0])) != 0 ? 1 : 0;
  return nullptr;
}

const char* write_pin(ImportCall& call) {
  const auto write = call.hal.gpio.write;
  if (write == nullptr) return nullptr;
  const bool high = static_cast<std::uint32_t>(call.args[1]) != 0;
  write(static_cast<std::uint32_t>(call.args[0]), high ? 1 : 0);
  return nullptr;
}

constexpr ImportRow kRows[] = {
    {
        .module = "env",
        .field = "gpio_read",
        .params = "i",
        .results = "i",
        .capability = FUSE_CAP_GPIO,
        .capability_name = "GPIO",
        .label = "gpio",
        .empty_buffer_trap = nullptr,
        .args = {{Arg::value, "pin", "unsigned int"}},
        .result_ctype = "unsigned int",
        .summary = "The level of a pin, 0 or 1.",
        .handler = &read_pin,
    },
    {
        .module = "env",
        .field = "gpio_write",
        .params = "ii",
        .results = "",
        .capability = FUSE_CAP_GPIO,
        .capability_name = "GPIO",
        .label = "gpio",
        .empty_buffer_trap = nullptr,
        .args = {{Arg::value, "pin", "unsigned int"}, {Arg::value, "level", "unsigned int"}},
        .result_ctype = "void",
        .summary = "Sets a pin low (0) or high (anything else).",
        .handler = &write_pin,
    },
};

void take(const void* member, Hal& out) {
  std::memcpy(&out.gpio, member, sizeof out.gpio);
}

}  // namespace

constinit const HalGroup kGpioGroup = {
    .name = "gpio",
    .flag = "FUSE_HAL_ENABLE_GPIO",
    .capability = FUSE_CAP_GPIO,
    .capability_name = "GPIO",
    .always = false,
    .summary = "digital pins",
    .allows = "read and set digital pins",
    .rows = kRows,
    .row_count = 2,
    .hal_bytes = sizeof(fuse_hal_gpio_group_t),
    .take = &take,
};

}  // namespace fusebox::edge
