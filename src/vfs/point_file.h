// The Files of the points of a namespace: directories that list what is mounted below them, and mount points that show
// the inode their parent lists.
//
// Contract containers.md 7.1, 7.3
#pragma once

#include <memory>

#include "vfs/mount_table.h"

namespace fusebox::vfs {

// What stat answers for an ancestor of mount points that exists nowhere else.
Stat synthetic_stat(const Point& point) noexcept;

// `keeps` keeps the point alive.
std::unique_ptr<File> make_synthetic_directory(std::shared_ptr<const void> keeps, const Point& point, FdFlags flags);
std::unique_ptr<File> wrap_point(std::shared_ptr<const void> keeps, const Point& point, std::unique_ptr<File> inner);

}  // namespace fusebox::vfs
