#include "edge/sim/devices.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "edge/sim/device_kinds.h"
#include "fuse_types.h"

namespace fusebox::edge::sim {
namespace {

template <class Device>
base::Result<void> keep(std::unique_ptr<Device>& place, base::Result<std::unique_ptr<Device>> made) {
  FB_TRY(place, std::move(made));
  return {};
}

base::Result<void> make_pty(Devices& to) {
  std::string terminal;
  FB_CHECK(keep(to.serial, pty_serial(terminal)));
  to.notes.push_back("uart port 0 is " + terminal);
  return {};
}

using Argument = const std::string&;

struct Kind {
  std::string_view group;
  std::uint32_t capability;
  std::string_view name;
  std::string_view argument;  // for help; "" = there is none
  base::Result<void> (*make)(Devices& to, Argument argument);
};

// The first of each group is its default.
constexpr std::array kKinds = {
    Kind{"temp_sensor", FUSE_CAP_TEMP_SENSOR, "wave", "",
         [](Devices& to, Argument) { return keep<Thermometer>(to.thermometer, wave_thermometer()); }},
    Kind{"temp_sensor", FUSE_CAP_TEMP_SENSOR, "fixed", ":DEGREES",
         [](Devices& to, Argument degrees) { return keep(to.thermometer, fixed_thermometer(degrees)); }},
    Kind{"temp_sensor", FUSE_CAP_TEMP_SENSOR, "linux", "[:FILE]",
         [](Devices& to, Argument file) { return keep(to.thermometer, linux_thermometer(file)); }},
    Kind{"timer", FUSE_CAP_TIMER, "monotonic", "",
         [](Devices& to, Argument) {
           to.timer = true;
           return base::Result<void>();
         }},
    Kind{"camera", FUSE_CAP_CAMERA, "generator", "",
         [](Devices& to, Argument) { return keep<Camera>(to.camera, generator_camera()); }},
    Kind{"camera", FUSE_CAP_CAMERA, "folder", ":FOLDER",
         [](Devices& to, Argument folder) { return keep(to.camera, folder_camera(folder)); }},
    Kind{"gpio", FUSE_CAP_GPIO, "simulated", "",
         [](Devices& to, Argument) { return keep<Pins>(to.pins, simulated_pins()); }},
    Kind{"uart", FUSE_CAP_UART, "loopback", "",
         [](Devices& to, Argument) { return keep<Serial>(to.serial, loopback_serial()); }},
    Kind{"uart", FUSE_CAP_UART, "pty", "", [](Devices& to, Argument) { return make_pty(to); }},
    Kind{"uart", FUSE_CAP_UART, "files", ":RECEIVED:SENT",
         [](Devices& to, Argument files) { return keep(to.serial, file_serial(files)); }},
};
constexpr std::string_view kOff = "off";

struct Choice {
  std::string_view group;
  std::string_view kind;
  std::string argument;
};

base::Result<Choice> parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return base::fail(base::Errc::invalid,
                      "--hal " + base::in_quotes(text) + ": write NAME=KIND; " + device_kinds_text());
  }
  Choice choice;
  choice.group = text.substr(0, equals);
  choice.kind = text.substr(equals + 1);
  if (const std::size_t colon = choice.kind.find(':'); colon != std::string_view::npos) {
    choice.argument = choice.kind.substr(colon + 1);
    choice.kind = choice.kind.substr(0, colon);
  }
  return choice;
}

std::string kinds_of(std::string_view group) {
  std::string text;
  for (const Kind& kind : kKinds) {
    if (kind.group == group) text += std::string(kind.name) + std::string(kind.argument) + " | ";
  }
  return text + std::string(kOff);
}

// The kind a choice names, null for "off".
base::Result<const Kind*> find_kind(const Choice& choice, std::uint32_t mask) {
  const auto in_group = std::ranges::find(kKinds, choice.group, &Kind::group);
  if (in_group == kKinds.end()) {
    return base::fail(base::Errc::invalid,
                      "--hal: there is no HAL group " + base::in_quotes(choice.group) + "; " + device_kinds_text());
  }
  if ((in_group->capability & mask) == 0) {
    return base::fail(base::Errc::invalid, "--hal: " + std::string(choice.group) +
                                               " is not among the hal_groups of the application; add it there");
  }
  if (choice.kind == kOff) return nullptr;
  for (const Kind& kind : kKinds) {
    if (kind.group != choice.group || kind.name != choice.kind) continue;
    if (kind.argument.empty() && !choice.argument.empty()) {
      return base::fail(base::Errc::invalid, "--hal: " + std::string(kind.group) + '=' + std::string(kind.name) +
                                                 " takes nothing after a colon");
    }
    return &kind;
  }
  return base::fail(base::Errc::invalid, "--hal: " + std::string(choice.group) + " cannot be " +
                                             base::in_quotes(choice.kind) + "; it can be " + kinds_of(choice.group));
}

}  // namespace

base::Result<Devices> make_devices(std::uint32_t mask, std::span<const std::string> choices) {
  Devices devices;
  std::uint32_t chosen = 0;
  for (const std::string& text : choices) {
    FB_TRY(const Choice choice, parse(text));
    FB_TRY(const Kind* kind, find_kind(choice, mask));
    const std::uint32_t bit = std::ranges::find(kKinds, choice.group, &Kind::group)->capability;
    if ((chosen & bit) != 0) {
      return base::fail(base::Errc::invalid, "--hal: " + std::string(choice.group) + " is given twice");
    }
    if (kind != nullptr) {
      FB_CHECK(base::within("--hal " + std::string(choice.group), kind->make(devices, choice.argument)));
    }
    chosen |= bit;
  }
  for (const Kind& kind : kKinds) {
    if ((kind.capability & mask & ~chosen) == 0) continue;
    chosen |= kind.capability;
    FB_CHECK(kind.make(devices, {}));
  }
  return devices;
}

std::string device_kinds_text() {
  std::string text;
  std::string_view group;
  for (const Kind& kind : kKinds) {
    if (kind.group == group) continue;
    group = kind.group;
    text += (text.empty() ? "" : ", ") + std::string(group) + "=" + kinds_of(group);
  }
  return text;
}

}  // namespace fusebox::edge::sim
