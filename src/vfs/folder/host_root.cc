// The folder behind a mount: opening it, and the host's words in the namespace's.
#include "vfs/folder/host_root.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "base/beneath.h"

namespace fusebox::vfs {

using base::Fd;

namespace {

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

base::Error open_error(const std::filesystem::path& path, int saved_errno) {
  auto error = base::errno_error("cannot open the folder " + path.string(), saved_errno);
  if (saved_errno == ENOENT) error.code = base::Errc::not_found;
  if (saved_errno == ENOTDIR) error.code = base::Errc::invalid;
  return error;
}

base::Result<Fd> open_folder(const std::filesystem::path& path) {
  Fd fd = Fd::adopt(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fail(open_error(path, errno));
  return fd;
}

base::Error beneath_error(const std::filesystem::path& path, const std::filesystem::path& top,
                          const base::BeneathError& why) {
  if (why.what == base::BeneathFailure::system) return open_error(path, why.saved_errno);
  return {base::Errc::denied,
          "cannot open the folder " + path.string() + ": its links lead out of " + top.string(),
          {},
          nullptr};
}

// What `path` leads to below `top`, made where it is missing and is to be made.
base::Result<Fd> open_beneath(const std::filesystem::path& path, const HostFolderOptions& options) {
  const std::filesystem::path top = options.beneath.lexically_normal();
  if (options.create) FB_CHECK(make_folders(top));
  FB_TRY(Fd fd, open_folder(top));
  const base::Beneath way(fd.get(), {.kernel_walk = options.kernel_walk});
  std::filesystem::path below;
  for (const std::filesystem::path& name : path.lexically_normal().lexically_relative(top)) {
    if (name.empty() || name == ".") continue;
    if (name == "..") return base::fail(beneath_error(path, top, {base::BeneathFailure::leaves, 0}));
    below /= name;
    if (!options.create) continue;
    const auto place = way.find(below.string(), true);
    if (!place) return base::fail(beneath_error(path, top, place.error()));
    if (place->exists || ::mkdirat(place->directory.get(), place->name.c_str(), 0700) == 0 || errno == EEXIST) continue;
    return base::fail(base::errno_error("cannot make the folder " + (top / below).string(), errno));
  }
  if (below.empty()) return fd;
  auto opened = way.open(below.string(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (!opened) return base::fail(beneath_error(path, top, opened.error()));
  return std::move(*opened);
}

base::Result<Fd> open_root(const std::filesystem::path& path, const HostFolderOptions& options) {
  if (!options.beneath.empty()) return open_beneath(path, options);
  if (options.create) FB_CHECK(make_folders(path));
  return open_folder(path);
}

}  // namespace

base::Result<std::shared_ptr<const HostRoot>> open_host_root(const std::filesystem::path& path,
                                                             HostFolderOptions options) {
  options.kernel_walk = options.kernel_walk && base::kernel_can_walk_beneath();
  auto root = std::make_shared<HostRoot>();
  FB_TRY(root->folder, open_root(path, options));
  if (!options.read_only && ::faccessat(root->folder.get(), ".", W_OK | X_OK, 0) != 0)
    return base::fail(open_error(path, errno));
  if (options.bytes_max && !options.ledger) {
    options.ledger = std::make_shared<Ledger>();
    FB_CHECK(options.ledger->measure(root->folder.get()));
  }
  root->options = std::move(options);
  return root;
}

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

}  // namespace fusebox::vfs
