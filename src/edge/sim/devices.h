// The hardware of a deployment that runs on this machine: simulated, or what Linux offers.
//
// Owner    Devices owns them all; null = the group is off and reads as 0.
// Threads  one thread, the one that steps.
// Units    microseconds since the run began, so that the same run sees the same hardware again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace fusebox::edge::sim {

class Thermometer {
 public:
  virtual ~Thermometer() = default;
  virtual float celsius(std::uint64_t now_us) = 0;
};

class Camera {
 public:
  virtual ~Camera() = default;
  // The newest frame, cut to what fits; bytes written, 0 = no frame.
  virtual std::size_t last_frame(std::uint64_t now_us, std::span<std::uint8_t> out) = 0;
};

class Pins {
 public:
  virtual ~Pins() = default;
  virtual bool read(std::uint32_t pin) = 0;
  virtual void write(std::uint32_t pin, bool high) = 0;
};

class Serial {
 public:
  virtual ~Serial() = default;
  virtual std::size_t receive(std::uint32_t port, std::span<std::uint8_t> out) = 0;
  virtual std::size_t send(std::uint32_t port, std::span<const std::uint8_t> bytes) = 0;
};

struct Devices {
  std::unique_ptr<Thermometer> thermometer;
  bool timer = false;
  std::unique_ptr<Camera> camera;
  std::unique_ptr<Pins> pins;
  std::unique_ptr<Serial> serial;
  std::vector<std::string> notes;  // what a person must know to use them: the name of a terminal
};

// Makes the devices of the groups in `mask`. `choices` are NAME=KIND or NAME=KIND:ARGUMENT and replace the defaults:
//
//   temp_sensor  wave (default) | fixed:DEGREES | linux[:FILE] | off
//   timer        monotonic (default) | off
//   camera       generator (default) | folder:FOLDER | off
//   gpio         simulated (default) | off
//   uart         loopback (default) | pty | files:RECEIVED:SENT | off
//
// `invalid` for an unknown group or kind, a group not in `mask`, one chosen twice; `io` and `not_found` of files.
base::Result<Devices> make_devices(std::uint32_t mask, std::span<const std::string> choices);

// The kinds above as the help of a command shows them.
std::string device_kinds_text();

}  // namespace fusebox::edge::sim
