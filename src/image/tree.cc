#include "image/tree.h"

#include "image/archive.h"
#include "image/layers/layer.h"
#include "image/layers/tree_builder.h"

namespace fusebox::image {
namespace {

constexpr Tree::NodeId kNone = PathTable::kNone;

base::Result<void> check_size(std::span<const LayerBytes> layers, const Limits& limits) {
  if (layers.size() > limits.layers_max) {
    return too_large(std::to_string(layers.size()) + " layers, an image may have " + std::to_string(limits.layers_max));
  }
  std::uint64_t left = limits.image_bytes_max;
  for (const LayerBytes& layer : layers) {
    if (layer.bytes.size() > left) {
      return too_large("the layers have more than " + std::to_string(limits.image_bytes_max) + " bytes");
    }
    left -= layer.bytes.size();
  }
  return {};
}

std::string_view first_part(std::string_view path) noexcept {
  return path.substr(0, path.find('/'));
}

std::uint64_t hash_of(const PathHash& hash, std::string_view path) noexcept {
  std::uint64_t value = hash.root();
  while (true) {
    const std::string_view part = first_part(path);
    value = hash.child(value, part);
    if (part.size() == path.size()) return value;
    path.remove_prefix(part.size() + 1);
  }
}

// Whether `id` has just this path, compared from its end upwards.
bool has_path(const Tree::Impl& tree, Tree::NodeId id, std::string_view path) noexcept {
  while (true) {
    const Tree::Impl::Step& step = tree.steps[id];
    if (!path.ends_with(std::string_view(step.name, step.size))) return false;
    path.remove_suffix(step.size);
    id = step.parent;
    if (id == Tree::kRoot) return path.empty();
    if (!path.ends_with('/')) return false;
    path.remove_suffix(1);
  }
}

// Why there is no such path: the place where it leaves the tree.
Tree::Found find_end(const Tree::Impl& tree, std::string_view path) noexcept {
  using How = Tree::Found::How;
  Tree::NodeId id = Tree::kRoot;
  std::size_t used = 0;
  while (true) {
    const std::string_view part = first_part(path.substr(used));
    id = tree.child(id, part);
    if (id == kNone) return {How::missing, 0, 0};
    used += part.size();
    if (tree.nodes[id].type == Tree::Type::symlink) return {How::link, id, used};
    if (tree.nodes[id].type == Tree::Type::regular) return {How::not_directory, id, used};
    ++used;
  }
}

}  // namespace

Tree::Tree(std::unique_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}
Tree::~Tree() = default;

base::Result<std::shared_ptr<const Tree>> Tree::build(std::span<const LayerBytes> layers, const Limits& limits,
                                                      Strictness strictness, std::vector<std::string>* dropped) {
  FB_CHECK(check_size(layers, limits));
  TreeBuilder builder;
  Dropped sentences(dropped);
  LayerWork work{&builder, strictness, &sentences, limits.entries_max};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers.size() > 1) work.place = "layer " + std::to_string(i + 1) + ": ";
    auto applied = apply_layer(layers[i].bytes, i == 0, work);
    if (!applied) applied.error().message = work.place + applied.error().message;
    FB_CHECK(std::move(applied));
  }
  sentences.finish();
  return std::make_shared<const Tree>(std::move(builder).finish(layers));
}

Tree::Found Tree::find(std::string_view path) const noexcept {
  if (path.empty()) return {Found::How::node, kRoot, 0};
  const NodeId id =
      impl_->table.find(hash_of(impl_->hash, path), [&](NodeId node) { return has_path(*impl_, node, path); });
  if (id != kNone) return {Found::How::node, id, path.size()};
  return find_end(*impl_, path);
}

const Tree::Node& Tree::node(NodeId id) const noexcept {
  return impl_->nodes[id];
}

std::span<const Tree::NodeId> Tree::children(NodeId directory) const noexcept {
  const Impl::Links& links = impl_->links[directory];
  return std::span(impl_->children).subspan(links.first, links.next);
}

std::size_t Tree::node_count() const noexcept {
  return impl_->nodes.size();
}

std::uint64_t Tree::index_bytes() const noexcept {
  return impl_->nodes.capacity() * sizeof(Node) + impl_->links.capacity() * sizeof(Impl::Links) +
         impl_->steps.capacity() * sizeof(Impl::Step) + impl_->children.capacity() * sizeof(NodeId) +
         impl_->table.bytes() + impl_->names.bytes() + impl_->layers.capacity() * sizeof(LayerBytes) + sizeof(Impl);
}

}  // namespace fusebox::image
