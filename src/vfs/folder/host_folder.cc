// The names in a mounted folder of the host.
#include "vfs/folder/host_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/beneath.h"
#include "vfs/folder/host_root.h"

namespace fusebox::vfs {

using base::BeneathFailure;
using base::Place;

namespace {

constexpr int kTriesMax = 16;  // of an open whose name changes between the look and the open
constexpr mode_t kFolderMode = 0755;

Errno errno_of(const base::BeneathError& error) noexcept {
  switch (error.what) {
    case BeneathFailure::link:
      return Errno::loop;
    case BeneathFailure::leaves:
      return Errno::notcapable;
    case BeneathFailure::too_deep:
      return Errno::nametoolong;
    case BeneathFailure::no_more_folders:
    case BeneathFailure::system:
      break;
  }
  return host_error(error.saved_errno);
}

class HostFolder final : public Mount {
 public:
  explicit HostFolder(std::shared_ptr<const HostRoot> root) noexcept
      : root_(std::move(root)),
        walk_(root_->folder.get(), {.follow_links = root_->options.links == HostFolderOptions::Links::follow_inside,
                                    .kernel_walk = root_->options.kernel_walk}) {}

  Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) override;
  Io<Stat> stat(Call& call, std::string_view path, bool follow) override;
  Io<void> create_directory(Call& call, std::string_view path) override;
  Io<void> remove_directory(Call& call, std::string_view path) override;
  Io<void> unlink(Call& call, std::string_view path) override;
  Io<void> rename(Call& call, std::string_view from, std::string_view to) override;
  Io<void> link(Call& call, std::string_view from, std::string_view to, bool follow) override;
  Io<void> symlink(Call& call, std::string_view target, std::string_view path) override;
  Io<std::string> read_link(Call& call, std::string_view path) override;
  Io<void> set_times(Call& call, std::string_view path, bool follow, SetTime accessed, SetTime modified) override;

 private:
  Ledger* ledger() const noexcept { return root_->options.ledger.get(); }
  void name_removed(const Place& place) const noexcept {
    if (ledger() != nullptr && place.exists) ledger()->name_removed(place.info);
  }

  Io<Place> find(std::string_view path, bool follow) const {
    auto place = walk_.find(path, follow);
    if (!place) return fail(errno_of(place.error()));
    return std::move(*place);
  }
  // For a name that will be changed.
  Io<Place> find_to_change(std::string_view path) const {
    if (root_->options.read_only) return fail(Errno::rofs);
    return find(path, false);
  }

  std::shared_ptr<const HostRoot> root_;
  base::Beneath walk_;
};

Io<std::unique_ptr<File>> HostFolder::open(Call&, std::string_view path, const OpenRequest& request) {
  if (root_->options.read_only && request.wants_change()) return fail(Errno::rofs);
  const auto lock = root_->lock();
  const bool follow = request.follow && !(request.create && request.exclusive);
  for (int attempt = 0; attempt < kTriesMax; ++attempt) {
    Place place;
    if (path.empty()) {
      place.directory = base::Folder::lend(root_->folder.get());
      place.name = ".";
      place.exists = ::fstat(root_->folder.get(), &place.info) == 0;
    } else {
      auto found = find(path, follow);
      if (!found) return fail(found.error());
      place = std::move(*found);
    }
    auto file = open_host_place(root_, place, request);
    if (!file || *file) return file;
  }
  return fail(Errno::loop);
}

Io<Stat> HostFolder::stat(Call&, std::string_view path, bool follow) {
  if (path.empty()) {
    struct stat info{};
    if (::fstat(root_->folder.get(), &info) != 0) return fail(host_error(errno));
    return root_->stat_of(info);
  }
  const auto place = find(path, follow);
  if (!place) return fail(place.error());
  if (!place->exists) return fail(Errno::noent);
  return root_->stat_of(place->info);
}

Io<void> HostFolder::create_directory(Call&, std::string_view path) {
  const auto lock = root_->lock();
  if (path.empty()) return fail(root_->options.read_only ? Errno::rofs : Errno::exist);
  const auto place = find_to_change(path);
  if (!place) return fail(place.error());
  if (place->exists) return fail(Errno::exist);
  if (!root_->has_room_for_name()) return fail(Errno::dquot);
  if (::mkdirat(place->directory.get(), place->name.c_str(), kFolderMode) != 0) return fail(host_error(errno));
  root_->name_added();
  return {};
}

Io<void> HostFolder::remove_directory(Call&, std::string_view path) {
  const auto lock = root_->lock();
  if (path.empty()) return fail(root_->options.read_only ? Errno::rofs : Errno::busy);
  const auto place = find_to_change(path);
  if (!place) return fail(place.error());
  if (::unlinkat(place->directory.get(), place->name.c_str(), AT_REMOVEDIR) != 0)
    return fail(errno == EEXIST ? Errno::notempty : host_error(errno));
  name_removed(*place);
  return {};
}

Io<void> HostFolder::unlink(Call&, std::string_view path) {
  const auto lock = root_->lock();
  if (path.empty()) return fail(root_->options.read_only ? Errno::rofs : Errno::isdir);
  const auto place = find_to_change(path);
  if (!place) return fail(place.error());
  if (place->exists && S_ISDIR(place->info.st_mode)) return fail(Errno::isdir);
  if (::unlinkat(place->directory.get(), place->name.c_str(), 0) != 0) return fail(host_error(errno));
  name_removed(*place);
  return {};
}

Io<void> HostFolder::rename(Call&, std::string_view from, std::string_view to) {
  const auto lock = root_->lock();
  if (from.empty() || to.empty()) return fail(root_->options.read_only ? Errno::rofs : Errno::busy);
  const auto source = find_to_change(from);
  if (!source) return fail(source.error());
  const auto target = find_to_change(to);
  if (!target) return fail(target.error());
  if (::renameat(source->directory.get(), source->name.c_str(), target->directory.get(), target->name.c_str()) != 0)
    return fail(errno == EEXIST ? Errno::notempty : host_error(errno));
  // Two names of one file both stay.
  const bool same = source->exists && target->exists && source->info.st_ino == target->info.st_ino &&
                    source->info.st_dev == target->info.st_dev;
  if (!same) name_removed(*target);
  return {};
}

Io<void> HostFolder::link(Call&, std::string_view from, std::string_view to, bool follow) {
  const auto lock = root_->lock();
  if (root_->options.read_only) return fail(Errno::rofs);
  if (from.empty()) return fail(Errno::perm);
  if (to.empty()) return fail(Errno::exist);
  const auto source = find(from, follow);
  if (!source) return fail(source.error());
  if (!source->exists) return fail(Errno::noent);
  const auto target = find(to, false);
  if (!target) return fail(target.error());
  if (target->exists) return fail(Errno::exist);
  if (S_ISDIR(source->info.st_mode)) return fail(Errno::perm);
  if (!root_->has_room_for_name()) return fail(Errno::dquot);
  if (::linkat(source->directory.get(), source->name.c_str(), target->directory.get(), target->name.c_str(), 0) != 0)
    return fail(host_error(errno));
  root_->name_added();
  return {};
}

Io<void> HostFolder::symlink(Call&, std::string_view target, std::string_view path) {
  const auto lock = root_->lock();
  if (path.empty()) return fail(root_->options.read_only ? Errno::rofs : Errno::exist);
  const auto place = find_to_change(path);
  if (!place) return fail(place.error());
  const bool leaves = target.starts_with('/') && root_->options.links == HostFolderOptions::Links::follow_inside;
  if (leaves) return fail(Errno::notcapable);
  if (place->exists) return fail(Errno::exist);
  if (!root_->has_room_for_name()) return fail(Errno::dquot);
  if (ledger() != nullptr && ledger()->room(root_->options.bytes_max) < target.size()) return fail(Errno::dquot);
  const std::string text(target);
  if (::symlinkat(text.c_str(), place->directory.get(), place->name.c_str()) != 0) return fail(host_error(errno));
  root_->name_added();
  if (ledger() != nullptr) ledger()->resized(0, target.size());
  return {};
}

Io<std::string> HostFolder::read_link(Call&, std::string_view path) {
  if (path.empty()) return fail(Errno::inval);
  const auto place = find(path, false);
  if (!place) return fail(place.error());
  if (!place->exists) return fail(Errno::noent);
  if (!S_ISLNK(place->info.st_mode)) return fail(Errno::inval);
  std::array<char, PATH_MAX> buffer;
  const ssize_t size = ::readlinkat(place->directory.get(), place->name.c_str(), buffer.data(), buffer.size());
  if (size < 0) return fail(host_error(errno));
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

Io<void> HostFolder::set_times(Call&, std::string_view path, bool follow, SetTime accessed, SetTime modified) {
  if (root_->options.read_only) return fail(Errno::rofs);
  const struct timespec times[2] = {host_time(accessed), host_time(modified)};
  if (path.empty()) {
    if (::utimensat(root_->folder.get(), ".", times, AT_SYMLINK_NOFOLLOW) != 0) return fail(host_error(errno));
    return {};
  }
  const auto place = find(path, follow);
  if (!place) return fail(place.error());
  if (::utimensat(place->directory.get(), place->name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(host_error(errno));
  return {};
}

}  // namespace

base::Result<std::shared_ptr<Mount>> open_host_folder(const std::filesystem::path& path, HostFolderOptions options) {
  FB_TRY(auto root, open_host_root(path, std::move(options)));
  return std::make_shared<HostFolder>(std::move(root));
}

}  // namespace fusebox::vfs
