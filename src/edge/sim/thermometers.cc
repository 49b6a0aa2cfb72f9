#include <charconv>
#include <cmath>

#include "base/files.h"
#include "base/text.h"
#include "edge/sim/device_kinds.h"

namespace fusebox::edge::sim {
namespace {

constexpr const char* kThermalZone = "/sys/class/thermal/thermal_zone0/temp";
constexpr std::size_t kReadingBytesMax = 64;

class Wave final : public Thermometer {
 public:
  // A triangle: exact, and the same on every machine.
  float celsius(std::uint64_t now_us) override {
    constexpr std::uint64_t kHalfUs = 30'000'000;
    const std::uint64_t at = now_us % (2 * kHalfUs);
    const std::uint64_t up = at < kHalfUs ? at : 2 * kHalfUs - at;
    return 15.0F + 10.0F * static_cast<float>(up) / static_cast<float>(kHalfUs);
  }
};

class Fixed final : public Thermometer {
 public:
  explicit Fixed(float degrees) : degrees_(degrees) {}
  float celsius(std::uint64_t) override { return degrees_; }

 private:
  float degrees_;
};

base::Result<float> number(std::string_view text) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return base::fail(base::Errc::invalid, base::in_quotes(text) + " is not a number");
  }
  return value;
}

// Files of Linux hold thousandths of a degree.
base::Result<float> read_zone(const std::string& file) {
  FB_TRY(std::string text, base::read_file(file, kReadingBytesMax));
  while (text.ends_with('\n')) text.pop_back();
  FB_TRY(const float thousandths, base::within(file, number(text)));
  return thousandths / 1000.0F;
}

class Zone final : public Thermometer {
 public:
  explicit Zone(std::string file, float first) : file_(std::move(file)), last_(first) {}
  // A sensor that stops answering keeps its last reading.
  float celsius(std::uint64_t) override {
    if (const auto reading = read_zone(file_)) last_ = *reading;
    return last_;
  }

 private:
  std::string file_;
  float last_;
};

}  // namespace

std::unique_ptr<Thermometer> wave_thermometer() {
  return std::make_unique<Wave>();
}

base::Result<std::unique_ptr<Thermometer>> fixed_thermometer(const std::string& degrees) {
  FB_TRY(const float value, base::within("fixed", number(degrees)));
  return std::make_unique<Fixed>(value);
}

base::Result<std::unique_ptr<Thermometer>> linux_thermometer(const std::string& file) {
  const std::string path = file.empty() ? kThermalZone : file;
  FB_TRY(const float first, base::within("linux", read_zone(path)));
  return std::make_unique<Zone>(path, first);
}

}  // namespace fusebox::edge::sim
