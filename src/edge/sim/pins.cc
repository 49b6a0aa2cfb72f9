#include <array>

#include "edge/sim/device_kinds.h"
#include "edge/sim/limits.h"

namespace fusebox::edge::sim {
namespace {

class Simulated final : public Pins {
 public:
  bool read(std::uint32_t pin) override { return pin < kPins && high_[pin]; }
  void write(std::uint32_t pin, bool high) override {
    if (pin < kPins) high_[pin] = high;
  }

 private:
  std::array<bool, kPins> high_{};
};

}  // namespace

std::unique_ptr<Pins> simulated_pins() {
  return std::make_unique<Simulated>();
}

}  // namespace fusebox::edge::sim
