// Every kind of device there is, by its group. Internal to this folder.
//
// Errors   `invalid` for an argument that is missing or wrong, `io` and `not_found` of files; messages begin with the kind.
#pragma once

#include <string>

#include "base/result.h"
#include "edge/sim/devices.h"

namespace fusebox::edge::sim {

std::unique_ptr<Thermometer> wave_thermometer();  // between 15 and 25 degrees, once a minute
base::Result<std::unique_ptr<Thermometer>> fixed_thermometer(const std::string& degrees);
base::Result<std::unique_ptr<Thermometer>> linux_thermometer(const std::string& file);  // "" = the first thermal zone

std::unique_ptr<Camera> generator_camera();  // varied and uniform frames in turn
base::Result<std::unique_ptr<Camera>> folder_camera(const std::string& folder);

std::unique_ptr<Pins> simulated_pins();  // a pin reads what was written last

std::unique_ptr<Serial> loopback_serial();
base::Result<std::unique_ptr<Serial>> pty_serial(std::string& terminal);  // port 0; `terminal` = what a person opens
base::Result<std::unique_ptr<Serial>> file_serial(const std::string& files);

}  // namespace fusebox::edge::sim
