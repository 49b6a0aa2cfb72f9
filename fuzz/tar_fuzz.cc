// Archives from outside: sniffed, unpacked, read and merged, as one layer and as two.
//
// Checked: every member lies inside the archive and the reader ends; what may be kept may also be run, with the same
// tree; each node of a tree is found by its path, children are sorted, contents are views into the layer, no name is "."
// or ".." or a marker; a layer laid on itself gives the same paths.
#include <cstdlib>
#include <set>
#include <string>

#include "image/archive.h"

using namespace fusebox;
using image::LayerBytes;
using image::Tree;

namespace {

constexpr std::uint64_t kUnpackedMax = 1u << 20;

void require(bool ok) {
  if (!ok) std::abort();
}

void require_good_error(const base::Error& error) {
  require(error.name == "BAD_IMAGE" && !error.message.empty());
  require(error.code == base::Errc::invalid || error.code == base::Errc::exhausted);
}

bool is_inside(base::ByteView part, base::ByteView whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void read_members(base::ByteView archive) {
  image::TarReader reader(archive);
  std::uint64_t last = 0;
  for (std::size_t count = 0;; ++count) {
    require(count <= archive.size() / 512);
    const auto member = reader.next();
    if (!member) return require_good_error(member.error());
    if (!*member) return;
    require(count == 0 || (*member)->at > last);
    last = (*member)->at;
    require(is_inside((*member)->content, archive) && is_inside(base::as_bytes((*member)->name), archive));
    require(is_inside(base::as_bytes((*member)->link), archive));
    const auto path = image::split_path((*member)->prefix, (*member)->name);
    if (path) require(path->text().size() == path->text_bytes());
  }
}

std::size_t check_node(const Tree& tree, Tree::NodeId id, const std::string& path, base::ByteView archive) {
  const Tree::Found found = tree.find(path);
  require(found.how == Tree::Found::How::node && found.node == id && found.used == path.size());
  const Tree::Node& node = tree.node(id);
  require(node.inode != 0 && is_inside(node.content, archive) && is_inside(base::as_bytes(node.link_target), archive));
  std::size_t nodes = 1;
  std::string_view before;
  for (const Tree::NodeId child : tree.children(id)) {
    require(node.type == Tree::Type::directory);
    const std::string_view name = tree.node(child).name;
    require(name > before && name != "." && name != ".." && name.find('/') == name.npos && !name.starts_with(".wh."));
    before = name;
    nodes += check_node(tree, child, path.empty() ? std::string(name) : path + '/' + std::string(name), archive);
  }
  return nodes;
}

std::shared_ptr<const Tree> build(std::span<const LayerBytes> layers, Tree::Strictness strictness) {
  image::Limits limits;
  limits.entries_max = 4096;
  std::vector<std::string> dropped;
  auto tree = Tree::build(layers, limits, strictness, &dropped);
  if (!tree) {
    require_good_error(tree.error());
    return nullptr;
  }
  require(check_node(**tree, Tree::kRoot, "", layers.front().bytes) == (*tree)->node_count());
  return *tree;
}

void merge(const LayerBytes& layer) {
  const auto run = build({&layer, 1}, Tree::Strictness::run);
  const auto keep = build({&layer, 1}, Tree::Strictness::keep);
  require(!keep || (run && run->node_count() == keep->node_count()));
  const LayerBytes twice[] = {layer, layer};
  const auto both = build(twice, Tree::Strictness::run);
  // Each entry comes again, whatever was hidden before: the same paths are left.
  if (run && both) require(both->node_count() == run->node_count());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const LayerBytes stored{nullptr, std::as_bytes(std::span(data, size))};
  (void)image::sniff(stored.bytes);
  const auto layer = image::unpack(stored, kUnpackedMax);
  if (!layer) {
    require_good_error(layer.error());
    return 0;
  }
  require(layer->bytes.size() <= kUnpackedMax);
  read_members(layer->bytes);
  merge(*layer);
  return 0;
}
