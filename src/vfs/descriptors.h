// The descriptors of one process: files, rights and flags by number.
//
// Fds 0-2 are the console and cannot be closed, only replaced; then the preopens, which cannot be closed either; then
// what the guest opens, lowest free number first.
// Owner    owns its Files; they are destroyed with it, in descriptor order.
// Threads  one at a time: its process's; open_count() any.
// Contract containers.md 7.2 (MFILE), 13, 15.2, 15.3
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vfs/file.h"
#include "vfs/namespace.h"

namespace fusebox::vfs {

using Rights = std::uint64_t;
namespace right {
inline constexpr Rights fd_datasync = 1u << 0, fd_read = 1u << 1, fd_seek = 1u << 2, fd_fdstat_set_flags = 1u << 3,
                        fd_sync = 1u << 4, fd_tell = 1u << 5, fd_write = 1u << 6, fd_advise = 1u << 7,
                        fd_allocate = 1u << 8, path_create_directory = 1u << 9, path_create_file = 1u << 10,
                        path_link_source = 1u << 11, path_link_target = 1u << 12, path_open = 1u << 13,
                        fd_readdir = 1u << 14, path_readlink = 1u << 15, path_rename_source = 1u << 16,
                        path_rename_target = 1u << 17, path_filestat_get = 1u << 18, path_filestat_set_size = 1u << 19,
                        path_filestat_set_times = 1u << 20, fd_filestat_get = 1u << 21, fd_filestat_set_size = 1u << 22,
                        fd_filestat_set_times = 1u << 23, path_symlink = 1u << 24, path_remove_directory = 1u << 25,
                        path_unlink_file = 1u << 26, poll_fd_readwrite = 1u << 27, sock_shutdown = 1u << 28,
                        sock_accept = 1u << 29;
inline constexpr Rights full = ~Rights{0};
inline constexpr Rights stdio = full & ~(fd_seek | fd_tell);
inline constexpr Rights read_only =
    full &
    ~(fd_datasync | fd_write | fd_allocate | path_create_directory | path_create_file | path_link_source |
      path_link_target | path_rename_source | path_rename_target | path_filestat_set_size | path_filestat_set_times |
      fd_filestat_set_size | fd_filestat_set_times | path_symlink | path_remove_directory | path_unlink_file);
static_assert(stdio == 0xffffffffffffffdb && read_only == 0xfffffffff824e0be);
}  // namespace right

struct Descriptor {
  std::unique_ptr<File> file;  // null = the number is free
  std::string path;            // absolute, of directories; what relative paths start from
  std::string confined_to;     // as in vfs::At
  Rights base = right::full;
  Rights inheriting = right::full;
  bool readable = true;
  bool writable = false;
  bool rights_shrunk = false;  // fd_fdstat_set_rights has run: every call checks its right from then on
  bool preopen = false;
  bool console = false;
};

class Descriptors {
 public:
  static constexpr std::uint32_t kFdsDefault = 256;
  explicit Descriptors(std::uint32_t fds_max = kFdsDefault) noexcept : fds_max_(fds_max) {}

  // Null for a number that is not open. Good until the next change of the table.
  Descriptor* get(std::uint32_t fd) noexcept { return fd < table_.size() && table_[fd].file ? &table_[fd] : nullptr; }
  // Puts it at the lowest free number >= 3. `mfile`.
  Io<std::uint32_t> add(Descriptor descriptor);
  bool full() const noexcept;                         // whether add() would say `mfile`
  void put(std::uint32_t fd, Descriptor descriptor);  // at start: console and preopens
  Io<void> close(Call& call, std::uint32_t fd);       // consoles and preopens: success without effect
  Io<void> renumber(std::uint32_t from, std::uint32_t to);
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(table_.size()); }
  std::uint32_t open_count() const noexcept { return open_count_.load(std::memory_order_relaxed); }
  void clear() noexcept;  // closes everything

 private:
  std::uint32_t fds_max_;
  std::atomic<std::uint32_t> open_count_ = 0;  // written by the process alone
  std::uint32_t lowest_free_ = 3;              // no free number >= 3 is below it
  std::vector<Descriptor> table_;
};

}  // namespace fusebox::vfs
