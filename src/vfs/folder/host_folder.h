// A folder of the host as a mount: nothing outside it is ever reached, whatever its links say and whoever changes it
// meanwhile.
//
// A path is walked to the folder of its last name, by the kernel (openat2, RESOLVE_BENEATH) or by our own walk where
// openat2 is refused (base/beneath.h), and then one system call works on that one name and follows nothing. Links that
// stay inside are followed; all others are `notcapable`. Device nodes, FIFOs and sockets are never opened: `acces`.
//
// Owner    the mount and each of its Files keep the handle of the folder.
// Threads  any.
// Errors   open_host_folder: `not_found` (no such folder and not to be made), `invalid` (not a folder),
//          `denied` (it leads out of HostFolderOptions::beneath), `io`.
// Contract containers.md 7.2, 7.4, 12.3
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/result.h"
#include "vfs/mount.h"

namespace fusebox::vfs {

class Ledger;  // vfs/folder/ledger.h: what a volume holds, shared by all its mounts

struct HostFolderOptions {
  bool read_only = false;
  bool create = false;  // makes the folder and its parents, 0700
  // A folder above it that no link on the way may lead out of: `denied`. Empty: the path is believed as it stands.
  std::filesystem::path beneath;
  std::uint32_t mount_index = 0;  // high 32 bits of Stat::device
  bool kernel_walk = true;        // false: never openat2
  // `keep`: for a writable layer, whose links belong to the namespace above it. They are stored as they are and never
  // followed here.
  enum class Links : std::uint8_t { follow_inside, keep } links = Links::follow_inside;
  std::optional<std::uint64_t> bytes_max;  // `dquot` beyond
  std::shared_ptr<Ledger> ledger;          // what the folder holds; null with a quota: it is measured at the open
};

base::Result<std::shared_ptr<Mount>> open_host_folder(const std::filesystem::path& path, HostFolderOptions options);

}  // namespace fusebox::vfs
