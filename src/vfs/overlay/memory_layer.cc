#include "vfs/overlay/memory_layer.h"

#include <algorithm>
#include <utility>

namespace fusebox::vfs {

namespace {

constexpr std::uint64_t kNodeBytes = 256;  // counted for a node: its record and what the allocator adds
constexpr std::uint64_t kNameBytes = 128;  // counted for a name beside its own bytes
constexpr std::uint64_t kSlotBytes = sizeof(void*);

}  // namespace

Stat MemoryNode::stat() const noexcept {
  Stat stat;
  stat.device = device_code("TarF");
  stat.inode = inode;
  stat.type = type;
  stat.links = links;
  stat.size = type == FileType::symlink ? target.size() : size;
  stat.accessed_ns = accessed_ns;
  stat.modified_ns = modified_ns;
  stat.changed_ns = changed_ns;
  return stat;
}

// Names form no cycles, but a deep chain must not be destroyed by recursion.
MemoryLayer::~MemoryLayer() {
  std::vector<MemoryNodePtr> ahead{std::move(root)};
  while (!ahead.empty()) {
    const MemoryNodePtr node = std::move(ahead.back());
    ahead.pop_back();
    for (auto& [name, child] : node->children) ahead.push_back(std::move(child));
    node->children.clear();
  }
}

bool MemoryLayer::take(std::uint64_t more) noexcept {
  if (more > bytes_max - bytes) return false;
  bytes += more;
  return true;
}

MemoryNodePtr MemoryLayer::make(FileType type) {
  auto node = std::make_shared<MemoryNode>();
  node->type = type;
  node->inode = next_inode++;
  node->accessed_ns = node->modified_ns = node->changed_ns = now();
  return node;
}

void MemoryLayer::release(const MemoryNodePtr& node) noexcept {
  if (node->links == 0 && node.use_count() == 1) give_back(weight(*node));
}

std::uint64_t MemoryLayer::weight(const MemoryNode& node) noexcept {
  std::uint64_t pages = 0;
  for (const auto& page : node.pages) pages += page ? kMemoryPageBytes : 0;
  return kNodeBytes + node.target.size() + pages + node.pages.size() * kSlotBytes;
}

std::uint64_t MemoryLayer::weight(std::string_view name) noexcept {
  return kNameBytes + name.size();
}

Io<void> MemoryLayer::resize(MemoryNode& node, std::uint64_t size) {
  if (size > kMemoryFileBytesMax) return fail(Errno::fbig);
  const std::size_t pages = static_cast<std::size_t>((size + kMemoryPageBytes - 1) / kMemoryPageBytes);
  if (pages > node.pages.size()) {
    if (!take((pages - node.pages.size()) * kSlotBytes)) return fail(Errno::dquot);
    node.pages.resize(pages);
  }
  while (node.pages.size() > pages) {
    give_back(kSlotBytes + (node.pages.back() ? kMemoryPageBytes : 0));
    node.pages.pop_back();
  }
  if (pages == 0) node.pages.shrink_to_fit();
  // What is cut off must not come back when the file grows again.
  if (const std::size_t rest = size % kMemoryPageBytes; size < node.size && rest != 0 && node.pages.back())
    std::fill(node.pages.back()->begin() + static_cast<std::ptrdiff_t>(rest), node.pages.back()->end(), std::byte{});
  node.size = size;
  return {};
}

MemoryPage* MemoryLayer::page_at(MemoryNode& node, std::uint64_t index) {
  auto& page = node.pages[static_cast<std::size_t>(index)];
  if (!page && take(kMemoryPageBytes)) page = std::make_unique<MemoryPage>();
  return page.get();
}

void MemoryLayer::set_times(MemoryNode& node, SetTime accessed, SetTime modified) noexcept {
  const auto apply = [&](SetTime time, std::uint64_t& field) {
    if (time.how == SetTime::How::now) field = now();
    if (time.how == SetTime::How::at) field = time.ns;
  };
  apply(accessed, node.accessed_ns);
  apply(modified, node.modified_ns);
  node.changed_ns = now();
}

}  // namespace fusebox::vfs
