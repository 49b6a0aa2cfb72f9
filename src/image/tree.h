// The files of an image: its layers merged into one read-only tree, found by path in constant time.
//
// Contents are views into the layers' bytes, which the tree keeps: nothing is copied, and containers of one image share
// it. Symbolic links are not followed here: they live in the whole namespace of a container.
//
// Owner    shared_ptr; a tree keeps its layers mapped.
// Threads  immutable: any.
// Contract containers.md section 14
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "image/limits.h"

namespace fusebox::image {

// Bytes of a layer's uncompressed tar, and who keeps them: a file mapping, memory, or a part of another source.
struct LayerBytes {
  std::shared_ptr<const void> owner;
  base::ByteView bytes;
};

class Tree {
 public:
  enum class Type : std::uint8_t { directory, regular, symlink };
  using NodeId = std::uint32_t;
  static constexpr NodeId kRoot = 0;

  struct Node {
    Type type = Type::directory;
    std::uint64_t inode = 0;  // never 0; the same for all names of one file (hard links)
    std::uint64_t modified_ns = 0;
    base::ByteView content;        // regular files
    std::string_view link_target;  // symlinks, as stored
    std::string_view name;         // last component; "" for the root
  };

  // For trees that will be run (`run`) or stored (`keep`): the two columns of contract 14.5.
  enum class Strictness : std::uint8_t { run, keep };
  // Base layer first. `invalid` "BAD_IMAGE" with what and where; `exhausted` "BAD_IMAGE" for a bound. `dropped` gets one
  // sentence for each entry that `run` leaves out.
  static base::Result<std::shared_ptr<const Tree>> build(std::span<const LayerBytes> layers, const Limits& limits,
                                                         Strictness strictness,
                                                         std::vector<std::string>* dropped = nullptr);

  // How far a path without leading slash, normalised, leads from the root.
  struct Found {
    enum class How : std::uint8_t {
      node,
      missing,        // a component does not exist
      not_directory,  // a component before the last is a regular file
      link,  // a component before the last is a symbolic link: `node` is it, `used` the bytes of path up to its end
    } how = How::missing;
    NodeId node = 0;
    std::size_t used = 0;
  };
  Found find(std::string_view path) const noexcept;
  const Node& node(NodeId id) const noexcept;
  // Sorted bytewise by name.
  std::span<const NodeId> children(NodeId directory) const noexcept;
  std::size_t node_count() const noexcept;
  std::uint64_t index_bytes() const noexcept;  // memory beyond the layers

  struct Impl;
  explicit Tree(std::unique_ptr<const Impl> impl) noexcept;
  ~Tree();

 private:
  std::unique_ptr<const Impl> impl_;
};

}  // namespace fusebox::image
