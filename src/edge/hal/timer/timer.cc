#include "edge/hal/timer/timer.h"

#include <cstring>

namespace fusebox::edge {
namespace {

const char* get_timestamp(ImportCall& call) {
  call.result = call.host.timestamp();
  return nullptr;
}

constexpr ImportRow kRows[] = {{
    .module = "env",
    .field = "timer_get_timestamp",
    .params = "",
    .results = "I",
    .capability = FUSE_CAP_TIMER,
    .capability_name = "TIMER",
    .label = "timer",
    .empty_buffer_trap = nullptr,
    .args = {},
    .result_ctype = "unsigned long long",
    .summary = "Microseconds of a monotonic clock.",
    .handler = &get_timestamp,
}};

void take(const void* member, Hal& out) {
  std::memcpy(&out.timer, member, sizeof out.timer);
}

}  // namespace

constinit const HalGroup kTimerGroup = {
    .name = "timer",
    .flag = "FUSE_HAL_ENABLE_TIMER",
    .capability = FUSE_CAP_TIMER,
    .capability_name = "TIMER",
    .always = false,
    .summary = "the clock of intervals and log entries",
    .allows = "read the clock",
    .rows = kRows,
    .row_count = 1,
    .hal_bytes = sizeof(fuse_hal_timer_group_t),
    .take = &take,
};

}  // namespace fusebox::edge
