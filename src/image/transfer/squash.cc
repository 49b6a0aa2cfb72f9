// The files of an image as one archive.
#include <map>
#include <string>

#include "image/entry.h"
#include "image/transfer/export.h"

namespace fusebox::image {
namespace {

constexpr std::string_view kModuleName = "app.wasm";

class Squasher {
 public:
  Squasher(const Image& image, Squash how, const oci::ByteSink& sink)
      : image_(image), tree_(*image.tree()), how_(how), tar_(sink) {}

  base::Result<void> write() {
    // First, where an engine that looks no further finds it.
    if (how_ == Squash::runnable) FB_CHECK(tar_.file(kModuleName, image_.module()));
    FB_CHECK(children(Tree::kRoot, ""));
    return tar_.finish();
  }

 private:
  // Depth is bounded by kDepthMax, which the tree keeps.
  base::Result<void> children(Tree::NodeId folder, const std::string& path) {
    for (const Tree::NodeId child : tree_.children(folder)) {
      const Tree::Node& node = tree_.node(child);
      const std::string at = path + std::string(node.name);
      if (how_ == Squash::runnable && at == kModuleName) continue;
      FB_CHECK(member(node, at));
      if (node.type == Tree::Type::directory) FB_CHECK(children(child, at + "/"));
    }
    return {};
  }

  base::Result<void> member(const Tree::Node& node, const std::string& path) {
    switch (node.type) {
      case Tree::Type::directory:
        return tar_.directory(path, node.modified_ns);
      case Tree::Type::symlink:
        return tar_.symlink(path, node.link_target, node.modified_ns);
      case Tree::Type::regular:
        break;
    }
    if (how_ == Squash::files) {
      const auto [first, is_first] = first_names_.emplace(node.inode, path);
      if (!is_first) return tar_.hard_link(path, first->second);
    }
    return tar_.file(path, node.content, node.modified_ns);
  }

  const Image& image_;
  const Tree& tree_;
  Squash how_;
  oci::TarWriter tar_;
  std::map<std::uint64_t, std::string> first_names_;  // of each inode
};

}  // namespace

base::Result<void> write_squashed(const Image& image, Squash how, const oci::ByteSink& sink) {
  return Squasher(image, how, sink).write();
}

}  // namespace fusebox::image
