// A tree while its layers are laid on each other.
//
// Owner    finish() hands everything over to the tree.
// Threads  one thread at a time.
// Errors   `exhausted` "BAD_IMAGE" where a path implies more directories than there may be.
// Contract containers.md 14.2, 14.3
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/layers/tree_index.h"

namespace fusebox::image {

using Parts = std::span<const std::string_view>;

class TreeBuilder {
 public:
  TreeBuilder();

  // Nothing where no node has this path. Paths are literal: links are not followed.
  const Tree::Node* find(Parts path) const noexcept;
  // An entry of the layer on top: a directory joins one that is there, everything else takes the place of what is there.
  // Name and, unless `keep_inode`, inode of `node` are set here. The root takes directories only.
  base::Result<void> put(Parts path, Tree::Node node, bool keep_inode = false);
  // What is there so far, hidden: a path with all below it, or only what is below it.
  void remove(Parts path);
  void clear(Parts path);

  // Leaves out the directories that nothing but hidden entries implied.
  std::unique_ptr<const Tree::Impl> finish(std::span<const LayerBytes> layers) &&;

 private:
  Tree::NodeId find_id(Parts path) const noexcept;
  base::Result<Tree::NodeId> directory(Parts path);
  Tree::NodeId add(Tree::NodeId parent, std::string_view name);
  void become(Tree::NodeId id, Tree::Node node, bool keep_inode);
  void clear_node(Tree::NodeId directory);

  void prune_implied();
  void drop_dead();
  void list_children();
  void list_steps();

  std::unique_ptr<Tree::Impl> tree_;
  std::vector<Tree::NodeId> doomed_;  // work list of clear_node()
  std::uint64_t inodes_ = 0;
  std::size_t implied_ = 0;  // directories made without an entry of their own
};

}  // namespace fusebox::image
