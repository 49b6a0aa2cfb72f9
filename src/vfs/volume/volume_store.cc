#include "vfs/volume/volume_store.h"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <system_error>

#include "base/files.h"
#include "base/text.h"
#include "vfs/folder/host_folder.h"
#include "vfs/folder/ledger.h"
#include "vfs/namespace.h"

namespace fusebox::vfs {

namespace fs = std::filesystem;
using base::Errc;

namespace {

constexpr std::string_view kShared = "shared", kPrivate = "priv";

base::Result<void> check_component(std::string_view what, std::string_view name) {
  const bool fits = !name.empty() && name != "." && name != ".." && name.size() <= kComponentBytesMax &&
                    name.find('/') == name.npos && name.find('\0') == name.npos;
  if (fits) return {};
  return base::fail(Errc::invalid, "volume: the " + std::string(what) + " " + base::in_quotes(name) +
                                       " must be one path component of 1 to 255 bytes, not \".\" or \"..\"");
}

// Names of the folders in a folder, in order; none when it does not exist.
base::Result<std::vector<std::string>> folders_in(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error) && !it->is_symlink(error)) names.push_back(it->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return base::fail(base::errno_error("volumes: cannot list " + path.string(), error.value()));
  std::ranges::sort(names);
  return names;
}

// Makes the folder and says whether it can be used.
base::Result<void> make_folder(const fs::path& path) {
  HostFolderOptions probe;
  probe.create = true;
  FB_CHECK(open_host_folder(path, probe));
  return {};
}

base::Result<void> measure(const fs::path& path, Ledger& ledger, const Ledger::Stopped& stopped) {
  const base::Fd folder = base::Fd::adopt(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return base::fail(base::errno_error("cannot open the folder " + path.string(), errno));
  return ledger.measure(folder.get(), stopped);
}

}  // namespace

base::Result<std::shared_ptr<VolumeStore>> VolumeStore::open(const fs::path& root, bool kernel_walk) {
  FB_CHECK(base::within("volumes", make_folder(root)));
  return std::shared_ptr<VolumeStore>(new VolumeStore(root, kernel_walk));
}

base::Result<fs::path> VolumeStore::folder_of(const VolumeKey& key) const {
  FB_CHECK(check_component("name", key.name));
  if (key.instance.empty()) return root_ / kShared / key.name;
  FB_CHECK(check_component("instance", key.instance));
  return root_ / kPrivate / key.instance / key.name;
}

base::Result<std::shared_ptr<Mount>> VolumeStore::mount(const VolumeKey& key, const MountOptions& options) {
  FB_TRY(const fs::path path, folder_of(key));
  const std::string step = "volume " + base::in_quotes(key.name);
  HostFolderOptions folder;
  folder.read_only = options.read_only;
  folder.create = true;
  folder.mount_index = options.mount_index;
  folder.kernel_walk = kernel_walk_;
  if (options.keep_links) folder.links = HostFolderOptions::Links::keep;
  folder.bytes_max = options.bytes_max;
  FB_TRY(folder.ledger, base::within(step, ledger_of(key, path, options.bytes_max.has_value())));
  // Not under the store's lock: others mount and stop meanwhile. The ledger keeps the volume from removal.
  if (options.bytes_max) FB_CHECK(base::within(step, measure(path, *folder.ledger, options.stopped)));
  const std::lock_guard lock(mutex_);
  FB_TRY(auto mount, base::within(step, open_host_folder(path, std::move(folder))));
  Use& use = uses_[path];
  std::erase_if(use.mounts, [](const std::weak_ptr<Mount>& old) { return old.expired(); });
  use.mounts.push_back(mount);
  return mount;
}

base::Result<std::shared_ptr<Ledger>> VolumeStore::ledger_of(const VolumeKey& key, const fs::path& path, bool quota) {
  const std::lock_guard lock(mutex_);
  FB_CHECK(make_folder(path));
  Use& use = uses_[path];
  std::shared_ptr<Ledger> ledger = use.ledger.lock();
  // Another container may mount a shared volume with a quota while this one writes.
  if (!ledger && (quota || key.instance.empty())) use.ledger = ledger = std::make_shared<Ledger>();
  return ledger;
}

bool VolumeStore::in_use(const fs::path& path) const {
  const auto use = uses_.find(path);
  return use != uses_.end() &&
         (!use->second.ledger.expired() ||
          std::ranges::any_of(use->second.mounts, [](const auto& mount) { return !mount.expired(); }));
}

base::Result<std::vector<VolumeStore::Volume>> VolumeStore::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Volume> volumes;
  const auto add_all = [&](const fs::path& folder, const std::string& instance) -> base::Result<void> {
    FB_TRY(const auto names, folders_in(folder));
    for (const std::string& name : names)
      volumes.push_back({.key = {.instance = instance, .name = name}, .in_use = in_use(folder / name)});
    return {};
  };
  FB_CHECK(add_all(root_ / kShared, ""));
  FB_TRY(const auto instances, folders_in(root_ / kPrivate));
  for (const std::string& instance : instances) FB_CHECK(add_all(root_ / kPrivate / instance, instance));
  return volumes;
}

base::Result<void> VolumeStore::create(const VolumeKey& key) {
  FB_TRY(const fs::path path, folder_of(key));
  const std::lock_guard lock(mutex_);
  const std::string step = "volume " + base::in_quotes(key.name);
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error))) return base::fail(Errc::exists, step + " exists");
  return base::within(step, make_folder(path));
}

base::Result<VolumeStore::Usage> VolumeStore::usage(const VolumeKey& key) const {
  FB_TRY(const fs::path path, folder_of(key));
  Usage usage;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (usage.files == kFilesCountedMax) break;
    ++usage.files;
    std::error_code gone;  // between its listing and this question
    if (!it->is_regular_file(gone) || it->is_symlink(gone)) continue;
    const std::uint64_t bytes = it->file_size(gone);
    if (!gone) usage.bytes += bytes;
  }
  return usage;
}

base::Result<void> VolumeStore::remove(const VolumeKey& key) {
  FB_TRY(const fs::path path, folder_of(key));
  const std::lock_guard lock(mutex_);
  const std::string step = "volume " + base::in_quotes(key.name);
  if (in_use(path))
    return base::fail(Errc::unavailable, step + ": a container uses it; stop the container first", "BUSY");
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error)))
    return base::fail(Errc::not_found, step + ": there is no such volume");
  fs::remove_all(path, error);
  if (error) return base::fail(base::errno_error(step + ": cannot remove it", error.value()));
  uses_.erase(path);
  if (!key.instance.empty()) fs::remove(path.parent_path(), error);  // refused while the instance has others
  return {};
}

}  // namespace fusebox::vfs
