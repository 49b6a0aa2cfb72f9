// One file system or device tree at one path of a namespace.
//
// Paths are relative to the mount point, normalised, without a leading slash; "" is the mount point itself.
// A symbolic link that the mount does not follow itself (image trees: links live in the whole namespace) is answered with
// Errno::redirect and call.redirect, the absolute path to go on at; the namespace counts the hops. Host folders follow
// links inside themselves and refuse all others (contract 12.3).
//
// Owner    namespaces share mounts; a File keeps alive what it needs.
// Threads  any number of containers at once, unless a mount's header says that it belongs to one.
// Contract containers.md 7, 12, 14.4
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vfs/file.h"

namespace fusebox::vfs {

struct OpenRequest {
  bool read = true;
  bool write = false;
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  bool directory = false;  // must be one
  bool follow = true;      // a final symbolic link
  FdFlags flags = 0;
  bool wants_change() const noexcept { return write || create || truncate || has(flags, FdFlag::append); }
};

class Mount {
 public:
  virtual ~Mount() = default;
  Mount() = default;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  virtual FileType type() const noexcept { return FileType::directory; }  // of the mount point
  virtual Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) = 0;
  // No side effects: never opens, connects or allocates (contract 7.4).
  virtual Io<Stat> stat(Call& call, std::string_view path, bool follow) = 0;

  // Changes; the defaults answer `rofs`, readlink `inval` (after stat's error, when there is nothing).
  virtual Io<void> create_directory(Call& call, std::string_view path);
  virtual Io<void> remove_directory(Call& call, std::string_view path);
  virtual Io<void> unlink(Call& call, std::string_view path);
  virtual Io<void> rename(Call& call, std::string_view from, std::string_view to);
  virtual Io<void> link(Call& call, std::string_view from, std::string_view to, bool follow);
  virtual Io<void> symlink(Call& call, std::string_view target, std::string_view path);
  virtual Io<std::string> read_link(Call& call, std::string_view path);
  virtual Io<void> set_times(Call& call, std::string_view path, bool follow, SetTime accessed, SetTime modified);
};

}  // namespace fusebox::vfs
