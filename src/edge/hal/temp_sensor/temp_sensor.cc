#include "edge/hal/temp_sensor/temp_sensor.h"

#include <cstring>

namespace fusebox::edge {
namespace {

const char* get_reading(ImportCall& call) {
  const auto read = call.hal.temp.get_reading;
  if (read == nullptr) return nullptr;
  const float reading = read();
  std::uint32_t bits = 0;
  std::memcpy(&bits, &reading, sizeof bits);
  call.result = bits;
  return nullptr;
}

constexpr ImportRow kRows[] = {{
    .module = "env",
    .field = "temp_get_reading",
    .params = "",
    .results = "f",
    .capability = FUSE_CAP_TEMP_SENSOR,
    .capability_name = "TEMP_SENSOR",
    .label = "temp",
    .empty_buffer_trap = nullptr,
    .args = {},
    .result_ctype = "float",
    .summary = "The temperature in degrees Celsius.",
    .handler = &get_reading,
}};

void take(const void* member, Hal& out) {
  std::memcpy(&out.temp, member, sizeof out.temp);
}

}  // namespace

constinit const HalGroup kTempSensorGroup = {
    .name = "temp_sensor",
    .flag = "FUSE_HAL_ENABLE_TEMP_SENSOR",
    .capability = FUSE_CAP_TEMP_SENSOR,
    .capability_name = "TEMP_SENSOR",
    .always = false,
    .summary = "a temperature sensor",
    .allows = "read the temperature sensor",
    .rows = kRows,
    .row_count = 1,
    .hal_bytes = sizeof(fuse_hal_temp_group_t),
    .take = &take,
};

}  // namespace fusebox::edge
