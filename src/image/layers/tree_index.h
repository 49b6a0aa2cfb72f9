// A tree's memory: nodes, how they hang together, and the table that finds them.
//
// Owner    of everything but the contents, which the layers keep.
// Threads  immutable once it is a tree's: any.
// Units    about 150 bytes a node; layer_limits.h says why that matters.
#pragma once

#include <cstddef>
#include <vector>

#include "image/layers/name_store.h"
#include "image/layers/path_hash.h"
#include "image/layers/path_table.h"
#include "image/tree.h"

namespace fusebox::image {

struct Tree::Impl {
  // While a tree is built, a directory's children are a list; afterwards they are a range of `children`.
  struct Links {
    std::uint64_t hash = 0;
    NodeId parent = kRoot;
    NodeId first = PathTable::kNone;  // child in the list, or place in `children`
    NodeId next = PathTable::kNone;   // sibling in the list, or number of children
    bool is_explicit = true;          // has an entry of its own, is not only implied by a deeper one
    bool is_alive = true;
  };

  // What comparing a path from its end upwards reads, side by side: one cache line a component instead of two.
  struct Step {
    const char* name = nullptr;
    std::uint32_t size = 0;
    NodeId parent = kRoot;
  };

  explicit Impl(base::Random& random) : hash(random) {}

  NodeId child(NodeId directory, std::string_view name) const noexcept {
    return table.find(hash.child(links[directory].hash, name),
                      [&](NodeId id) { return links[id].parent == directory && nodes[id].name == name; });
  }

  PathHash hash;
  PathTable table;
  NameStore names;
  std::vector<Node> nodes;
  std::vector<Links> links;
  std::vector<Step> steps;  // made when the tree is whole
  std::vector<NodeId> children;
  std::vector<LayerBytes> layers;
};

}  // namespace fusebox::image
