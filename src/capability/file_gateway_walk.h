// The way from a root's directory handle to a file below it, in the words of the file capabilities (contract
// capability.md section 10). The walk itself is base/beneath.h.
//
// Threads  one thread; each walk has its own walker.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "base/beneath.h"
#include "base/files.h"
#include "policy/policy.h"

namespace fusebox::capability {

enum class WalkFailure : std::uint8_t {
  not_found,
  symlink,          // one where none is allowed, or too many
  leaves_root,      // through a symbolic link
  not_regular,      // the path ends at something that is no file
  too_deep,         // a link leads up further than our own walk remembers
  no_more_folders,  // the number of folders it may make is used up
  io,
};
struct WalkError {
  WalkFailure what = WalkFailure::io;
  int saved_errno = 0;  // for io
};
template <class T>
using Walked = std::expected<T, WalkError>;

using base::Place;

class PathWalker {
 public:
  // Borrows the handle of the root.
  PathWalker(int root, policy::Symlinks symlinks, bool kernel_walk) noexcept
      : walk_(root, {.follow_links = symlinks != policy::Symlinks::deny, .kernel_walk = kernel_walk}) {}

  // Opens the last component for reading, without blocking, whatever it is.
  Walked<base::Fd> open_file(std::span<const std::string_view> components) const;
  // With `folders_left`, missing folders on the way are made and counted down, until none is left. Good until the handle
  // of the root is closed.
  Walked<Place> find_place(std::span<const std::string_view> components, std::uint64_t* folders_left) const;

 private:
  base::Beneath walk_;
};

}  // namespace fusebox::capability
