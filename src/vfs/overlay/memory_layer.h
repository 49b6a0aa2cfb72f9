// The nodes of a layer in memory and what they weigh, and the open files over them. Internal to vfs/overlay.
//
// Owner    a layer keeps its names' nodes; an open file keeps its node and the layer.
// Threads  MemoryLayer::mutex guards every node: what takes a layer or a node needs it held, open files take it
//          themselves.
// Errors   `dquot` when the layer is full, `fbig`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "vfs/file.h"

namespace fusebox::vfs {

inline constexpr std::size_t kMemoryPageBytes = 4096;  // content is kept and counted in these; holes take none
// Of a file with holes: 2 GiB of empty page slots are counted, too.
inline constexpr std::uint64_t kMemoryFileBytesMax = 1ull << 40;

using MemoryPage = std::array<std::byte, kMemoryPageBytes>;

struct MemoryNode {
  FileType type = FileType::regular;
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
  std::uint64_t size = 0;
  std::uint64_t accessed_ns = 0, modified_ns = 0, changed_ns = 0;
  std::vector<std::unique_ptr<MemoryPage>> pages;                            // regular; null = a hole
  std::string target;                                                        // symlink
  std::map<std::string, std::shared_ptr<MemoryNode>, std::less<>> children;  // directory

  Stat stat() const noexcept;
};
using MemoryNodePtr = std::shared_ptr<MemoryNode>;

// All nodes of one layer, their count of bytes, and the lock for all of it.
struct MemoryLayer {
  const base::Clock& clock;
  const std::uint64_t bytes_max;
  std::mutex mutex;
  std::uint64_t bytes = 0;
  std::uint64_t next_inode = 1;
  MemoryNodePtr root;

  MemoryLayer(const base::Clock& of, std::uint64_t most) : clock(of), bytes_max(most) {}
  ~MemoryLayer();
  MemoryLayer(const MemoryLayer&) = delete;
  MemoryLayer& operator=(const MemoryLayer&) = delete;

  std::uint64_t now() const noexcept { return static_cast<std::uint64_t>(clock.wall().count()); }
  bool take(std::uint64_t more) noexcept;  // false: the layer is full
  void give_back(std::uint64_t less) noexcept { bytes -= less; }

  MemoryNodePtr make(FileType type);
  // Of a reference that is about to go: the bytes of a node that nobody can reach any more are free.
  void release(const MemoryNodePtr& node) noexcept;
  // Bytes a node is counted with beside its names, and those of a name.
  static std::uint64_t weight(const MemoryNode& node) noexcept;
  static std::uint64_t weight(std::string_view name) noexcept;

  Io<void> resize(MemoryNode& node, std::uint64_t size);
  // The page that holds byte `index` * kMemoryPageBytes, made if it is a hole; null when the layer is full.
  MemoryPage* page_at(MemoryNode& node, std::uint64_t index);
  void set_times(MemoryNode& node, SetTime accessed, SetTime modified) noexcept;
};
using MemoryLayerPtr = std::shared_ptr<MemoryLayer>;

std::unique_ptr<File> make_memory_file(MemoryLayerPtr layer, MemoryNodePtr node, FdFlags flags);
std::unique_ptr<File> make_memory_directory(MemoryLayerPtr layer, MemoryNodePtr node, FdFlags flags);

}  // namespace fusebox::vfs
