#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/files.h"
#include "base/text.h"
#include "edge/sim/device_kinds.h"
#include "edge/sim/limits.h"

namespace fusebox::edge::sim {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kNoFrame = std::numeric_limits<std::uint64_t>::max();

std::size_t copy_frame(std::span<const std::uint8_t> frame, std::span<std::uint8_t> out) {
  const std::size_t size = std::min(frame.size(), out.size());
  std::copy_n(frame.begin(), size, out.begin());
  return size;
}

class Generator final : public Camera {
 public:
  std::size_t last_frame(std::uint64_t now_us, std::span<std::uint8_t> out) override {
    const std::uint64_t number = now_us / kFramePeriodUs;
    if (number != shown_) draw(number);
    return copy_frame(frame_, out);
  }

 private:
  void draw(std::uint64_t number) {
    shown_ = number;
    for (std::size_t i = 0; i < frame_.size(); ++i) {
      frame_[i] = number % 2 == 0 ? static_cast<std::uint8_t>(i + number) : std::uint8_t{0x80};
    }
  }

  std::vector<std::uint8_t> frame_ = std::vector<std::uint8_t>(kGeneratedFrameBytes);
  std::uint64_t shown_ = kNoFrame;
};

class Folder final : public Camera {
 public:
  explicit Folder(std::vector<fs::path> files) : files_(std::move(files)) {}

  std::size_t last_frame(std::uint64_t now_us, std::span<std::uint8_t> out) override {
    const std::uint64_t number = now_us / kFramePeriodUs;
    if (number != shown_) {
      shown_ = number;
      auto bytes = base::read_file(files_[number % files_.size()], kFrameBytesMax);
      frame_ = bytes ? std::move(*bytes) : std::string();  // a file that went away is no frame
    }
    return copy_frame({reinterpret_cast<const std::uint8_t*>(frame_.data()), frame_.size()}, out);
  }

 private:
  std::vector<fs::path> files_;
  std::string frame_;
  std::uint64_t shown_ = kNoFrame;
};

}  // namespace

std::unique_ptr<Camera> generator_camera() {
  return std::make_unique<Generator>();
}

base::Result<std::unique_ptr<Camera>> folder_camera(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    if (files.size() == kFramesMax) {
      return base::fail(base::Errc::exhausted, "folder: " + base::in_quotes(folder) + " holds more than " +
                                                   std::to_string(kFramesMax) + " files; give a smaller one");
    }
    files.push_back(entry->path());
  }
  if (error) return base::fail(base::Errc::not_found, "folder: " + base::in_quotes(folder) + ": " + error.message());
  if (files.empty()) {
    return base::fail(base::Errc::not_found, "folder: " + base::in_quotes(folder) + " holds no image files");
  }
  std::ranges::sort(files);
  return std::make_unique<Folder>(std::move(files));
}

}  // namespace fusebox::edge::sim
