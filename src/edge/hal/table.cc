#include "edge/hal/table.h"

#include <cstring>

#include "edge/hal/camera/camera.h"
#include "edge/hal/event/event.h"
#include "edge/hal/gpio/gpio.h"
#include "edge/hal/log/log.h"
#include "edge/hal/temp_sensor/temp_sensor.h"
#include "edge/hal/timer/timer.h"
#include "edge/hal/uart/uart.h"

namespace fusebox::edge {
namespace {

// In order of capability bit. A group left out is referred to nowhere, so its folder is not linked.
constexpr const HalGroup* kGroups[] = {
#if FUSEBOX_HAL_GROUPS & 0x01
    &kTempSensorGroup,
#endif
#if FUSEBOX_HAL_GROUPS & 0x02
    &kTimerGroup,
#endif
#if FUSEBOX_HAL_GROUPS & 0x04
    &kCameraGroup,
#endif
    &kLogGroup,        &kEventGroup,
#if FUSEBOX_HAL_GROUPS & 0x20
    &kGpioGroup,
#endif
#if FUSEBOX_HAL_GROUPS & 0x40
    &kUartGroup,
#endif
};
constexpr std::size_t kGroupCount = sizeof kGroups / sizeof kGroups[0];

}  // namespace

HalTable hal_table() {
  return {kGroups, kGroupCount};
}

const HalGroup* find_group(const char* name) {
  for (const HalGroup* group : kGroups) {
    if (std::strcmp(group->name, name) == 0) return group;
  }
  return nullptr;
}

const ImportRow* find_import(const char* module, const char* field) {
  for (const HalGroup* group : kGroups) {
    for (std::size_t i = 0; i < group->row_count; ++i) {
      const ImportRow& row = group->rows[i];
      if (std::strcmp(row.module, module) == 0 && std::strcmp(row.field, field) == 0) return &row;
    }
  }
  return nullptr;
}

std::uint32_t known_capabilities() {
  std::uint32_t known = 0;
  for (const HalGroup* group : kGroups) known |= group->capability;
  return known;
}

}  // namespace fusebox::edge
