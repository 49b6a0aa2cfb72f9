// The routes of a namespace: which mount answers for a path, and which directories exist only because something is
// mounted below them.
//
// Every mount point and each of its ancestors is a point. A path is walked from the root's point as far as points lead;
// the last mount met answers for the rest.
//
// Threads  immutable after build(): any.
// Contract containers.md 7.1, 7.3
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/namespace.h"

namespace fusebox::vfs {

struct Point {
  std::string path;         // absolute
  std::string name;         // last component
  std::uint64_t inode = 0;  // shown for it, whatever is mounted here; 0 = the root's own
  FileType type = FileType::directory;
  const Namespace::MountAt* mount = nullptr;  // null: an ancestor only
  std::vector<const Point*> children;         // in configuration order: the order of listings
  std::vector<const Point*> sorted;           // by name
  const Point* child(std::string_view name) const noexcept;
  bool is_root() const noexcept { return path.size() == 1; }
};

struct Route {
  const Namespace::MountAt* mount = nullptr;  // never null after route()
  std::string_view rest;                      // of the path, in that mount
  const Point* point = nullptr;               // the path is this point itself
};

struct Namespace::Table {
  std::size_t path_bytes_max = 0;
  std::vector<MountAt> mounts;                 // the root first
  std::vector<std::unique_ptr<Point>> points;  // the root first

  // `path` is absolute and normalised.
  Route route(std::string_view path) const noexcept;
};

base::Result<std::unique_ptr<const Namespace::Table>> build_table(Namespace::Options options);

// Whether `path` is `directory` or lies below it.
bool lies_in(std::string_view path, std::string_view directory) noexcept;

}  // namespace fusebox::vfs
