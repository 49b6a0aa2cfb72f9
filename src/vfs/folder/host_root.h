// What a mounted folder of the host and its open files share.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <mutex>

#include "base/beneath.h"
#include "base/files.h"
#include "vfs/folder/host_folder.h"
#include "vfs/folder/ledger.h"

namespace fusebox::vfs {

struct HostRoot {
  base::Fd folder;  // O_PATH
  HostFolderOptions options;

  // Held over every change of a folder whose content is counted.
  std::unique_lock<std::mutex> lock() const {
    return options.ledger ? options.ledger->lock() : std::unique_lock<std::mutex>();
  }
  // Of a counted folder, with the lock held; others always have room.
  bool has_room_for_name() const noexcept {
    return !options.ledger || options.ledger->has_room_for_name(options.bytes_max);
  }
  void name_added() const noexcept {
    if (options.ledger) options.ledger->name_added();
  }
  Stat stat_of(const struct stat& info) const noexcept;
};

// Makes the folder when asked to, and measures it when its content is to be counted.
base::Result<std::shared_ptr<const HostRoot>> open_host_root(const std::filesystem::path& path,
                                                             HostFolderOptions options);

FileType type_of(mode_t mode) noexcept;
// That this process has no descriptor left is not the guest's `mfile`.
Errno host_error(int saved_errno) noexcept;
struct timespec host_time(SetTime time) noexcept;

// Null when the name has changed since it was looked at: look again. With a ledger: the lock is held.
Io<std::unique_ptr<File>> open_host_place(const std::shared_ptr<const HostRoot>& root, const base::Place& place,
                                          const OpenRequest& request);

// `fd` is open with the access that `request` asks for. With a ledger: the lock is held.
std::unique_ptr<File> make_host_file(std::shared_ptr<const HostRoot> root, base::Fd fd, const struct stat& info,
                                     FdFlags flags);
std::unique_ptr<File> make_host_directory(std::shared_ptr<const HostRoot> root, base::Fd fd, FdFlags flags);

}  // namespace fusebox::vfs
