#include "capability/file_gateway_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace fusebox::capability {

using base::Fd;

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;  // between two looks at the stop flag
constexpr mode_t kNewFileMode = 0644;            // less the process's umask
constexpr mode_t kModeBits = 0777;               // a replaced file never keeps set-user-id

std::unexpected<WriteError> failure(WriteFailure what, int saved_errno = 0) {
  return std::unexpected(WriteError{what, saved_errno});
}

// Removes the temporary file unless it has got its name.
class TemporaryName {
 public:
  TemporaryName(int directory, const std::string& name) noexcept : directory_(directory), name_(name) {}
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() {
    if (!moved_) ::unlinkat(directory_, name_.c_str(), 0);
  }
  void moved() noexcept { moved_ = true; }

 private:
  int directory_;
  const std::string& name_;
  bool moved_ = false;
};

// The mode of the file that is there, or nothing when there is none; or why it may not be written.
std::expected<std::optional<mode_t>, WriteError> look_at(const Place& place, const WriteRules& rules) {
  struct stat info{};
  if (::fstatat(place.directory.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return failure(WriteFailure::io, errno);
    if (!rules.may_create) return failure(WriteFailure::not_found);
    if (!rules.create_quota_left) return failure(WriteFailure::create_quota);
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode)) return failure(WriteFailure::not_regular);
  if (!rules.may_overwrite) return failure(WriteFailure::exists);
  if (info.st_nlink > 1) return failure(WriteFailure::many_links);
  return info.st_mode & kModeBits;
}

std::expected<void, WriteError> fill(int fd, base::ByteView data, const std::function<bool()>& stop) {
  while (!data.empty()) {
    if (stop && stop()) return failure(WriteFailure::stopped);
    const ssize_t n = ::write(fd, data.data(), std::min(data.size(), kPieceBytes));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(WriteFailure::io, errno);
    data = data.subspan(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return failure(WriteFailure::io, errno);
  if (stop && stop()) return failure(WriteFailure::stopped);
  return {};
}

// Gives the temporary file its name only if the name is free.
int name_if_free(int directory, const char* from, const char* to) noexcept {
  if (::renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without that kind of rename: a hard link never replaces either.
  if (::linkat(directory, from, directory, to, 0) != 0) return errno;
  ::unlinkat(directory, from, 0);
  return 0;
}

}  // namespace

std::expected<Written, WriteError> replace_file(const Place& place, const std::string& temporary_name,
                                                base::ByteView data, const WriteRules& rules,
                                                const std::function<bool()>& stop) {
  const auto old_mode = look_at(place, rules);
  if (!old_mode) return std::unexpected(old_mode.error());
  const int directory = place.directory.get();
  const Fd fd = Fd::adopt(
      ::openat(directory, temporary_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kNewFileMode));
  if (!fd) return failure(WriteFailure::io, errno);
  TemporaryName temporary(directory, temporary_name);
  if (*old_mode && ::fchmod(fd.get(), **old_mode) != 0) return failure(WriteFailure::io, errno);
  if (auto filled = fill(fd.get(), data, stop); !filled) return std::unexpected(filled.error());

  if (!*old_mode) {
    const int problem = name_if_free(directory, temporary_name.c_str(), place.name.c_str());
    if (problem == 0) {
      temporary.moved();
      return Written::created;
    }
    if (problem != EEXIST) return failure(WriteFailure::io, problem);
    // Somebody was faster. What is there now is judged like any other file.
    if (const auto now = look_at(place, rules); !now) return std::unexpected(now.error());
  }
  // A rename replaces the name itself. Whatever took its place since it was looked at, nothing is followed or written
  // to.
  if (::renameat(directory, temporary_name.c_str(), directory, place.name.c_str()) != 0)
    return failure(
        errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST ? WriteFailure::not_regular : WriteFailure::io, errno);
  temporary.moved();
  return Written::replaced;
}

}  // namespace fusebox::capability
