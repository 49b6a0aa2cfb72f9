// The private namespace of a container: which mount answers for a path.
//
// Longest prefix on a component boundary wins. Ancestors of mount points that exist nowhere else are synthetic
// directories; mount points are listed in their parent. Every operation normalises its path lexically, routes it, follows
// redirects (40 at most), and routes again: no operation looks at what kind of descriptor it came through.
//
// Owner    built once by its container, then shared by its processes; keeps its mounts alive.
// Threads  immutable after build(): any. Operations take the Call of the asking process.
// Contract containers.md 7.1-7.3, 15.3
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vfs/mount.h"

namespace fusebox::vfs {

inline constexpr std::size_t kPathRawBytesMax = 4096;   // contract 7.1
inline constexpr std::size_t kComponentBytesMax = 255;  // the same
inline constexpr int kRedirectsMax = 40;                // contract 14.1

// Where a path argument starts: the directory descriptor it came with.
struct At {
  std::string_view directory = "/";  // absolute, normalised
  // The directory lies in a host folder or volume mounted here; a relative path that leaves it is `notcapable`. "" = none.
  std::string_view confined_to;
};

// Lexical normalisation of contract 7.1: absolute result, no trailing slash ("/" for the root). `must_be_directory` is set
// for a trailing slash, "." or "..". The empty path is ".". `nametoolong` for the
// bounds, `inval` for a zero byte.
struct Normal {
  std::string path;
  bool must_be_directory = false;
};
Io<Normal> normalise(std::string_view directory, std::string_view path, std::size_t path_bytes_max);

class Namespace {
 public:
  struct MountAt {
    std::string path;  // absolute, normalised, not "/"; "/dev", "/net", "/proc" are given like any other
    std::shared_ptr<Mount> mount;
    bool host_folder = false;  // platform and volume mounts: a preopen, and relative paths are confined to it
    bool read_only = false;    // its preopen's rights lack the write class (15.3)
  };
  struct Options {
    std::shared_ptr<Mount> root;        // the image's tree, read-only or with a writable layer
    std::vector<MountAt> mounts;        // dev, net, proc first, then in configuration order: the order of listings
    std::size_t path_bytes_max = 4096;  // max_path; a normalised path is at most one less
  };
  // `exists`: two mounts at one path. `invalid`: a path that is not absolute and normalised.
  static base::Result<std::shared_ptr<const Namespace>> build(Options options);

  struct Opened {
    std::unique_ptr<File> file;
    std::string path;         // absolute, normalised: directories answer for relative paths with it
    std::string confined_to;  // as in At
  };
  Io<Opened> open(Call& call, At at, std::string_view path, const OpenRequest& request) const;
  Io<Stat> stat(Call& call, At at, std::string_view path, bool follow) const;
  Io<void> create_directory(Call& call, At at, std::string_view path) const;
  Io<void> remove_directory(Call& call, At at, std::string_view path) const;
  Io<void> unlink(Call& call, At at, std::string_view path) const;
  Io<void> rename(Call& call, At from_at, std::string_view from, At to_at, std::string_view to) const;
  Io<void> link(Call& call, At from_at, std::string_view from, bool follow, At to_at, std::string_view to) const;
  Io<void> symlink(Call& call, std::string_view target, At at, std::string_view path) const;
  Io<std::string> read_link(Call& call, At at, std::string_view path) const;
  Io<void> set_times(Call& call, At at, std::string_view path, bool follow, SetTime accessed, SetTime modified) const;

  // Host folders in configuration order: fds 3.. of a process; the root comes after them (15.3).
  const std::vector<const MountAt*>& preopens() const noexcept { return preopens_; }

  struct Table;  // routes and synthetic directories: vfs/mount_table.h
  explicit Namespace(std::shared_ptr<const Table> table) noexcept;  // build() makes it

 private:
  Io<Normal> resolve(At at, std::string_view path) const;
  Io<std::string> settle(Call& call, At at, std::string_view path, bool follow_last) const;
  std::shared_ptr<const Table> table_;  // Files of points keep it
  std::vector<const MountAt*> preopens_;
};

}  // namespace fusebox::vfs
