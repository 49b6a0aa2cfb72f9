// Trees as lists of lines, for tests to compare.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <vector>

#include "image/tar/tar_test_support.h"
#include "image/tree.h"

namespace fusebox::image::test {

inline std::string line_of(const Tree::Node& node, const std::string& path) {
  switch (node.type) {
    case Tree::Type::directory:
      return path + "/";
    case Tree::Type::symlink:
      return path + " -> " + std::string(node.link_target);
    case Tree::Type::regular:
      break;
  }
  return path + " = " + std::string(base::as_text(node.content));
}

inline void append_lines(const Tree& tree, Tree::NodeId directory, const std::string& path,
                         std::vector<std::string>& lines) {
  for (const Tree::NodeId id : tree.children(directory)) {
    const Tree::Node& node = tree.node(id);
    const std::string below = path.empty() ? std::string(node.name) : path + '/' + std::string(node.name);
    lines.push_back(line_of(node, below));
    if (node.type == Tree::Type::directory) append_lines(tree, id, below, lines);
  }
}

// Depth first, each directory in its own order: "d/", "d/f = content", "s -> target".
inline std::vector<std::string> lines_of(const Tree& tree) {
  std::vector<std::string> lines;
  append_lines(tree, Tree::kRoot, "", lines);
  return lines;
}

inline base::Result<std::shared_ptr<const Tree>> build(const std::vector<TarText>& tars,
                                                       Tree::Strictness strictness = Tree::Strictness::run,
                                                       std::vector<std::string>* dropped = nullptr,
                                                       const Limits& limits = {}) {
  std::vector<LayerBytes> layers;
  for (const TarText& tar : tars) layers.push_back(layer_of(tar));
  return Tree::build(layers, limits, strictness, dropped);
}

}  // namespace fusebox::image::test
