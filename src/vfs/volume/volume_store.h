// The volumes of an engine: folders that outlive containers, each with its own accounting.
//
// A private volume belongs to (instance, name), a shared one to its name; the two spaces never meet:
//   <root>/priv/<instance>/<name>     <root>/shared/<name>
// All mounts of one volume share one ledger, so that a quota holds over all writers together. A quota counts the bytes of
// files (holes included, deleted but still open files included) and of link targets, and bounds the number of names.
//
// Owner    the store keeps a handle of its root; mounts keep their own.
// Threads  any.
// Errors   `invalid` for a name that is no single path component, `not_found`, `exists`, `unavailable` "BUSY" (remove: in
//          use), `stopped`, `io`.
// Contract containers.md 5.3 (limits.volumeBytes), 6, 12.3
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "vfs/mount.h"

namespace fusebox::vfs {

class Ledger;

struct VolumeKey {
  std::string instance;  // empty = shared
  std::string name = "default";
};

class VolumeStore {
 public:
  // Makes the root, 0700, when it is missing.
  static base::Result<std::shared_ptr<VolumeStore>> open(const std::filesystem::path& root, bool kernel_walk = true);

  struct MountOptions {
    bool read_only = false;
    std::uint32_t mount_index = 0;
    std::optional<std::uint64_t> bytes_max;
    // Asked while a volume with a quota is measured, which takes as long as it has files: true ends that (`stopped`).
    std::function<bool()> stopped = {};
    bool keep_links = false;  // for the upper mount of an overlay: links are kept as they are and never followed
  };
  // Makes the volume when it is missing.
  base::Result<std::shared_ptr<Mount>> mount(const VolumeKey& key, const MountOptions& options);

  struct Volume {
    VolumeKey key;
    bool in_use = false;
  };
  base::Result<std::vector<Volume>> list() const;  // shared first, then by instance; names in order
  base::Result<void> create(const VolumeKey& key);
  base::Result<void> remove(const VolumeKey& key);
  // What lies in it now, to be shown: counted without a lock, and no further than kFilesCountedMax.
  struct Usage {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
  };
  static constexpr std::uint64_t kFilesCountedMax = 1'000'000;  // a listing must end
  base::Result<Usage> usage(const VolumeKey& key) const;

 private:
  VolumeStore(std::filesystem::path root, bool kernel_walk) : root_(std::move(root)), kernel_walk_(kernel_walk) {}
  struct Use {
    std::weak_ptr<Ledger> ledger;
    std::vector<std::weak_ptr<Mount>> mounts;
  };
  base::Result<std::filesystem::path> folder_of(const VolumeKey& key) const;
  // Of this volume, whose folder is made; null when nobody will ask what it holds.
  base::Result<std::shared_ptr<Ledger>> ledger_of(const VolumeKey& key, const std::filesystem::path& path, bool quota);
  bool in_use(const std::filesystem::path& path) const;

  std::filesystem::path root_;
  bool kernel_walk_;
  mutable std::mutex mutex_;
  std::map<std::filesystem::path, Use> uses_;  // guarded by mutex_
};

}  // namespace fusebox::vfs
