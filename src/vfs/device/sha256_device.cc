#include "base/crypto.h"
#include "vfs/device/device_file.h"
#include "vfs/device/devices.h"
#include "vfs/device/limits.h"
#include "vfs/device/open_count.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

constexpr std::uint64_t kHexDigits = 64;

class Sha256File final : public DeviceFile {
 public:
  Sha256File(const Stat& node, FdFlags flags, OpenCount::Place place)
      : DeviceFile(node, flags), place_(std::move(place)) {}

  Io<std::size_t> write(Call&, WriteBuffers from) override {
    if (!digest_.empty()) return fail(Errno::inval);
    for (const auto& buffer : from) stream_.update(buffer);
    return size_of(from);
  }
  Io<std::size_t> read(Call&, ReadBuffers to) override {
    if (digest_.empty()) digest_ = stream_.finish().hex();
    const std::size_t n = scatter(base::as_bytes(digest_).subspan(at_), to);
    at_ += n;
    return n;
  }

 private:
  OpenCount::Place place_;
  base::Sha256Stream stream_;
  std::string digest_;  // empty until the first read
  std::size_t at_ = 0;
};

}  // namespace

Device sha256_device(std::string name) {
  return {.name = std::move(name),
          .code = device_code("Sha2"),
          .open = [count = OpenCount(kSha256StreamsMax)](Call&, const OpenRequest& request,
                                                         const Stat& node) -> Io<std::unique_ptr<File>> {
            auto place = count.take();
            if (!place) return fail(place.error());
            return std::make_unique<Sha256File>(node, request.flags, std::move(*place));
          },
          .size = [] { return kHexDigits; }};
}

}  // namespace fusebox::vfs
