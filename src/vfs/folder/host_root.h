// What a mounted folder of the host and its open files share.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>

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
  Stat stat_of(const struct stat& info) const noexcept;
};

FileType type_of(mode_t mode) noexcept;
// That this process has no descriptor left is not the guest's `mfile`.
Errno host_error(int saved_errno) noexcept;
struct timespec host_time(SetTime time) noexcept;

// `fd` is open with the access that `request` asks for. With a ledger: the lock is held.
std::unique_ptr<File> make_host_file(std::shared_ptr<const HostRoot> root, base::Fd fd, const struct stat& info,
                                     FdFlags flags);
std::unique_ptr<File> make_host_directory(std::shared_ptr<const HostRoot> root, base::Fd fd, FdFlags flags);

}  // namespace fusebox::vfs
