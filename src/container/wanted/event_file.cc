#include "container/wanted/event_file.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "vfs/device/device_file.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::Io;

class EventFile final : public vfs::DeviceFile {
 public:
  EventFile(const vfs::Stat& node, EventReader reader, vfs::FdFlags flags, std::function<bool(std::string_view)> shows)
      : DeviceFile(node, flags), reader_(std::move(reader)), shows_(std::move(shows)) {}

  Io<std::size_t> read(vfs::Call& call, vfs::ReadBuffers to) override {
    if (!fill(call)) return vfs::fail(call.nonblocking ? Errno::again : Errno::would_block);
    std::size_t total = 0;
    for (const auto& buffer : to) {
      const std::size_t count = std::min(buffer.size(), pending_.size());
      std::memcpy(buffer.data(), pending_.data(), count);
      pending_.erase(0, count);
      total += count;
      if (pending_.empty()) break;
    }
    return total;
  }

  vfs::Readiness poll(vfs::Call& call, bool for_writing) override {
    if (for_writing) return {.error = Errno::badf};
    const bool ready = fill(call);
    return {.ready = ready, .bytes = pending_.size()};
  }

 private:
  // Whether bytes are there; otherwise `call` knows what to wait for.
  bool fill(vfs::Call& call) {
    const std::uint64_t seen = reader_.log().changed().version();
    while (pending_.empty()) {
      const std::optional<Event> event = reader_.next();
      if (!event) break;
      if (event->name == "reg" || event->name == "-" || shows_(event->name)) pending_ = event->line();
    }
    if (pending_.empty()) call.waits.changed(reader_.changed(), seen);
    return !pending_.empty();
  }

  EventReader reader_;
  std::function<bool(std::string_view)> shows_;
  std::string pending_;  // of the line under delivery
};

}  // namespace

std::unique_ptr<vfs::File> make_event_file(const vfs::Stat& node, EventReader reader, vfs::FdFlags flags,
                                           std::function<bool(std::string_view name)> shows) {
  return std::make_unique<EventFile>(node, std::move(reader), flags, std::move(shows));
}

}  // namespace fusebox::container
