#include "vfs/device/device_file.h"
#include "vfs/device/devices.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

class NullFile final : public DeviceFile {
 public:
  NullFile(const Stat& node, FdFlags flags) : DeviceFile(node, flags) {}
  Io<std::size_t> read(Call&, ReadBuffers) override { return 0; }
  Io<std::size_t> write(Call&, WriteBuffers from) override { return size_of(from); }
};

}  // namespace

Device null_device(std::string name) {
  return {.name = std::move(name),
          .code = device_code("Null"),
          .open = [](Call&, const OpenRequest& request, const Stat& node) -> Io<std::unique_ptr<File>> {
            return std::make_unique<NullFile>(node, request.flags);
          },
          .below = Errno::notdir};
}

}  // namespace fusebox::vfs
