#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "vfs/folder/host_root.h"

namespace fusebox::vfs {

namespace {

constexpr std::size_t kListBytes = 8192;  // asked of the host at a time; an entry has at most 280

// As the kernel lays it out (getdents64).
struct Entry {
  std::uint64_t inode;
  std::int64_t next;
  unsigned short bytes;
  unsigned char type;
};
constexpr std::size_t kNameAt = 19;  // after `type`, before any padding
static_assert(offsetof(Entry, type) + 1 == kNameAt);

FileType type_of_entry(int directory, unsigned char type, const char* name) noexcept {
  if (type != DT_UNKNOWN) return type_of(static_cast<mode_t>(DTTOIF(type)));
  struct stat info{};
  return ::fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 ? type_of(info.st_mode) : FileType::unknown;
}

class HostDirectory final : public File {
 public:
  HostDirectory(std::shared_ptr<const HostRoot> root, base::Fd fd, FdFlags flags) noexcept
      : File(flags), root_(std::move(root)), fd_(std::move(fd)) {}

  FileType type() const noexcept override { return FileType::directory; }

  Io<Stat> stat() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return fail(host_error(errno));
    return root_->stat_of(info);
  }

  Io<void> set_times(SetTime accessed, SetTime modified) override {
    if (root_->options.read_only) return fail(Errno::rofs);
    const struct timespec times[2] = {host_time(accessed), host_time(modified)};
    if (::futimens(fd_.get(), times) != 0) return fail(host_error(errno));
    return {};
  }

  Io<void> sync(bool data_only) override {
    if ((data_only ? ::fdatasync(fd_.get()) : ::fsync(fd_.get())) != 0) return fail(host_error(errno));
    return {};
  }

  // Cookies are the host's own.
  Io<void> list(Call&, std::uint64_t cookie, DirSink& sink) override {
    if (cookie > std::numeric_limits<std::int64_t>::max()) return fail(Errno::inval);
    if (::lseek(fd_.get(), static_cast<off_t>(cookie), SEEK_SET) < 0) return fail(host_error(errno));
    std::vector<std::byte> buffer(kListBytes);
    while (true) {
      const long size = ::syscall(SYS_getdents64, fd_.get(), buffer.data(), buffer.size());
      if (size < 0) return fail(host_error(errno));
      if (size == 0) return {};
      for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
        Entry entry;
        std::memcpy(&entry, buffer.data() + at, kNameAt);
        const char* const name = reinterpret_cast<const char*>(buffer.data() + at + kNameAt);
        at += entry.bytes;
        if (!give(entry, name, sink)) return {};
      }
    }
  }

 private:
  bool give(const Entry& entry, const char* name, DirSink& sink) const {
    const std::string_view text = name;
    if (text == "." || text == "..") return true;
    return sink.add({.name = text,
                     .type = type_of_entry(fd_.get(), entry.type, name),
                     .inode = entry.inode,
                     .next = static_cast<std::uint64_t>(entry.next)});
  }

  std::shared_ptr<const HostRoot> root_;
  base::Fd fd_;
};

}  // namespace

std::unique_ptr<File> make_host_directory(std::shared_ptr<const HostRoot> root, base::Fd fd, FdFlags flags) {
  return std::make_unique<HostDirectory>(std::move(root), std::move(fd), flags);
}

}  // namespace fusebox::vfs
