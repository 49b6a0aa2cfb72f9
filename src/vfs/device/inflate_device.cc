#include <array>

#include "vfs/device/device_file.h"
#include "vfs/device/devices.h"
#include "vfs/device/gzip_member.h"
#include "vfs/device/limits.h"
#include "vfs/device/open_count.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

class InflateFile final : public DeviceFile {
 public:
  InflateFile(const Stat& node, FdFlags flags, OpenCount::Place place)
      : DeviceFile(node, flags), place_(std::move(place)) {}

  Io<Stat> stat() override {
    Stat node = node_;
    node.size = member_ ? member_->output().size() : 0;
    return node;
  }

  Io<std::size_t> write(Call&, WriteBuffers from) override {
    if (dead_ != Errno::success) return fail(dead_);
    if (member_ && member_->broken()) return fail(Errno::io);
    if (member_ && member_->all_taken()) return fail(Errno::fbig);
    std::size_t taken = 0;
    for (const auto& buffer : from) {
      const std::size_t n = take(buffer);
      if (dead_ != Errno::success) return fail(dead_);
      taken += n;
      if (n < buffer.size()) break;
    }
    if (taken == 0) return fail(Errno::again);
    changes_->changed();
    return taken;
  }

  Io<std::size_t> read(Call&, ReadBuffers to) override {
    if (dead_ != Errno::success) return fail(dead_);
    if (!member_) return fail(Errno::again);
    if (member_->broken()) return fail(Errno::io);
    if (member_->output().empty()) return member_->all_taken() ? Io<std::size_t>(0) : fail(Errno::again);
    const std::size_t n = scatter(member_->output(), to);
    member_->drop(n);
    changes_->changed();
    return n;
  }

  Readiness poll(Call& call, bool for_writing) override {
    const std::uint64_t seen = changes_->version();
    const bool dead = dead_ != Errno::success || (member_ && member_->broken());
    const std::size_t bytes = member_ ? member_->output().size() : 0;
    const bool ready =
        for_writing ? !member_ || !member_->output_full() : bytes != 0 || (member_ && member_->all_taken());
    if (!ready && !dead) call.waits.changed(changes_, seen);
    return {.ready = ready || dead, .bytes = for_writing ? 0 : bytes};
  }

 private:
  std::size_t take(std::span<const std::byte> bytes) {
    std::size_t n = 0;
    for (; !member_ && n < bytes.size(); ++n) {
      length_ |= static_cast<std::uint32_t>(bytes[n]) << (8 * length_bytes_);
      if (++length_bytes_ == 4) start();
      if (dead_ != Errno::success) return 0;
    }
    return member_ ? n + member_->take(bytes.subspan(n)) : n;
  }
  void start() {
    if (length_ < kGzipMemberBytesMin) {
      dead_ = Errno::inval;
      return;
    }
    member_ = GzipMember::create(length_);
    if (!member_) dead_ = Errno::nomem;
  }

  OpenCount::Place place_;
  std::uint32_t length_ = 0;
  int length_bytes_ = 0;
  std::unique_ptr<GzipMember> member_;  // once the length is known
  Errno dead_ = Errno::success;
  std::shared_ptr<WakeList> changes_ = std::make_shared<WakeList>();
};

}  // namespace

Device inflate_device(std::string name) {
  return {.name = std::move(name),
          .code = device_code("Infl"),
          .open = [count = OpenCount(kInflateStreamsMax)](Call&, const OpenRequest& request,
                                                          const Stat& node) -> Io<std::unique_ptr<File>> {
            auto place = count.take();
            if (!place) return fail(place.error());
            return std::make_unique<InflateFile>(node, request.flags, std::move(*place));
          }};
}

}  // namespace fusebox::vfs
