// What is open in a layer in memory: files by their pages, directories by their names.
#include <algorithm>
#include <cstring>
#include <utility>

#include "vfs/overlay/memory_layer.h"

namespace fusebox::vfs {

namespace {

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryLayerPtr layer, MemoryNodePtr node, FdFlags flags) noexcept
      : File(flags), layer_(std::move(layer)), node_(std::move(node)) {}
  ~MemoryFile() override {
    const std::lock_guard lock(layer_->mutex);
    layer_->release(node_);
    node_.reset();
  }

  FileType type() const noexcept override { return FileType::regular; }
  Io<Stat> stat() override {
    const std::lock_guard lock(layer_->mutex);
    return node_->stat();
  }
  Io<void> set_flags(FdFlags flags) override {
    constexpr FdFlags kAll = 31;
    if ((flags & ~kAll) != 0) return fail(Errno::notsup);
    flags_ = flags;
    return {};
  }

  Io<std::size_t> read(Call&, ReadBuffers to) override {
    const std::lock_guard lock(layer_->mutex);
    const std::size_t done = read_locked(to, cursor_);
    cursor_ += done;
    return done;
  }
  Io<std::size_t> read_at(Call&, ReadBuffers to, std::uint64_t offset) override {
    const std::lock_guard lock(layer_->mutex);
    return read_locked(to, offset);
  }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    const std::lock_guard lock(layer_->mutex);
    if (has(flags_, FdFlag::append)) cursor_ = node_->size;
    const auto done = write_locked(from, cursor_);
    if (done) cursor_ += *done;
    return done;
  }
  Io<std::size_t> write_at(Call&, WriteBuffers from, std::uint64_t offset) override {
    const std::lock_guard lock(layer_->mutex);
    return write_locked(from, has(flags_, FdFlag::append) ? node_->size : offset);
  }
  Io<std::uint64_t> seek(std::int64_t offset, Whence whence) override {
    const std::lock_guard lock(layer_->mutex);
    const std::uint64_t from = whence == Whence::set ? 0 : whence == Whence::current ? cursor_ : node_->size;
    std::int64_t at = 0;
    if (__builtin_add_overflow(static_cast<std::int64_t>(from), offset, &at) || at < 0) return fail(Errno::inval);
    return cursor_ = static_cast<std::uint64_t>(at);
  }
  // Takes the pages now, so that a later write cannot fail.
  Io<void> allocate(std::uint64_t offset, std::uint64_t length) override {
    if (length == 0) return fail(Errno::inval);
    if (offset > kMemoryFileBytesMax || length > kMemoryFileBytesMax - offset) return fail(Errno::fbig);
    const std::lock_guard lock(layer_->mutex);
    const std::uint64_t old_size = node_->size;
    if (offset + length > old_size) {
      if (auto grown = layer_->resize(*node_, offset + length); !grown) return grown;
    }
    for (std::uint64_t at = offset / kMemoryPageBytes; at * kMemoryPageBytes < offset + length; ++at) {
      if (layer_->page_at(*node_, at) != nullptr) continue;
      if (offset + length > old_size) (void)layer_->resize(*node_, old_size);
      return fail(Errno::dquot);
    }
    return {};
  }
  Io<void> set_size(std::uint64_t size) override {
    const std::lock_guard lock(layer_->mutex);
    auto sized = layer_->resize(*node_, size);
    if (sized) node_->modified_ns = node_->changed_ns = layer_->now();
    return sized;
  }
  Io<void> set_times(SetTime accessed, SetTime modified) override {
    const std::lock_guard lock(layer_->mutex);
    layer_->set_times(*node_, accessed, modified);
    return {};
  }

 private:
  std::size_t read_locked(ReadBuffers to, std::uint64_t at) const {
    std::size_t done = 0;
    for (std::span<std::byte> buffer : to) {
      while (!buffer.empty() && at < node_->size) {
        const std::size_t in_page = static_cast<std::size_t>(at % kMemoryPageBytes);
        const auto& page = node_->pages[static_cast<std::size_t>(at / kMemoryPageBytes)];
        const std::size_t size = static_cast<std::size_t>(
            std::min<std::uint64_t>({buffer.size(), kMemoryPageBytes - in_page, node_->size - at}));
        if (page)
          std::memcpy(buffer.data(), page->data() + in_page, size);
        else
          std::memset(buffer.data(), 0, size);
        buffer = buffer.subspan(size);
        at += size;
        done += size;
      }
    }
    return done;
  }

  // What fits is written; `dquot` when that is nothing.
  Io<std::size_t> write_locked(WriteBuffers from, std::uint64_t at) {
    std::size_t done = 0;
    Errno error = Errno::success;
    for (std::span<const std::byte> buffer : from) {
      while (!buffer.empty() && error == Errno::success) {
        const std::size_t in_page = static_cast<std::size_t>(at % kMemoryPageBytes);
        const std::size_t size = std::min(buffer.size(), kMemoryPageBytes - in_page);
        error = write_page(buffer.first(size), at);
        if (error != Errno::success) break;
        buffer = buffer.subspan(size);
        at += size;
        done += size;
      }
    }
    if (done == 0 && error != Errno::success) return fail(error);
    node_->modified_ns = node_->changed_ns = layer_->now();
    return done;
  }

  // Within one page.
  Errno write_page(std::span<const std::byte> bytes, std::uint64_t at) {
    if (at > kMemoryFileBytesMax || bytes.size() > kMemoryFileBytesMax - at) return Errno::fbig;
    const std::uint64_t old_size = node_->size;
    if (at + bytes.size() > old_size) {
      if (auto grown = layer_->resize(*node_, at + bytes.size()); !grown) return grown.error();
    }
    MemoryPage* const page = layer_->page_at(*node_, at / kMemoryPageBytes);
    if (page == nullptr) {
      if (node_->size > old_size) (void)layer_->resize(*node_, old_size);
      return Errno::dquot;
    }
    std::memcpy(page->data() + at % kMemoryPageBytes, bytes.data(), bytes.size());
    return Errno::success;
  }

  MemoryLayerPtr layer_;
  MemoryNodePtr node_;
  std::uint64_t cursor_ = 0;
};

class MemoryDirectory final : public File {
 public:
  MemoryDirectory(MemoryLayerPtr layer, MemoryNodePtr node, FdFlags flags) noexcept
      : File(flags), layer_(std::move(layer)), node_(std::move(node)) {}
  ~MemoryDirectory() override {
    const std::lock_guard lock(layer_->mutex);
    layer_->release(node_);
    node_.reset();
  }
  FileType type() const noexcept override { return FileType::directory; }
  Io<Stat> stat() override {
    const std::lock_guard lock(layer_->mutex);
    return node_->stat();
  }
  Io<void> set_times(SetTime accessed, SetTime modified) override {
    const std::lock_guard lock(layer_->mutex);
    layer_->set_times(*node_, accessed, modified);
    return {};
  }
  // A cookie is the number of entries before it: the overlay reads a directory at once, before it changes.
  Io<void> list(Call&, std::uint64_t cookie, DirSink& sink) override {
    const std::lock_guard lock(layer_->mutex);
    std::uint64_t at = 0;
    for (const auto& [name, node] : node_->children) {
      if (at++ < cookie) continue;
      if (!sink.add({.name = name, .type = node->type, .inode = node->inode, .next = at})) break;
    }
    return {};
  }

 private:
  MemoryLayerPtr layer_;
  MemoryNodePtr node_;
};

}  // namespace

std::unique_ptr<File> make_memory_file(MemoryLayerPtr layer, MemoryNodePtr node, FdFlags flags) {
  return std::make_unique<MemoryFile>(std::move(layer), std::move(node), flags);
}

std::unique_ptr<File> make_memory_directory(MemoryLayerPtr layer, MemoryNodePtr node, FdFlags flags) {
  return std::make_unique<MemoryDirectory>(std::move(layer), std::move(node), flags);
}

}  // namespace fusebox::vfs
