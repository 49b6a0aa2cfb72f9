// The module of an image: which file it is, through the image's own links, and that it is one.
//
// Threads  pure functions.
// Errors   `not_found` "NO_ENTRY"; `unsupported` "COMPONENT"; `invalid` "BAD_IMAGE".
// Contract containers.md 14.1, 18.4
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "image/image.h"
#include "image/tree.h"

namespace fusebox::image {

inline constexpr std::string_view kDefaultEntry = "/app.wasm";
inline constexpr int kLinkHopsMax = 40;  // contract 14.1

// The file a path leads to, symbolic links followed inside the tree: absolute ones from its root, ".." stays there.
// `not_found` where there is none.
struct EntryFile {
  std::string path;  // without links
  Tree::NodeId node = 0;
};
base::Result<EntryFile> find_file(const Tree& tree, std::string_view path);

// The module that the first word of the configuration's entry point names, or /app.wasm.
base::Result<EntryFile> find_module(const Tree& tree, const Config& config);

// Refuses what is no module.
base::Result<void> check_module(std::string_view path, base::ByteView bytes);

}  // namespace fusebox::image
