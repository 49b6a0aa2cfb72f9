// The names of a layer in memory: a mount over its nodes.
#include <algorithm>
#include <utility>

#include "vfs/overlay/layer_names.h"
#include "vfs/overlay/memory_layer.h"
#include "vfs/overlay/overlay.h"

namespace fusebox::vfs {

namespace {

class MemoryUpper final : public Mount {
 public:
  explicit MemoryUpper(MemoryLayerPtr layer) noexcept : layer_(std::move(layer)) {}

  Io<std::unique_ptr<File>> open(Call&, std::string_view path, const OpenRequest& request) override {
    const std::lock_guard lock(layer_->mutex);
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
        return make_memory_directory(layer_, *node, request.flags);
      case FileType::regular:
        break;
      default:
        return fail(Errno::loop);
    }
    if (request.directory) return fail(Errno::notdir);
    if (request.truncate) (void)layer_->resize(**node, 0);  // shrinking cannot fail
    return make_memory_file(layer_, *node, request.flags);
  }

  Io<Stat> stat(Call&, std::string_view path, bool) override {
    const std::lock_guard lock(layer_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    return (*node)->stat();
  }

  Io<void> create_directory(Call&, std::string_view path) override { return add_new(path, FileType::directory, {}); }
  Io<void> symlink(Call&, std::string_view target, std::string_view path) override {
    return add_new(path, FileType::symlink, target);
  }

  Io<void> remove_directory(Call&, std::string_view path) override {
    const std::lock_guard lock(layer_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    if ((*node)->type != FileType::directory) return fail(Errno::notdir);
    if (!(*node)->children.empty()) return fail(Errno::notempty);
    if (path.empty()) return fail(Errno::busy);
    remove(path, *node);
    return {};
  }

  Io<void> unlink(Call&, std::string_view path) override {
    const std::lock_guard lock(layer_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    if ((*node)->type == FileType::directory) return fail(Errno::isdir);
    remove(path, *node);
    return {};
  }

  Io<void> rename(Call&, std::string_view from, std::string_view to) override;
  Io<void> link(Call&, std::string_view from, std::string_view to, bool) override {
    const std::lock_guard lock(layer_->mutex);
    const auto node = find(from);
    if (!node) return fail(node.error());
    if ((*node)->type == FileType::directory) return fail(Errno::perm);
    return put(to, *node, true);
  }

  Io<std::string> read_link(Call&, std::string_view path) override {
    const std::lock_guard lock(layer_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    if ((*node)->type != FileType::symlink) return fail(Errno::inval);
    return (*node)->target;
  }

  Io<void> set_times(Call&, std::string_view path, bool, SetTime accessed, SetTime modified) override {
    const std::lock_guard lock(layer_->mutex);
    const auto node = find(path);
    if (!node) return fail(node.error());
    layer_->set_times(**node, accessed, modified);
    return {};
  }

 private:
  Io<MemoryNodePtr> find(std::string_view path) const {
    MemoryNodePtr here = layer_->root;
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
  Io<void> put(std::string_view path, const MemoryNodePtr& node, bool is_another_name) {
    if (path.empty()) return fail(Errno::exist);
    const auto parent = find(parent_of(path));
    if (!parent) return fail(parent.error());
    if ((*parent)->type != FileType::directory) return fail(Errno::notdir);
    if ((*parent)->children.contains(name_of(path))) return fail(Errno::exist);
    const std::uint64_t bytes = MemoryLayer::weight(name_of(path)) + (is_another_name ? 0 : MemoryLayer::weight(*node));
    if (!layer_->take(bytes)) return fail(Errno::dquot);
    (*parent)->children.emplace(name_of(path), node);
    (*parent)->modified_ns = (*parent)->changed_ns = layer_->now();
    if (is_another_name) ++node->links;
    return {};
  }

  Io<MemoryNodePtr> add(std::string_view path, FileType type, std::string_view target) {
    const MemoryNodePtr node = layer_->make(type);
    node->target = target;
    if (auto made = put(path, node, false); !made) return fail(made.error());
    return node;
  }

  Io<void> add_new(std::string_view path, FileType type, std::string_view target) {
    const std::lock_guard lock(layer_->mutex);
    const auto made = add(path, type, target);
    if (!made) return fail(made.error());
    return {};
  }

  void remove(std::string_view path, const MemoryNodePtr& node) {
    const MemoryNodePtr parent = *find(parent_of(path));
    parent->children.erase(parent->children.find(name_of(path)));
    parent->modified_ns = parent->changed_ns = layer_->now();
    layer_->give_back(MemoryLayer::weight(name_of(path)));
    --node->links;
    layer_->release(node);
  }

  MemoryLayerPtr layer_;
};

Io<void> MemoryUpper::rename(Call&, std::string_view from, std::string_view to) {
  const std::lock_guard lock(layer_->mutex);
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
  const std::uint64_t more = MemoryLayer::weight(name_of(to));
  if (!layer_->take(more)) return fail(Errno::dquot);
  if (const auto old = find(to); old) remove(to, *old);
  const MemoryNodePtr source = *find(parent_of(from));
  source->children.erase(source->children.find(name_of(from)));
  layer_->give_back(MemoryLayer::weight(name_of(from)));
  (*parent)->children.emplace(name_of(to), *node);
  source->modified_ns = source->changed_ns = (*parent)->modified_ns = (*parent)->changed_ns = layer_->now();
  return {};
}

}  // namespace

std::shared_ptr<Mount> make_memory_upper(const base::Clock& clock, std::uint64_t bytes_max) {
  auto layer = std::make_shared<MemoryLayer>(clock, bytes_max);
  layer->root = layer->make(FileType::directory);
  return std::make_shared<MemoryUpper>(std::move(layer));
}

}  // namespace fusebox::vfs
