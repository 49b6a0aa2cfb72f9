// The way from a root's directory handle to a file below it, which no symbolic link and no change on the way can lead
// out of the root (contract capability.md section 10).
//
// Two ways that give the same answers: the kernel's (openat2 with RESOLVE_BENEATH), and our own, one component at a
// time without following anything, for kernels and containers that refuse openat2.
//
// Threads  one thread; each walk has its own walker.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "policy/policy.h"

namespace fusebox::capability {

enum class WalkFailure : std::uint8_t {
  not_found,
  symlink,          // one where none is allowed, or too many
  leaves_root,      // through a symbolic link
  not_regular,      // the path ends at something that is no file
  too_deep,         // our own walk keeps a handle per level
  no_more_folders,  // the number of folders it may make is used up
  io,
};
struct WalkError {
  WalkFailure what = WalkFailure::io;
  int saved_errno = 0;  // for io
};
template <class T>
using Walked = std::expected<T, WalkError>;

// The directory in which the last name of a path is looked up. The name was not a symbolic link when it was looked at;
// use it only with calls that follow none.
struct Place {
  base::Fd directory;
  std::string name;
};

class PathWalker {
 public:
  // Borrows the handle of the root.
  PathWalker(int root, policy::Symlinks symlinks, bool kernel_walk) noexcept
      : root_(root), symlinks_(symlinks), kernel_walk_(kernel_walk) {}

  // Opens the last component for reading, without blocking, whatever it is.
  Walked<base::Fd> open_file(std::span<const std::string_view> components) const;
  // With `folders_left`, missing folders on the way are made and counted down, until none is left.
  Walked<Place> find_place(std::span<const std::string_view> components, std::uint64_t* folders_left) const;

 private:
  Walked<base::Fd> kernel_open(std::span<const std::string_view> components, int flags) const;
  Walked<Place> own_walk(std::span<const std::string_view> components, std::uint64_t* folders_left) const;

  int root_;
  policy::Symlinks symlinks_;
  bool kernel_walk_;
};

// Whether this kernel, and whatever confines this process, lets openat2 resolve beneath a directory.
bool kernel_can_walk() noexcept;

}  // namespace fusebox::capability
