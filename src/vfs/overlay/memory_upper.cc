#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <vector>

#include "vfs/overlay/overlay.h"

namespace fusebox::vfs {

namespace {

constexpr std::size_t kPageBytes = 4096;             // content is kept and counted in these; holes take none
constexpr std::uint64_t kNodeBytes = 256;            // counted for a node: its record and what the allocator adds
constexpr std::uint64_t kNameBytes = 128;            // counted for a name beside its own bytes
constexpr std::uint64_t kFileBytesMax = 1ull << 40;  // of a file with holes: 2 GiB of empty page slots are counted, too
constexpr std::uint64_t kSlotBytes = sizeof(void*);

using Page = std::array<std::byte, kPageBytes>;

struct Node {
  FileType type = FileType::regular;
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
  std::uint64_t size = 0;
  std::uint64_t accessed_ns = 0, modified_ns = 0, changed_ns = 0;
  std::vector<std::unique_ptr<Page>> pages;                            // regular; null = a hole
  std::string target;                                                  // symlink
  std::map<std::string, std::shared_ptr<Node>, std::less<>> children;  // directory
};
using NodePtr = std::shared_ptr<Node>;

// All nodes of one layer, their count of bytes, and the lock for all of it.
struct Memory {
  const base::Clock& clock;
  const std::uint64_t bytes_max;
  std::mutex mutex;
  std::uint64_t bytes = 0;
  std::uint64_t next_inode = 1;
  NodePtr root;

  Memory(const base::Clock& of, std::uint64_t most) : clock(of), bytes_max(most) {}
  // Names form no cycles, but a deep chain must not be destroyed by recursion.
  ~Memory() {
    std::vector<NodePtr> ahead{std::move(root)};
    while (!ahead.empty()) {
      const NodePtr node = std::move(ahead.back());
      ahead.pop_back();
      for (auto& [name, child] : node->children) ahead.push_back(std::move(child));
      node->children.clear();
    }
  }

  std::uint64_t now() const noexcept { return static_cast<std::uint64_t>(clock.wall().count()); }
  bool take(std::uint64_t more) noexcept {
    if (more > bytes_max - bytes) return false;
    bytes += more;
    return true;
  }
  void give_back(std::uint64_t less) noexcept { bytes -= less; }

  NodePtr make(FileType type) {
    auto node = std::make_shared<Node>();
    node->type = type;
    node->inode = next_inode++;
    node->accessed_ns = node->modified_ns = node->changed_ns = now();
    return node;
  }
  // Bytes a node is counted with beside its names.
  static std::uint64_t weight(const Node& node) noexcept {
    std::uint64_t pages = 0;
    for (const auto& page : node.pages) pages += page ? kPageBytes : 0;
    return kNodeBytes + node.target.size() + pages + node.pages.size() * kSlotBytes;
  }
  static std::uint64_t weight(std::string_view name) noexcept { return kNameBytes + name.size(); }
};
using MemoryPtr = std::shared_ptr<Memory>;

Stat stat_of(const Node& node) noexcept {
  Stat stat;
  stat.device = device_code("TarF");
  stat.inode = node.inode;
  stat.type = node.type;
  stat.links = node.links;
  stat.size = node.type == FileType::symlink ? node.target.size() : node.size;
  stat.accessed_ns = node.accessed_ns;
  stat.modified_ns = node.modified_ns;
  stat.changed_ns = node.changed_ns;
  return stat;
}

void set_node_times(Memory& memory, Node& node, SetTime accessed, SetTime modified) noexcept {
  const auto apply = [&](SetTime time, std::uint64_t& field) {
    if (time.how == SetTime::How::now) field = memory.now();
    if (time.how == SetTime::How::at) field = time.ns;
  };
  apply(accessed, node.accessed_ns);
  apply(modified, node.modified_ns);
  node.changed_ns = memory.now();
}

// The caller holds the last reference to a node if nobody can reach it any more: its bytes are free then.
void release(Memory& memory, const NodePtr& node) noexcept {
  if (node->links == 0 && node.use_count() == 1) memory.give_back(Memory::weight(*node));
}

Io<void> resize(Memory& memory, Node& node, std::uint64_t size) {
  if (size > kFileBytesMax) return fail(Errno::fbig);
  const std::size_t pages = static_cast<std::size_t>((size + kPageBytes - 1) / kPageBytes);
  if (pages > node.pages.size()) {
    if (!memory.take((pages - node.pages.size()) * kSlotBytes)) return fail(Errno::dquot);
    node.pages.resize(pages);
  }
  while (node.pages.size() > pages) {
    memory.give_back(kSlotBytes + (node.pages.back() ? kPageBytes : 0));
    node.pages.pop_back();
  }
  if (pages == 0) node.pages.shrink_to_fit();
  // What is cut off must not come back when the file grows again.
  if (const std::size_t rest = size % kPageBytes; size < node.size && rest != 0 && node.pages.back())
    std::fill(node.pages.back()->begin() + static_cast<std::ptrdiff_t>(rest), node.pages.back()->end(), std::byte{});
  node.size = size;
  return {};
}

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryPtr memory, NodePtr node, FdFlags flags) noexcept
      : File(flags), memory_(std::move(memory)), node_(std::move(node)) {}
  ~MemoryFile() override {
    const std::lock_guard lock(memory_->mutex);
    release(*memory_, node_);
    node_.reset();
  }

  FileType type() const noexcept override { return FileType::regular; }
  Io<Stat> stat() override {
    const std::lock_guard lock(memory_->mutex);
    return stat_of(*node_);
  }
  Io<void> set_flags(FdFlags flags) override {
    constexpr FdFlags kAll = 31;
    if ((flags & ~kAll) != 0) return fail(Errno::notsup);
    flags_ = flags;
    return {};
  }

  Io<std::size_t> read(Call&, ReadBuffers to) override {
    const std::lock_guard lock(memory_->mutex);
    const std::size_t done = read_locked(to, cursor_);
    cursor_ += done;
    return done;
  }
  Io<std::size_t> read_at(Call&, ReadBuffers to, std::uint64_t offset) override {
    const std::lock_guard lock(memory_->mutex);
    return read_locked(to, offset);
  }
  Io<std::size_t> write(Call&, WriteBuffers from) override {
    const std::lock_guard lock(memory_->mutex);
    if (has(flags_, FdFlag::append)) cursor_ = node_->size;
    const auto done = write_locked(from, cursor_);
    if (done) cursor_ += *done;
    return done;
  }
  Io<std::size_t> write_at(Call&, WriteBuffers from, std::uint64_t offset) override {
    const std::lock_guard lock(memory_->mutex);
    return write_locked(from, has(flags_, FdFlag::append) ? node_->size : offset);
  }
  Io<std::uint64_t> seek(std::int64_t offset, Whence whence) override {
    const std::lock_guard lock(memory_->mutex);
    const std::uint64_t from = whence == Whence::set ? 0 : whence == Whence::current ? cursor_ : node_->size;
    std::int64_t at = 0;
    if (__builtin_add_overflow(static_cast<std::int64_t>(from), offset, &at) || at < 0) return fail(Errno::inval);
    return cursor_ = static_cast<std::uint64_t>(at);
  }
  // Takes the pages now, so that a later write cannot fail.
  Io<void> allocate(std::uint64_t offset, std::uint64_t length) override {
    if (length == 0) return fail(Errno::inval);
    if (offset > kFileBytesMax || length > kFileBytesMax - offset) return fail(Errno::fbig);
    const std::lock_guard lock(memory_->mutex);
    const std::uint64_t old_size = node_->size;
    if (offset + length > old_size) {
      if (auto grown = resize(*memory_, *node_, offset + length); !grown) return grown;
    }
    for (std::uint64_t at = offset / kPageBytes; at * kPageBytes < offset + length; ++at) {
      if (page_at(at) != nullptr) continue;
      if (offset + length > old_size) (void)resize(*memory_, *node_, old_size);
      return fail(Errno::dquot);
    }
    return {};
  }
  Io<void> set_size(std::uint64_t size) override {
    const std::lock_guard lock(memory_->mutex);
    auto sized = resize(*memory_, *node_, size);
    if (sized) node_->modified_ns = node_->changed_ns = memory_->now();
    return sized;
  }
  Io<void> set_times(SetTime accessed, SetTime modified) override {
    const std::lock_guard lock(memory_->mutex);
    set_node_times(*memory_, *node_, accessed, modified);
    return {};
  }

 private:
  Page* page_at(std::uint64_t index) {
    auto& page = node_->pages[static_cast<std::size_t>(index)];
    if (!page && memory_->take(kPageBytes)) page = std::make_unique<Page>();
    return page.get();
  }

  std::size_t read_locked(ReadBuffers to, std::uint64_t at) const {
    std::size_t done = 0;
    for (std::span<std::byte> buffer : to) {
      while (!buffer.empty() && at < node_->size) {
        const std::size_t in_page = static_cast<std::size_t>(at % kPageBytes);
        const auto& page = node_->pages[static_cast<std::size_t>(at / kPageBytes)];
        const std::size_t size =
            static_cast<std::size_t>(std::min<std::uint64_t>({buffer.size(), kPageBytes - in_page, node_->size - at}));
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
        const std::size_t in_page = static_cast<std::size_t>(at % kPageBytes);
        const std::size_t size = std::min(buffer.size(), kPageBytes - in_page);
        error = write_page(buffer.first(size), at);
        if (error != Errno::success) break;
        buffer = buffer.subspan(size);
        at += size;
        done += size;
      }
    }
    if (done == 0 && error != Errno::success) return fail(error);
    node_->modified_ns = node_->changed_ns = memory_->now();
    return done;
  }

  // Within one page.
  Errno write_page(std::span<const std::byte> bytes, std::uint64_t at) {
    if (at > kFileBytesMax || bytes.size() > kFileBytesMax - at) return Errno::fbig;
    const std::uint64_t old_size = node_->size;
    if (at + bytes.size() > old_size) {
      if (auto grown = resize(*memory_, *node_, at + bytes.size()); !grown) return grown.error();
    }
    Page* const page = page_at(at / kPageBytes);
    if (page == nullptr) {
      if (node_->size > old_size) (void)resize(*memory_, *node_, old_size);
      return Errno::dquot;
    }
    std::memcpy(page->data() + at % kPageBytes, bytes.data(), bytes.size());
    return Errno::success;
  }

  MemoryPtr memory_;
  NodePtr node_;
  std::uint64_t cursor_ = 0;
};

class MemoryDirectory final : public File {
 public:
  MemoryDirectory(MemoryPtr memory, NodePtr node, FdFlags flags) noexcept
      : File(flags), memory_(std::move(memory)), node_(std::move(node)) {}
  ~MemoryDirectory() override {
    const std::lock_guard lock(memory_->mutex);
    release(*memory_, node_);
    node_.reset();
  }
  FileType type() const noexcept override { return FileType::directory; }
  Io<Stat> stat() override {
    const std::lock_guard lock(memory_->mutex);
    return stat_of(*node_);
  }
  Io<void> set_times(SetTime accessed, SetTime modified) override {
    const std::lock_guard lock(memory_->mutex);
    set_node_times(*memory_, *node_, accessed, modified);
    return {};
  }
  // A cookie is the number of entries before it: the overlay reads a directory at once, before it changes.
  Io<void> list(Call&, std::uint64_t cookie, DirSink& sink) override {
    const std::lock_guard lock(memory_->mutex);
    std::uint64_t at = 0;
    for (const auto& [name, node] : node_->children) {
      if (at++ < cookie) continue;
      if (!sink.add({.name = name, .type = node->type, .inode = node->inode, .next = at})) break;
    }
    return {};
  }

 private:
  MemoryPtr memory_;
  NodePtr node_;
};

class MemoryUpper final : public Mount {
 public:
  explicit MemoryUpper(MemoryPtr memory) noexcept : memory_(std::move(memory)) {}

  Io<std::unique_ptr<File>> open(Call&, std::string_view path, const OpenRequest& request) override {
    const std::lock_guard lock(memory_->mutex);
    auto node = find(path);
    if (!node && node.error() == Errno::noent && request.create) {
      if (request.directory) return fail(Errno::isdir);
      node = add(path, FileType::regular, {});
    } else if (node && request.create && request.exclusive) {
      return fail(Errno::exist);
    }
    if (!node) return fail(node.error());
    switch ((*node)->type) {
      case FileType::directory:
        if (request.write || request.create || request.truncate) return fail(Errno::isdir);
        return std::make_unique<MemoryDirectory>(memory_, *node, request.flags);
      case FileType::regular:
        break;
      default:
        return fail(Errno::loop);
    }
    if (request.directory) return fail(Errno::notdir);
    if (request.truncate) (void)resize(*memory_, **node, 0);  // shrinking cannot fail
    return std::make_unique<MemoryFile>(memory_, *node, request.flags);
  }

  Io<Stat> stat(Call&, std::string_view path, bool) override {
    const std::lock_guard lock(memory_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    return stat_of(**node);
  }

  Io<void> create_directory(Call&, std::string_view path) override { return add_new(path, FileType::directory, {}); }
  Io<void> symlink(Call&, std::string_view target, std::string_view path) override {
    return add_new(path, FileType::symlink, target);
  }

  Io<void> remove_directory(Call&, std::string_view path) override {
    const std::lock_guard lock(memory_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    if ((*node)->type != FileType::directory) return fail(Errno::notdir);
    if (!(*node)->children.empty()) return fail(Errno::notempty);
    if (path.empty()) return fail(Errno::busy);
    remove(path, *node);
    return {};
  }

  Io<void> unlink(Call&, std::string_view path) override {
    const std::lock_guard lock(memory_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    if ((*node)->type == FileType::directory) return fail(Errno::isdir);
    remove(path, *node);
    return {};
  }

  Io<void> rename(Call&, std::string_view from, std::string_view to) override;
  Io<void> link(Call&, std::string_view from, std::string_view to, bool) override {
    const std::lock_guard lock(memory_->mutex);
    const auto node = find(from);
    if (!node) return fail(node.error());
    if ((*node)->type == FileType::directory) return fail(Errno::perm);
    return put(to, *node, true);
  }

  Io<std::string> read_link(Call&, std::string_view path) override {
    const std::lock_guard lock(memory_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    if ((*node)->type != FileType::symlink) return fail(Errno::inval);
    return (*node)->target;
  }

  Io<void> set_times(Call&, std::string_view path, bool, SetTime accessed, SetTime modified) override {
    const std::lock_guard lock(memory_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    set_node_times(*memory_, **node, accessed, modified);
    return {};
  }

 private:
  static std::string_view parent_of(std::string_view path) noexcept {
    const std::size_t slash = path.rfind('/');
    return slash == path.npos ? std::string_view() : path.substr(0, slash);
  }
  static std::string_view name_of(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1); }

  Io<NodePtr> find(std::string_view path) const {
    NodePtr here = memory_->root;
    while (!path.empty()) {
      const std::string_view name = path.substr(0, path.find('/'));
      path.remove_prefix(std::min(name.size() + 1, path.size()));
      if (here->type == FileType::symlink) return fail(Errno::loop);
      if (here->type != FileType::directory) return fail(Errno::notdir);
      const auto child = here->children.find(name);
      if (child == here->children.end()) return fail(Errno::noent);
      here = child->second;
    }
    return here;
  }

  // A new name for a node.
  Io<void> put(std::string_view path, const NodePtr& node, bool is_another_name) {
    if (path.empty()) return fail(Errno::exist);
    const auto parent = find(parent_of(path));
    if (!parent) return fail(parent.error());
    if ((*parent)->type != FileType::directory) return fail(Errno::notdir);
    if ((*parent)->children.contains(name_of(path))) return fail(Errno::exist);
    const std::uint64_t bytes = Memory::weight(name_of(path)) + (is_another_name ? 0 : Memory::weight(*node));
    if (!memory_->take(bytes)) return fail(Errno::dquot);
    (*parent)->children.emplace(name_of(path), node);
    (*parent)->modified_ns = (*parent)->changed_ns = memory_->now();
    if (is_another_name) ++node->links;
    return {};
  }

  Io<NodePtr> add(std::string_view path, FileType type, std::string_view target) {
    const NodePtr node = memory_->make(type);
    node->target = target;
    if (auto made = put(path, node, false); !made) return fail(made.error());
    return node;
  }

  Io<void> add_new(std::string_view path, FileType type, std::string_view target) {
    const std::lock_guard lock(memory_->mutex);
    const auto made = add(path, type, target);
    if (!made) return fail(made.error());
    return {};
  }

  void remove(std::string_view path, const NodePtr& node) {
    const NodePtr parent = *find(parent_of(path));
    parent->children.erase(parent->children.find(name_of(path)));
    parent->modified_ns = parent->changed_ns = memory_->now();
    memory_->give_back(Memory::weight(name_of(path)));
    --node->links;
    release(*memory_, node);
  }

  MemoryPtr memory_;
};

Io<void> MemoryUpper::rename(Call&, std::string_view from, std::string_view to) {
  const std::lock_guard lock(memory_->mutex);
  if (from.empty() || to.empty()) return fail(Errno::busy);
  const auto node = find(from);
  if (!node) return fail(node.error());
  const bool is_directory = (*node)->type == FileType::directory;
  if (is_directory && to.starts_with(from) && to.size() > from.size() && to[from.size()] == '/')
    return fail(Errno::inval);
  const auto parent = find(parent_of(to));
  if (!parent) return fail(parent.error());
  if ((*parent)->type != FileType::directory) return fail(Errno::notdir);
  if (const auto old = find(to); old) {
    if (*old == *node) return {};
    const bool old_directory = (*old)->type == FileType::directory;
    if (old_directory && !is_directory) return fail(Errno::isdir);
    if (!old_directory && is_directory) return fail(Errno::notdir);
    if (!(*old)->children.empty()) return fail(Errno::notempty);
  }
  const std::uint64_t more = Memory::weight(name_of(to));
  if (!memory_->take(more)) return fail(Errno::dquot);
  if (const auto old = find(to); old) remove(to, *old);
  const NodePtr source = *find(parent_of(from));
  source->children.erase(source->children.find(name_of(from)));
  memory_->give_back(Memory::weight(name_of(from)));
  (*parent)->children.emplace(name_of(to), *node);
  source->modified_ns = source->changed_ns = (*parent)->modified_ns = (*parent)->changed_ns = memory_->now();
  return {};
}

}  // namespace

std::shared_ptr<Mount> make_memory_upper(const base::Clock& clock, std::uint64_t bytes_max) {
  auto memory = std::make_shared<Memory>(clock, bytes_max);
  memory->root = memory->make(FileType::directory);
  return std::make_shared<MemoryUpper>(std::move(memory));
}

}  // namespace fusebox::vfs
