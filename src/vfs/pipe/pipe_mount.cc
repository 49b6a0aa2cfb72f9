// /dev/pipe: the pool as one container sees it.
#include "vfs/device/device_file.h"
#include "vfs/device/device_tree.h"
#include "vfs/pipe/pipe.h"
#include "vfs/pipe/pipe_pool.h"
#include "vfs/text/glob.h"

namespace fusebox::vfs {
namespace {

class PipeFile final : public DeviceFile {
 public:
  PipeFile(const Stat& node, FdFlags flags, PipeEnd end) : DeviceFile(node, flags), end_(std::move(end)) {}
  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    return reads() ? end_.pipe()->read(call, to) : fail(Errno::badf);
  }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    return reads() ? fail(Errno::badf) : end_.pipe()->write(from);
  }
  Readiness poll(Call& call, bool for_writing) override { return end_.pipe()->poll(call, for_writing); }

 private:
  bool reads() const noexcept { return end_.side() == PipeEnd::Side::read; }
  PipeEnd end_;
};

class PipeMount final : public Mount, public std::enable_shared_from_this<PipeMount> {
 public:
  PipeMount(std::shared_ptr<PipePool> pool, std::shared_ptr<PipeShare> share, std::string path)
      : pool_(std::move(pool)), share_(std::move(share)), path_(std::move(path)) {}

  Io<std::unique_ptr<File>> open(Call&, std::string_view name, const OpenRequest& request) override {
    if (name.empty()) return open_self(request);
    if (request.directory) return fail(Errno::notdir);
    if (request.read && request.write) return fail(Errno::inval);
    auto end = pool_->attach(name, request.write ? PipeEnd::Side::write : PipeEnd::Side::read, share_);
    if (!end) return fail(end.error());
    return std::make_unique<PipeFile>(node_of(name), request.flags, std::move(*end));
  }

  Io<Stat> stat(Call&, std::string_view name, bool) override {
    if (name.empty()) return self();
    if (name.size() > kPipeNameBytesMax) return fail(Errno::nametoolong);
    if (!visible(name)) return fail(Errno::acces);
    if (!pool_->exists(name)) return fail(Errno::noent);
    return node_of(name);
  }

 private:
  bool visible(std::string_view name) const noexcept {
    return glob_match_any(share_->read, name) || glob_match_any(share_->write, name);
  }
  Stat self() const { return {.device = device_code("Pipe"), .inode = inode_of(path_), .type = FileType::directory}; }
  Stat node_of(std::string_view name) const {
    return {
        .device = device_code("Pipe"), .inode = inode_of(path_ + "/" + std::string(name)), .type = FileType::character};
  }
  Io<std::unique_ptr<File>> open_self(const OpenRequest& request) {
    if (request.write) return fail(Errno::isdir);
    return make_directory_file(self(), [mount = shared_from_this()](Call&, std::uint64_t cookie, DirSink& sink) {
      return mount->list(cookie, sink);
    });
  }
  Io<void> list(std::uint64_t cookie, DirSink& sink) const {
    for (const auto& [name, sequence] : pool_->list(cookie)) {
      if (!visible(name)) continue;
      if (!sink.add({.name = name, .type = FileType::character, .inode = node_of(name).inode, .next = sequence})) break;
    }
    return {};
  }

  std::shared_ptr<PipePool> pool_;
  std::shared_ptr<PipeShare> share_;
  std::string path_;
};

}  // namespace

std::shared_ptr<Mount> make_pipe_mount(std::shared_ptr<PipePool> pool, std::shared_ptr<PipeShare> share,
                                       std::string path) {
  return std::make_shared<PipeMount>(std::move(pool), std::move(share), std::move(path));
}

}  // namespace fusebox::vfs
