// A file whose content is a text made when it is first read: /proc, states, descriptors, logs.
//
// Rendered at the first read after open, delivered over as many reads as it takes, then end of file. A fresh open renders
// again; two opens never share a cursor; seeking is SPIPE.
// Owner    the File keeps what `render` captured alive.
// Threads  one at a time: its container's.
// Contract containers.md 7.5
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vfs/file.h"

namespace fusebox::vfs {

using RenderText = std::function<Io<std::string>()>;
// `node` is what stat() answers. An error of `render` is the answer to that read; the next read renders again.
std::unique_ptr<File> make_text_node(const Stat& node, RenderText render, FdFlags flags = 0);

}  // namespace fusebox::vfs
