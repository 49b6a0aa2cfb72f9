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
using base::Fd;
using base::Place;

namespace {

constexpr int kTriesMax = 16;  // of an open whose name changes between the look and the open
constexpr mode_t kFileMode = 0644, kFolderMode = 0755;
constexpr int kOpenFlags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;

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

int access_of(const OpenRequest& request) noexcept {
  int flags = request.write ? (request.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (request.truncate) flags |= O_TRUNC;
  return flags;
}

bool is_openable(mode_t mode) noexcept {
  return S_ISREG(mode) || S_ISDIR(mode);
}

// Why what is there cannot be opened as asked.
Errno objection(const struct stat& info, const OpenRequest& request) noexcept {
  if (request.create && request.exclusive) return Errno::exist;
  if (S_ISLNK(info.st_mode)) return Errno::loop;
  if (!is_openable(info.st_mode)) return request.directory ? Errno::notdir : Errno::acces;
  if (request.directory && !S_ISDIR(info.st_mode)) return Errno::notdir;
  if (S_ISDIR(info.st_mode) && (request.write || request.create || request.truncate)) return Errno::isdir;
  return Errno::success;
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
  bool has_room_for_name() const noexcept {
    return ledger() == nullptr || ledger()->has_room_for_name(root_->options.bytes_max);
  }
  void name_added() const noexcept {
    if (ledger() != nullptr) ledger()->name_added();
  }
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
  // Nothing when the name has changed since it was looked at.
  Io<std::unique_ptr<File>> open_place(const Place& place, const OpenRequest& request) const;
  Io<std::unique_ptr<File>> create_at(const Place& place, const OpenRequest& request) const;
  Io<std::unique_ptr<File>> file_of(Fd fd, FdFlags flags) const;

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
    auto file = open_place(place, request);
    if (!file || *file) return file;
  }
  return fail(Errno::loop);
}

Io<std::unique_ptr<File>> HostFolder::open_place(const Place& place, const OpenRequest& request) const {
  if (!place.exists) return create_at(place, request);
  if (const Errno why = objection(place.info, request); why != Errno::success) return fail(why);
  Fd fd = Fd::adopt(::openat(place.directory.get(), place.name.c_str(), access_of(request) | kOpenFlags));
  if (!fd) {
    if (errno == ELOOP || errno == ENOENT || errno == ENXIO) return nullptr;
    return fail(host_error(errno));
  }
  if (request.truncate && ledger() != nullptr) ledger()->resized(static_cast<std::uint64_t>(place.info.st_size), 0);
  return file_of(std::move(fd), request.flags);
}

Io<std::unique_ptr<File>> HostFolder::create_at(const Place& place, const OpenRequest& request) const {
  if (!request.create) return fail(Errno::noent);
  if (request.directory) return fail(Errno::isdir);
  if (!has_room_for_name()) return fail(Errno::dquot);
  Fd fd = Fd::adopt(::openat(place.directory.get(), place.name.c_str(),
                             access_of(request) | kOpenFlags | O_CREAT | O_EXCL, kFileMode));
  if (!fd) {
    if (errno == EEXIST && !request.exclusive) return nullptr;
    return fail(host_error(errno));
  }
  name_added();
  return file_of(std::move(fd), request.flags);
}

Io<std::unique_ptr<File>> HostFolder::file_of(Fd fd, FdFlags flags) const {
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(host_error(errno));
  if (!is_openable(info.st_mode)) return fail(Errno::acces);
  if (S_ISDIR(info.st_mode)) return make_host_directory(root_, std::move(fd), flags);
  return make_host_file(root_, std::move(fd), info, flags);
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
  if (!has_room_for_name()) return fail(Errno::dquot);
  if (::mkdirat(place->directory.get(), place->name.c_str(), kFolderMode) != 0) return fail(host_error(errno));
  name_added();
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
  if (!has_room_for_name()) return fail(Errno::dquot);
  if (::linkat(source->directory.get(), source->name.c_str(), target->directory.get(), target->name.c_str(), 0) != 0)
    return fail(host_error(errno));
  name_added();
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
  if (!has_room_for_name()) return fail(Errno::dquot);
  if (ledger() != nullptr && ledger()->room(root_->options.bytes_max) < target.size()) return fail(Errno::dquot);
  const std::string text(target);
  if (::symlinkat(text.c_str(), place->directory.get(), place->name.c_str()) != 0) return fail(host_error(errno));
  name_added();
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

// Makes the folder and its missing parents, for their owner only.
base::Result<void> make_folders(const std::filesystem::path& path) {
  std::filesystem::path made;
  for (const std::filesystem::path& name : path) {
    made /= name;
    if (::mkdir(made.c_str(), 0700) == 0 || errno == EEXIST) continue;
    // A parent that exists may refuse this and still let us pass.
    if (const int saved_errno = errno; ::access(made.c_str(), F_OK) != 0)
      return base::fail(base::errno_error("cannot make the folder " + made.string(), saved_errno));
  }
  return {};
}

base::Result<Fd> open_root(const std::filesystem::path& path, bool writable) {
  Fd fd = Fd::adopt(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd && (!writable || ::access(path.c_str(), W_OK | X_OK) == 0)) return fd;
  auto error = base::errno_error("cannot open the folder " + path.string(), errno);
  if (errno == ENOENT) error.code = base::Errc::not_found;
  if (errno == ENOTDIR) error.code = base::Errc::invalid;
  return base::fail(std::move(error));
}

}  // namespace

Stat HostRoot::stat_of(const struct stat& info) const noexcept {
  const auto ns = [](const struct timespec& time) {
    return time.tv_sec < 0
               ? 0
               : static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
  };
  Stat stat;
  stat.device = device_code("Linu") | static_cast<std::uint64_t>(options.mount_index) << 32;
  stat.inode = info.st_ino;
  stat.type = type_of(info.st_mode);
  stat.links = info.st_nlink;
  stat.size = static_cast<std::uint64_t>(info.st_size);
  stat.accessed_ns = ns(info.st_atim);
  stat.modified_ns = ns(info.st_mtim);
  stat.changed_ns = ns(info.st_ctim);
  return stat;
}

FileType type_of(mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFIFO:  // contract 7.4
      return FileType::regular;
    case S_IFDIR:
      return FileType::directory;
    case S_IFLNK:
      return FileType::symlink;
    case S_IFCHR:
      return FileType::character;
    case S_IFBLK:
      return FileType::block;
    case S_IFSOCK:
      return FileType::socket_stream;
    default:
      return FileType::unknown;
  }
}

Errno host_error(int saved_errno) noexcept {
  return saved_errno == EMFILE ? Errno::nfile : from_host(saved_errno);
}

struct timespec host_time(SetTime time) noexcept {
  switch (time.how) {
    case SetTime::How::keep:
      return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
    case SetTime::How::now:
      return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
    case SetTime::How::at:
      break;
  }
  return {.tv_sec = static_cast<time_t>(time.ns / 1'000'000'000),
          .tv_nsec = static_cast<long>(time.ns % 1'000'000'000)};
}

base::Result<std::shared_ptr<Mount>> open_host_folder(const std::filesystem::path& path, HostFolderOptions options) {
  if (options.create) FB_CHECK(make_folders(path));
  auto root = std::make_shared<HostRoot>();
  FB_TRY(root->folder, open_root(path, !options.read_only));
  options.kernel_walk = options.kernel_walk && base::kernel_can_walk_beneath();
  if (options.bytes_max && !options.ledger) {
    FB_TRY(options.ledger, Ledger::measure(root->folder.get()));
  }
  root->options = std::move(options);
  return std::make_shared<HostFolder>(std::move(root));
}

}  // namespace fusebox::vfs
