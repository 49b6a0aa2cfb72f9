#include "image/layers/tree_builder.h"

#include <algorithm>
#include <utility>

#include "image/archive.h"
#include "image/layers/layer_limits.h"

namespace fusebox::image {

using NodeId = Tree::NodeId;
using Type = Tree::Type;

constexpr NodeId kNone = PathTable::kNone;

TreeBuilder::TreeBuilder() {
  base::SystemRandom random;
  tree_ = std::make_unique<Tree::Impl>(random);
  Tree::Node root;
  root.inode = ++inodes_;
  tree_->nodes.push_back(root);
  tree_->links.push_back({.hash = tree_->hash.root()});
}

NodeId TreeBuilder::find_id(Parts path) const noexcept {
  NodeId id = Tree::kRoot;
  for (const std::string_view part : path) {
    id = tree_->child(id, part);
    if (id == kNone) break;
  }
  return id;
}

const Tree::Node* TreeBuilder::find(Parts path) const noexcept {
  const NodeId id = find_id(path);
  return id == kNone ? nullptr : &tree_->nodes[id];
}

base::Result<void> TreeBuilder::put(Parts path, Tree::Node node, bool keep_inode) {
  if (path.empty()) {
    if (node.type != Type::directory) return bad_image("the root of an image is not a directory");
    tree_->nodes[Tree::kRoot].modified_ns = node.modified_ns;
    return {};
  }
  FB_TRY(const NodeId parent, directory(path.first(path.size() - 1)));
  NodeId id = tree_->child(parent, path.back());
  const bool joins = id != kNone && node.type == Type::directory && tree_->nodes[id].type == Type::directory;
  if (id == kNone) id = add(parent, path.back());
  if (joins) {
    tree_->nodes[id].modified_ns = node.modified_ns;
  } else {
    become(id, node, keep_inode);
  }
  if (!std::exchange(tree_->links[id].is_explicit, true)) --implied_;
  return {};
}

// The directory of this path; what is not one yet becomes one.
base::Result<NodeId> TreeBuilder::directory(Parts path) {
  NodeId id = Tree::kRoot;
  for (const std::string_view part : path) {
    const NodeId parent = std::exchange(id, tree_->child(id, part));
    if (id != kNone && tree_->nodes[id].type == Type::directory) continue;
    if (id == kNone) id = add(parent, part);
    if (std::exchange(tree_->links[id].is_explicit, false) && ++implied_ > kImpliedDirectoriesMax) {
      return too_large("more than 65,536 directories without an entry");
    }
    become(id, Tree::Node{}, false);
  }
  return id;
}

NodeId TreeBuilder::add(NodeId parent, std::string_view name) {
  auto& links = tree_->links;
  const auto id = static_cast<NodeId>(links.size());
  const std::uint64_t hash = tree_->hash.child(links[parent].hash, name);
  links.push_back({.hash = hash, .parent = parent, .next = std::exchange(links[parent].first, id)});
  Tree::Node node;
  node.name = tree_->names.keep(name);
  tree_->nodes.push_back(node);
  tree_->table.insert(hash, id, [&](NodeId known) { return links[known].hash; });
  return id;
}

void TreeBuilder::become(NodeId id, Tree::Node node, bool keep_inode) {
  if (tree_->nodes[id].type == Type::directory) clear_node(id);
  node.name = tree_->nodes[id].name;
  if (!keep_inode) node.inode = ++inodes_;
  tree_->nodes[id] = node;
}

void TreeBuilder::remove(Parts path) {
  const NodeId id = find_id(path);
  if (id == kNone || id == Tree::kRoot) return;
  clear_node(id);
  tree_->links[id].is_alive = false;  // its parent's list keeps it until that is cleared or finished
  tree_->table.erase(tree_->links[id].hash, id);
}

void TreeBuilder::clear(Parts path) {
  const NodeId id = find_id(path);
  if (id != kNone) clear_node(id);
}

// Each node is unlisted once and each list cut, so that no order of whiteouts makes this slow.
void TreeBuilder::clear_node(NodeId directory) {
  auto& links = tree_->links;
  doomed_.assign(1, directory);
  while (!doomed_.empty()) {
    const NodeId parent = doomed_.back();
    doomed_.pop_back();
    for (NodeId id = std::exchange(links[parent].first, kNone); id != kNone; id = links[id].next) {
      if (!std::exchange(links[id].is_alive, false)) continue;
      tree_->table.erase(links[id].hash, id);
      if (links[id].first != kNone) doomed_.push_back(id);
    }
  }
}

std::unique_ptr<const Tree::Impl> TreeBuilder::finish(std::span<const LayerBytes> layers) && {
  prune_implied();
  drop_dead();
  list_children();
  list_steps();
  tree_->layers.assign(layers.begin(), layers.end());
  return std::move(tree_);
}

void TreeBuilder::prune_implied() {
  auto& links = tree_->links;
  std::vector<NodeId> counts(links.size());  // of living children
  for (NodeId id = 1; id < links.size(); ++id) {
    if (links[id].is_alive) ++counts[links[id].parent];
  }
  for (NodeId leaf = 1; leaf < links.size(); ++leaf) {
    NodeId id = leaf;
    while (links[id].is_alive && !links[id].is_explicit && counts[id] == 0) {
      links[id].is_alive = false;
      id = links[id].parent;
      --counts[id];
    }
  }
}

// Moves the living together, so that their numbers have no gaps, and makes the table anew for just these.
void TreeBuilder::drop_dead() {
  auto& links = tree_->links;
  std::vector<NodeId> moved(links.size());
  NodeId count = 0;
  for (NodeId id = 0; id < links.size(); ++id) {
    if (!links[id].is_alive) continue;
    moved[id] = count;
    links[count] = links[id];
    tree_->nodes[count] = tree_->nodes[id];
    ++count;
  }
  links.resize(count);
  tree_->nodes.resize(count);
  links.shrink_to_fit();  // a tree lives long, and growing may have left half of it unused
  tree_->nodes.shrink_to_fit();
  tree_->table = PathTable(count);
  for (NodeId id = 1; id < count; ++id) {
    links[id].parent = moved[links[id].parent];
    tree_->table.insert(links[id].hash, id, [&](NodeId known) { return links[known].hash; });
  }
}

void TreeBuilder::list_children() {
  auto& links = tree_->links;
  for (Tree::Impl::Links& link : links) link.next = 0;
  for (NodeId id = 1; id < links.size(); ++id) ++links[links[id].parent].next;
  NodeId place = 0;
  for (Tree::Impl::Links& link : links) {
    link.first = place;
    place += std::exchange(link.next, 0);
  }
  tree_->children.resize(place);
  for (NodeId id = 1; id < links.size(); ++id) {
    Tree::Impl::Links& parent = links[links[id].parent];
    tree_->children[parent.first + parent.next++] = id;
  }
  const auto name_of = [&](NodeId id) { return tree_->nodes[id].name; };
  for (const Tree::Impl::Links& link : links) {
    std::ranges::sort(std::span(tree_->children).subspan(link.first, link.next), std::less<>{}, name_of);
  }
}

void TreeBuilder::list_steps() {
  tree_->steps.reserve(tree_->nodes.size());
  for (NodeId id = 0; id < tree_->nodes.size(); ++id) {
    const std::string_view name = tree_->nodes[id].name;
    tree_->steps.push_back({name.data(), static_cast<std::uint32_t>(name.size()), tree_->links[id].parent});
  }
}

}  // namespace fusebox::image
