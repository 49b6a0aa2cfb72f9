// Frozen layers over an image as one read-only mount: what an environment starts from after a snapshot.
//
// A path is walked once, name by name, with the layers that still take part; so its cost is names times layers, however
// they are stacked. Whiteouts are those of vfs/overlay. Symbolic links live in the namespace (Errno::redirect).
//
// Owner    keeps its mounts.
// Threads  any.
#pragma once

#include <memory>
#include <vector>

#include "vfs/mount.h"

namespace fusebox::host {

inline constexpr std::size_t kLayersMax = 8;  // of a stack; more are merged into one, which costs a link per file

// `layers`: oldest first. The image's mount lies below them. Without layers: the image itself.
std::shared_ptr<vfs::Mount> make_layer_stack(std::shared_ptr<vfs::Mount> image,
                                             std::vector<std::shared_ptr<vfs::Mount>> layers);

}  // namespace fusebox::host
