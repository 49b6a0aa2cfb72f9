// The way from a folder's handle to what lies below it, which no symbolic link and no change on the way can lead out.
//
// Two ways that give the same answers: the kernel's (openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS), and our own,
// one name at a time without following anything, for kernels and containers that refuse openat2. Both end at a Place: the
// handle of a folder and one name in it, to be used with calls that follow no link.
//
// Threads  any; a walk changes nothing here.
// Errors   BeneathError; none for a last name that does not exist (Place::exists).
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"

namespace fusebox::base {

enum class BeneathFailure : std::uint8_t {
  link,             // one where none is allowed, or more than 40
  leaves,           // through a link: absolute, upwards, or one of procfs
  too_deep,         // a link leads up further than our own walk remembers
  no_more_folders,  // the number of folders it may make is used up
  system,           // the operating system says no
};
struct BeneathError {
  BeneathFailure what = BeneathFailure::system;
  int saved_errno = 0;
};
template <class T>
using Beneathed = std::expected<T, BeneathError>;

// A folder that is lent or owned.
class Folder {
 public:
  Folder() noexcept = default;
  static Folder lend(int fd) noexcept { return Folder(fd, Fd()); }
  static Folder own(Fd fd) noexcept {
    const int raw = fd.get();
    return Folder(raw, std::move(fd));
  }
  int get() const noexcept { return raw_; }

 private:
  Folder(int raw, Fd own) noexcept : raw_(raw), own_(std::move(own)) {}
  int raw_ = -1;
  Fd own_;
};

// Where the last name of a path is looked up. When links are followed it was none when it was looked at.
struct Place {
  Folder directory;  // O_PATH
  std::string name;  // no slash; "." when the path ends at a folder through a link such as ".."
  bool exists = false;
  struct stat info{};  // when it exists
};

class Beneath {
 public:
  struct Options {
    bool follow_links = true;  // those that stay inside
    bool kernel_walk = true;
  };
  // Borrows the handle.
  Beneath(int root, Options options) noexcept : root_(root), options_(options) {}

  // `path` is relative and not empty, without "." and ".." components. `follow_last`: also a link at the end. With
  // `folders_left`, missing folders on the way are made and counted down until none is left.
  Beneathed<Place> find(std::string_view path, bool follow_last, std::uint64_t* folders_left = nullptr) const;
  // Opens what the path leads to, whatever it is; nothing is created. A link where none is allowed is never opened.
  Beneathed<Fd> open(std::string_view path, int flags) const;

 private:
  Beneathed<Place> own_walk(std::string_view path, bool follow_last, std::uint64_t* folders_left) const;

  int root_;
  Options options_;
};

// Opens what `path`, which lies below the folder `top` by its text, leads to without leaving it.
Beneathed<Fd> open_beneath(const std::filesystem::path& top, const std::filesystem::path& path, int flags);

// Whether this kernel, and whatever confines this process, lets openat2 resolve beneath a directory.
bool kernel_can_walk_beneath() noexcept;

}  // namespace fusebox::base
