// Opening what a walk has found in a mounted folder of the host.
#include <errno.h>
#include <fcntl.h>

#include <utility>

#include "base/beneath.h"
#include "vfs/folder/host_root.h"

namespace fusebox::vfs {

using base::Fd;

namespace {

using RootPtr = std::shared_ptr<const HostRoot>;

constexpr mode_t kFileMode = 0644;
constexpr int kOpenFlags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;

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

Io<std::unique_ptr<File>> file_of(const RootPtr& root, Fd fd, FdFlags flags) {
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(host_error(errno));
  if (!is_openable(info.st_mode)) return fail(Errno::acces);
  if (S_ISDIR(info.st_mode)) return make_host_directory(root, std::move(fd), flags);
  return make_host_file(root, std::move(fd), info, flags);
}

Io<std::unique_ptr<File>> create_at(const RootPtr& root, const base::Place& place, const OpenRequest& request) {
  if (!request.create) return fail(Errno::noent);
  if (request.directory) return fail(Errno::isdir);
  if (!root->has_room_for_name()) return fail(Errno::dquot);
  Fd fd = Fd::adopt(::openat(place.directory.get(), place.name.c_str(),
                             access_of(request) | kOpenFlags | O_CREAT | O_EXCL, kFileMode));
  if (!fd) {
    if (errno == EEXIST && !request.exclusive) return nullptr;
    return fail(host_error(errno));
  }
  root->name_added();
  return file_of(root, std::move(fd), request.flags);
}

}  // namespace

Io<std::unique_ptr<File>> open_host_place(const std::shared_ptr<const HostRoot>& root, const base::Place& place,
                                          const OpenRequest& request) {
  if (!place.exists) return create_at(root, place, request);
  if (const Errno why = objection(place.info, request); why != Errno::success) return fail(why);
  Fd fd = Fd::adopt(::openat(place.directory.get(), place.name.c_str(), access_of(request) | kOpenFlags));
  if (!fd) {
    if (errno == ELOOP || errno == ENOENT || errno == ENXIO) return nullptr;
    return fail(host_error(errno));
  }
  if (request.truncate && root->options.ledger)
    root->options.ledger->resized(static_cast<std::uint64_t>(place.info.st_size), 0);
  return file_of(root, std::move(fd), request.flags);
}

}  // namespace fusebox::vfs
