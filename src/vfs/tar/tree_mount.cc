#include "vfs/tar/tree_mount.h"

#include <algorithm>

#include "vfs/bytes_file.h"
#include "vfs/redirect.h"

namespace fusebox::vfs {

using image::Tree;

namespace {

FileType type_of(Tree::Type type) noexcept {
  switch (type) {
    case Tree::Type::directory:
      return FileType::directory;
    case Tree::Type::regular:
      return FileType::regular;
    case Tree::Type::symlink:
      return FileType::symlink;
  }
  return FileType::unknown;
}

Stat stat_of(const Tree::Node& node) noexcept {
  Stat stat;
  stat.device = device_code("TarF");
  stat.inode = node.inode;
  stat.type = type_of(node.type);
  stat.size = node.type == Tree::Type::symlink ? node.link_target.size() : node.content.size();
  stat.accessed_ns = stat.modified_ns = stat.changed_ns = node.modified_ns;
  return stat;
}

class TreeDirectory final : public File {
 public:
  TreeDirectory(std::shared_ptr<const Tree> tree, Tree::NodeId id, FdFlags flags) noexcept
      : File(flags), tree_(std::move(tree)), id_(id) {}

  FileType type() const noexcept override { return FileType::directory; }
  Io<Stat> stat() override { return stat_of(tree_->node(id_)); }
  Io<void> set_times(SetTime, SetTime) override { return fail(Errno::rofs); }

  // A cookie is the number of entries before it.
  Io<void> list(Call&, std::uint64_t cookie, DirSink& sink) override {
    const auto children = tree_->children(id_);
    for (std::uint64_t i = cookie; i < children.size(); ++i) {
      const Tree::Node& node = tree_->node(children[i]);
      if (!sink.add({.name = node.name, .type = type_of(node.type), .inode = node.inode, .next = i + 1})) break;
    }
    return {};
  }

 private:
  std::shared_ptr<const Tree> tree_;
  Tree::NodeId id_;
};

class TreeMount final : public Mount {
 public:
  explicit TreeMount(std::shared_ptr<const Tree> tree) noexcept : tree_(std::move(tree)) {}

  Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) override {
    const auto id = find(call, path, request.follow);
    if (!id && id.error() == Errno::redirect) return fail(Errno::redirect);
    if (request.wants_change()) return fail(Errno::rofs);
    if (!id) return fail(id.error());
    const Tree::Node& node = tree_->node(*id);
    switch (node.type) {
      case Tree::Type::symlink:
        return fail(Errno::loop);
      case Tree::Type::directory:
        return std::make_unique<TreeDirectory>(tree_, *id, request.flags);
      case Tree::Type::regular:
        break;
    }
    if (request.directory) return fail(Errno::notdir);
    return std::make_unique<BytesFile>(tree_, node.content, stat_of(node), request.flags);
  }

  Io<Stat> stat(Call& call, std::string_view path, bool follow) override {
    const auto id = find(call, path, follow);
    if (!id) return fail(id.error());
    return stat_of(tree_->node(*id));
  }

  Io<std::string> read_link(Call& call, std::string_view path) override {
    const auto id = find(call, path, false);
    if (!id) return fail(id.error());
    const Tree::Node& node = tree_->node(*id);
    if (node.type != Tree::Type::symlink) return fail(Errno::inval);
    return std::string(node.link_target);
  }

  // Changes are refused where the path ends, which may be in another mount.
  Io<void> create_directory(Call& call, std::string_view path) override { return refuse(call, path, false); }
  Io<void> remove_directory(Call& call, std::string_view path) override { return refuse(call, path, false); }
  Io<void> unlink(Call& call, std::string_view path) override { return refuse(call, path, false); }
  Io<void> symlink(Call& call, std::string_view, std::string_view path) override { return refuse(call, path, false); }
  Io<void> set_times(Call& call, std::string_view path, bool follow, SetTime, SetTime) override {
    return refuse(call, path, follow);
  }

 private:
  Io<Tree::NodeId> find(Call& call, std::string_view path, bool follow) const {
    const Tree::Found found = tree_->find(path);
    switch (found.how) {
      case Tree::Found::How::missing:
        return fail(Errno::noent);
      case Tree::Found::How::not_directory:
        return fail(Errno::notdir);
      case Tree::Found::How::link: {
        const std::string_view rest = path.substr(std::min(found.used + 1, path.size()));
        return fail(redirect_through(call, path.substr(0, found.used), tree_->node(found.node).link_target, rest));
      }
      case Tree::Found::How::node:
        break;
    }
    const Tree::Node& node = tree_->node(found.node);
    if (follow && node.type == Tree::Type::symlink) return fail(redirect_through(call, path, node.link_target, {}));
    return found.node;
  }

  Io<void> refuse(Call& call, std::string_view path, bool follow) const {
    const auto id = find(call, path, follow);
    return fail(!id && id.error() == Errno::redirect ? Errno::redirect : Errno::rofs);
  }

  std::shared_ptr<const Tree> tree_;
};

}  // namespace

std::shared_ptr<Mount> make_tree_mount(std::shared_ptr<const image::Tree> tree) {
  return std::make_shared<TreeMount>(std::move(tree));
}

}  // namespace fusebox::vfs
