#include "edge/sim/inputs.h"

#include <bit>
#include <span>
#include <string_view>

namespace fusebox::edge::sim {

SimulatedInputs::SimulatedInputs(Devices devices, const base::Clock& clock)
    : devices_(std::move(devices)), clock_(clock), begin_(clock.monotonic()) {}

std::uint64_t SimulatedInputs::now_us() const {
  return static_cast<std::uint64_t>((clock_.monotonic() - begin_).count()) / 1000;
}

// Only the clock is looked at by the runtime itself: without one there are no intervals.
Hal SimulatedInputs::hal() const {
  Hal hal;
  if (devices_.timer) hal.timer.get_timestamp = [] { return std::uint64_t{0}; };
  return hal;
}

std::uint64_t SimulatedInputs::timestamp(std::uint64_t (*)()) {
  return devices_.timer ? now_us() : 0;
}

void SimulatedInputs::call_begins(fuse_module_id_t id, std::uint32_t events, std::uint64_t) {
  if (observer_ != nullptr) observer_->call_begins(id, events, now_us());
}

const char* SimulatedInputs::import(ImportCall& call) {
  switch (call.row.capability) {
    case FUSE_CAP_LOG:
      return call.row.handler(call);
    case FUSE_CAP_EVENT_POST:
      if (observer_ != nullptr)
        observer_->event_posted(call.module, static_cast<std::uint32_t>(call.args[0]), now_us());
      return call.row.handler(call);
    default:
      call.result = answer(call);
      return nullptr;
  }
}

// What the group's device says; 0 where it is off, as with a null callback.
std::uint64_t SimulatedInputs::answer(const ImportCall& call) {
  const auto unit = static_cast<std::uint32_t>(call.args[0]);
  const std::span<std::uint8_t> buffer(call.buffer, call.buffer_size);
  const std::string_view field = call.row.field;
  switch (call.row.capability) {
    case FUSE_CAP_TEMP_SENSOR:
      return devices_.thermometer ? std::bit_cast<std::uint32_t>(devices_.thermometer->celsius(now_us())) : 0;
    case FUSE_CAP_TIMER:
      return timestamp(nullptr);
    case FUSE_CAP_CAMERA:
      return devices_.camera ? devices_.camera->last_frame(now_us(), buffer) : 0;
    case FUSE_CAP_GPIO:
      if (!devices_.pins) return 0;
      if (field == "gpio_read") return devices_.pins->read(unit) ? 1 : 0;
      devices_.pins->write(unit, static_cast<std::uint32_t>(call.args[1]) != 0);
      return 0;
    case FUSE_CAP_UART:
      if (!devices_.serial || buffer.empty()) return 0;
      return field == "uart_read" ? devices_.serial->receive(unit, buffer) : devices_.serial->send(unit, buffer);
    default:
      return 0;
  }
}

}  // namespace fusebox::edge::sim
