#include "vfs/console/window.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "vfs/device/device_file.h"

namespace fusebox::vfs {
namespace {

class WindowFile final : public DeviceFile {
 public:
  WindowFile(const Stat& node, FdFlags flags, std::shared_ptr<Window> window)
      : DeviceFile(node, flags), window_(std::move(window)) {}

  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    if (!fill(call)) return fail(call.nonblocking ? Errno::again : Errno::would_block);
    std::size_t total = 0;
    for (const auto& buffer : to) {
      const std::size_t count = std::min(buffer.size(), pending_.size());
      std::memcpy(buffer.data(), pending_.data(), count);
      pending_.erase(0, count);
      total += count;
    }
    return total;
  }
  Io<std::size_t> write(Call&, WriteBuffers) override { return fail(Errno::rofs); }

  Readiness poll(Call& call, bool for_writing) override {
    if (for_writing) return {.error = Errno::badf};
    const bool ready = fill(call);
    return {.ready = ready, .bytes = pending_.size()};
  }

 private:
  // Whether bytes are there; otherwise `call` knows what to wait for.
  bool fill(Call& call) {
    if (!pending_.empty()) return true;
    const std::shared_ptr<WakeList> changed(window_, &window_->changed());
    const std::uint64_t seen = changed->version();
    const WindowSize now = window_->size();
    if (told_ == now) {
      call.waits.changed(changed, seen);
      return false;
    }
    told_ = now;
    pending_ = std::to_string(now.columns) + " " + std::to_string(now.rows) + "\n";
    return true;
  }

  std::shared_ptr<Window> window_;
  std::optional<WindowSize> told_;  // in the last line
  std::string pending_;             // of the line under delivery
};

}  // namespace

WindowSize Window::size() const noexcept {
  const std::lock_guard lock(mutex_);
  return size_;
}

void Window::set(WindowSize size) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (size_ == size) return;
    size_ = size;
  }
  changed_.changed();
}

Device window_device(std::shared_ptr<Window> window) {
  return {.name = "winsize",
          .code = device_code("Wsiz"),
          .open = [window = std::move(window)](Call&, const OpenRequest& request,
                                               const Stat& node) -> Io<std::unique_ptr<File>> {
            if (request.write) return fail(Errno::rofs);
            return std::make_unique<WindowFile>(node, request.flags, window);
          },
          .listed = false};
}

}  // namespace fusebox::vfs
