// A directory of named devices in a fixed order, some of which are trees of their own: /dev and /net.
//
// A name match is exact. Flags CREAT, EXCL, TRUNC, APPEND and SYNC are ignored on devices (contract 7.2); a directory
// opened for writing is ISDIR. Paths below a sub-mount go to it, changes too (`unlink` of registry entries).
//
// Owner    keeps its sub-mounts and what the openers captured alive.
// Threads  immutable after make_device_tree(): any. An opener's File belongs to one process.
// Contract containers.md 7.2-7.4, 8
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/mount.h"

namespace fusebox::vfs {

struct Device {
  std::string name;
  FileType type = FileType::character;
  std::uint64_t code = 0;  // device_code(), Stat::device
  // Makes what a successful open leads to. `node`: what its stat() starts from (type, code, inode of where it stands).
  std::function<Io<std::unique_ptr<File>>(Call& call, const OpenRequest& request, const Stat& node)> open{};
  std::function<std::uint64_t()> size{};  // of stat by path; null = 0
  std::uint64_t inode = 0;                // 0 = inode_of its path; sockets have their port
  Errno below = Errno::noent;             // the answer for a path below it
  bool listed = true;                     // false: there for who knows it, in no listing
};

// Either a device or, when `mount` is set, a tree of its own under `device.name`.
struct TreeEntry {
  Device device;
  std::shared_ptr<Mount> mount;
};

// `path`: where the tree is mounted ("/dev"), for inodes; `code`: device code of the directory (DevF, NetF).
std::shared_ptr<Mount> make_device_tree(std::string path, std::uint64_t code, std::vector<TreeEntry> entries);
// One device as a mount point: a core driver bound at a path of its own (contract 5.1).
std::shared_ptr<Mount> make_device_mount(std::string path, Device device);

// Answers stat() and list() of a directory whose entries `list` enumerates; reading and writing are ISDIR.
std::unique_ptr<File> make_directory_file(const Stat& node,
                                          std::function<Io<void>(Call&, std::uint64_t cookie, DirSink&)> list);

}  // namespace fusebox::vfs
