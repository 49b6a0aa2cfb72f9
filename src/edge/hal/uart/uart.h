// HAL group uart: serial ports.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kUartGroup;

}  // namespace fusebox::edge
