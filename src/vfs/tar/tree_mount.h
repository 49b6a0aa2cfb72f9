// The merged tree of an image as a mount: read-only, zero-copy, shared by all containers of the image.
//
// Symbolic links live in the whole namespace (contract 14.1), so the tree is mounted at "/" only, and every link on the
// way is answered with Errno::redirect. Every change is `rofs`, also at a path that does not exist.
//
// Owner    the mount and each of its Files keep the tree.
// Threads  any.
// Contract containers.md 7.2, 7.4, 14.4
#pragma once

#include <memory>

#include "image/tree.h"
#include "vfs/mount.h"

namespace fusebox::vfs {

std::shared_ptr<Mount> make_tree_mount(std::shared_ptr<const image::Tree> tree);

}  // namespace fusebox::vfs
