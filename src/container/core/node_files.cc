#include "container/core/node_files.h"

#include "base/bytes.h"
#include "vfs/device/device_file.h"
#include "vfs/device/device_tree.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::Io;

class MessageFile final : public vfs::DeviceFile {
 public:
  MessageFile(const vfs::Stat& node, std::size_t bytes_max, vfs::FdFlags flags,
              std::function<Io<void>(std::string_view)> take)
      : DeviceFile(node, flags), bytes_max_(bytes_max), take_(std::move(take)) {}

  Io<std::size_t> read(vfs::Call&, vfs::ReadBuffers) override { return vfs::fail(Errno::inval); }
  Io<std::size_t> write(vfs::Call&, vfs::WriteBuffers from) override {
    std::size_t total = 0;
    for (const auto& piece : from) {
      total += piece.size();
      if (total > bytes_max_) return vfs::fail(Errno::msgsize);
    }
    std::string message;
    message.reserve(total);
    for (const auto& piece : from) message += base::as_text(piece);
    if (const auto taken = take_(message); !taken) return vfs::fail(taken.error());
    return total;
  }

 private:
  std::size_t bytes_max_;
  std::function<Io<void>(std::string_view)> take_;
};

}  // namespace

Io<void> list_entries(const std::vector<NodeEntry>& entries, std::uint64_t cookie, vfs::DirSink& sink) {
  for (std::size_t i = cookie; i < entries.size(); ++i) {
    const NodeEntry& entry = entries[i];
    if (!sink.add({.name = entry.name, .type = entry.type, .inode = entry.inode, .next = i + 1})) break;
  }
  return {};
}

std::unique_ptr<vfs::File> make_snapshot_directory(const vfs::Stat& node,
                                                   std::function<Io<std::vector<NodeEntry>>()> take) {
  return vfs::make_directory_file(node,
                                  [take = std::move(take), entries = std::make_shared<std::vector<NodeEntry>>()](
                                      vfs::Call&, std::uint64_t cookie, vfs::DirSink& sink) -> Io<void> {
                                    if (cookie == 0) {
                                      auto taken = take();
                                      if (!taken) return vfs::fail(taken.error());
                                      *entries = std::move(*taken);
                                    }
                                    return list_entries(*entries, cookie, sink);
                                  });
}

std::unique_ptr<vfs::File> make_message_file(const vfs::Stat& node, std::size_t bytes_max, vfs::FdFlags flags,
                                             std::function<Io<void>(std::string_view message)> take) {
  return std::make_unique<MessageFile>(node, bytes_max, flags, std::move(take));
}

}  // namespace fusebox::container
