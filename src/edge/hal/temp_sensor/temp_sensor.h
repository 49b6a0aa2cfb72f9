// HAL group temp_sensor: one temperature.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kTempSensorGroup;

}  // namespace fusebox::edge
