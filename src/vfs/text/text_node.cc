#include "vfs/text/text_node.h"

#include <optional>

#include "base/bytes.h"
#include "vfs/device/device_file.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

class TextNode final : public DeviceFile {
 public:
  TextNode(const Stat& node, RenderText render, FdFlags flags) : DeviceFile(node, flags), render_(std::move(render)) {}

  Io<std::size_t> read(Call&, ReadBuffers to) override {
    if (!text_) {
      auto text = render_();
      if (!text) return fail(text.error());
      text_ = std::move(*text);
    }
    const std::size_t n = scatter(base::as_bytes(*text_).subspan(at_), to);
    at_ += n;
    return n;
  }
  Readiness poll(Call&, bool) override { return {.ready = true, .bytes = text_ ? text_->size() - at_ : 0}; }

 private:
  RenderText render_;
  std::optional<std::string> text_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<File> make_text_node(const Stat& node, RenderText render, FdFlags flags) {
  return std::make_unique<TextNode>(node, std::move(render), flags);
}

}  // namespace fusebox::vfs
