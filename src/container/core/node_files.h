// Kinds of files that the control plane and /proc are made of, beside vfs/text/text_node.h.
//
// Owner    what the functions captured.
// Threads  one at a time: its container's.
// Contract containers.md 7.3, 7.5
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/file.h"

namespace fusebox::container {

struct NodeEntry {
  std::string name;
  vfs::FileType type = vfs::FileType::character;
  std::uint64_t inode = 0;
};

// A directory whose entries are taken when listing begins (cookie 0) and stay for the life of the descriptor.
std::unique_ptr<vfs::File> make_snapshot_directory(const vfs::Stat& node,
                                                   std::function<vfs::Io<std::vector<NodeEntry>>()> take);
vfs::Io<void> list_entries(const std::vector<NodeEntry>& entries, std::uint64_t cookie, vfs::DirSink& sink);

// Takes one message per write: the buffers of one call are one message, longer than `bytes_max` is `msgsize`. Reading is
// `inval`.
std::unique_ptr<vfs::File> make_message_file(const vfs::Stat& node, std::size_t bytes_max, vfs::FdFlags flags,
                                             std::function<vfs::Io<void>(std::string_view message)> take);

}  // namespace fusebox::container
