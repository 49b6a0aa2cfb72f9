#include "image/store/staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/units.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;

bool try_lock(int fd) noexcept {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    if (errno != EINTR) return false;
  return true;
}

// A cleaner may have taken the file between its creation and its lock.
bool is_linked(int fd) noexcept {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && info.st_nlink > 0;
}

}  // namespace

base::Error write_error(std::string_view step, int saved_errno) {
  base::Error error = base::errno_error(step, saved_errno);
  if (saved_errno == ENOSPC || saved_errno == EDQUOT) {
    error.code = base::Errc::exhausted;
    error.name = "NO_SPACE";
  }
  return error;
}

base::Result<void> make_folder(const fs::path& folder, mode_t mode) {
  std::error_code failed;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), failed);
  if (failed) return base::fail(base::errno_error("create " + folder.parent_path().string(), failed.value()));
  if (::mkdir(folder.c_str(), mode) != 0 && errno != EEXIST)
    return base::fail(base::errno_error("create " + folder.string(), errno));
  return {};
}

base::Result<void> sync_folder(const fs::path& folder) {
  const base::Fd fd = base::Fd::adopt(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return base::fail(base::errno_error("sync " + folder.string(), errno));
  return {};
}

base::Result<Staged> Staged::create(const fs::path& folder, std::string_view prefix, std::uint64_t bytes_max) {
  while (true) {
    std::string path = (folder / (std::string(prefix) + "XXXXXX")).string();
    base::Fd fd = base::Fd::adopt(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd) return base::fail(write_error("create a file in " + folder.string(), errno));
    if (try_lock(fd.get()) && is_linked(fd.get())) return Staged(std::move(fd), std::move(path), bytes_max);
  }
}

Staged::Staged(Staged&& from) noexcept
    : fd_(std::move(from.fd_)),
      path_(std::exchange(from.path_, {})),
      bytes_max_(from.bytes_max_),
      written_(from.written_) {}

Staged::~Staged() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

base::Result<void> Staged::write(base::ByteView bytes) {
  if (bytes.size() > bytes_max_ - written_) {
    return base::fail(base::Errc::exhausted, "the image is larger than " + base::format_count(bytes_max_) + " bytes",
                      "TOO_LARGE");
  }
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::fail(write_error("write " + path_, errno));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    written_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

base::Result<void> Staged::publish(const fs::path& path, mode_t mode) {
  if (::fchmod(fd_.get(), mode) != 0 || ::fsync(fd_.get()) != 0)
    return base::fail(write_error("write " + path.string(), errno));
  if (::rename(path_.c_str(), path.c_str()) != 0) return base::fail(write_error("write " + path.string(), errno));
  path_.clear();
  return {};
}

void remove_leftovers(const fs::path& folder, std::string_view prefix) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    if (!at->path().filename().string().starts_with(prefix)) continue;
    const base::Fd fd = base::Fd::adopt(::open(at->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd && try_lock(fd.get())) ::unlink(at->path().c_str());
  }
}

}  // namespace fusebox::image
