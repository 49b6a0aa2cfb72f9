// The store as files: mount `log` and /dev/log.
#include "vfs/device/device_file.h"
#include "vfs/log/log_store.h"
#include "vfs/text/buffers.h"
#include "vfs/text/text_node.h"

namespace fusebox::vfs {
namespace {

class LogMount final : public Mount, public std::enable_shared_from_this<LogMount> {
 public:
  LogMount(std::shared_ptr<LogStore> store, std::string path, std::string scope)
      : store_(std::move(store)), path_(std::move(path)), scope_(std::move(scope)) {}

  Io<std::unique_ptr<File>> open(Call&, std::string_view name, const OpenRequest& request) override {
    if (request.wants_change()) return fail(Errno::rofs);
    if (name.empty()) {
      return make_directory_file(self(), [mount = shared_from_this()](Call&, std::uint64_t cookie, DirSink& sink) {
        return mount->list(cookie, sink);
      });
    }
    const auto node = find(name);
    if (!node) return fail(node.error());
    if (request.directory) return fail(Errno::notdir);
    return make_text_node(
        *node,
        [store = store_, ring = std::string(name)]() -> Io<std::string> {
          auto text = store->read(ring);
          if (!text) return fail(Errno::noent);
          return std::move(*text);
        },
        request.flags);
  }
  Io<Stat> stat(Call&, std::string_view name, bool) override { return name.empty() ? self() : find(name); }

 private:
  Stat self() const { return {.device = device_code("Logd"), .inode = inode_of(path_), .type = FileType::directory}; }
  Stat node_of(std::string_view name) const {
    return {
        .device = device_code("Logs"), .inode = inode_of(path_ + "/" + std::string(name)), .type = FileType::character};
  }
  bool in_scope(std::string_view name) const noexcept { return scope_.empty() || scope_ == name; }
  Io<Stat> find(std::string_view name) const {
    if (name.find('/') != std::string_view::npos) return fail(Errno::noent);
    if (name.size() > store_->options().name_bytes) return fail(Errno::nametoolong);
    if (!in_scope(name) || !store_->exists(name)) return fail(Errno::noent);
    return node_of(name);
  }
  Io<void> list(std::uint64_t cookie, DirSink& sink) const {
    for (const auto& [name, sequence] : store_->list(cookie)) {
      if (!in_scope(name)) continue;
      if (!sink.add({.name = name, .type = FileType::character, .inode = node_of(name).inode, .next = sequence})) break;
    }
    return {};
  }

  std::shared_ptr<LogStore> store_;
  std::string path_;
  std::string scope_;
};

class LogFile final : public DeviceFile {
 public:
  LogFile(const Stat& node, FdFlags flags, std::shared_ptr<LogStore> store, std::string instance,
          std::uint32_t ring_bytes)
      : DeviceFile(node, flags), store_(std::move(store)), instance_(std::move(instance)), ring_bytes_(ring_bytes) {}
  Io<std::size_t> read(Call&, ReadBuffers) override { return 0; }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    store_->append(instance_, from, ring_bytes_);
    return size_of(from);
  }

 private:
  std::shared_ptr<LogStore> store_;
  std::string instance_;
  std::uint32_t ring_bytes_;
};

}  // namespace

std::shared_ptr<Mount> make_log_mount(std::shared_ptr<LogStore> store, std::string path, std::string scope) {
  return std::make_shared<LogMount>(std::move(store), std::move(path), std::move(scope));
}

Device log_device(std::shared_ptr<LogStore> store, std::string instance, std::uint32_t ring_bytes) {
  return {.name = "log",
          .code = device_code("Logs"),
          .open = [store = std::move(store), instance = std::move(instance), ring_bytes](
                      Call&, const OpenRequest& request, const Stat& node) -> Io<std::unique_ptr<File>> {
            return std::make_unique<LogFile>(node, request.flags, store, instance, ring_bytes);
          }};
}

}  // namespace fusebox::vfs
