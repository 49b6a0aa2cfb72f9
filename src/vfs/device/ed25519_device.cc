#include <algorithm>

#include "vfs/device/device_file.h"
#include "vfs/device/devices.h"
#include "vfs/device/ed25519_strict.h"
#include "vfs/device/limits.h"
#include "vfs/device/open_count.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kBytesMax = kKeyBytes + kSignatureBytes + kEd25519MessageBytesMax;

class Ed25519File final : public DeviceFile {
 public:
  Ed25519File(const Stat& node, FdFlags flags, OpenCount::Place place)
      : DeviceFile(node, flags), place_(std::move(place)) {}

  Io<Stat> stat() override {
    Stat node = node_;
    node.size = verdict_.size();
    return node;
  }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    if (!verdict_.empty()) return fail(Errno::inval);
    if (input_.size() == kBytesMax) return fail(Errno::fbig);
    const std::size_t before = input_.size();
    input_ += gather(from, kBytesMax - before);
    return input_.size() - before;
  }
  Io<std::size_t> read(Call&, ReadBuffers to) override {
    if (verdict_.empty()) {
      if (input_.size() < kKeyBytes + kSignatureBytes) return fail(Errno::inval);
      verdict_ = verify() ? "ok" : "fail";
      input_ = {};
    }
    const std::size_t n = scatter(base::as_bytes(verdict_).subspan(at_), to);
    at_ += n;
    return n;
  }

 private:
  bool verify() const {
    const base::ByteView all = base::as_bytes(input_);
    base::Ed25519PublicKey key;
    base::Ed25519Signature signature;
    std::ranges::copy(all.first(kKeyBytes), key.bytes.begin());
    std::ranges::copy(all.subspan(kKeyBytes, kSignatureBytes), signature.bytes.begin());
    return ed25519_verify_strict(key, all.subspan(kKeyBytes + kSignatureBytes), signature);
  }

  OpenCount::Place place_;
  std::string input_;
  std::string_view verdict_;  // empty until the first read
  std::size_t at_ = 0;
};

}  // namespace

Device ed25519_device(std::string name) {
  return {.name = std::move(name),
          .code = device_code("Ed25"),
          .open = [count = OpenCount(kEd25519StreamsMax)](Call&, const OpenRequest& request,
                                                          const Stat& node) -> Io<std::unique_ptr<File>> {
            auto place = count.take();
            if (!place) return fail(place.error());
            return std::make_unique<Ed25519File>(node, request.flags, std::move(*place));
          }};
}

}  // namespace fusebox::vfs
