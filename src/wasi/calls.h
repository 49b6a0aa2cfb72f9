// The 46 calls of preview1, in the order of contract containers.md 15.2, and those of the snapshot before that differ.
//
// Every call checks, in this order: the descriptor, its rights, the guest's pointers, its flags; only then it acts.
// Owner    none: they work on the caller's Process.
// Threads  its container's.
// Errors   the answer; would_block asks to be called again (process.h).
#pragma once

#include <cstdint>

#include "vfs/errno.h"
#include "wasi/process_impl.h"
#include "wasi/wire.h"

namespace fusebox::wasi::calls {

using vfs::Errno;
using i64 = std::int64_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// calls_process.cc
Errno args_get(Caller& caller, u32 argv, u32 text);
Errno args_sizes_get(Caller& caller, u32 count, u32 bytes);
Errno environ_get(Caller& caller, u32 environ, u32 text);
Errno environ_sizes_get(Caller& caller, u32 count, u32 bytes);
Errno clock_res_get(Caller& caller, u32 id, u32 out);
Errno clock_time_get(Caller& caller, u32 id, u64 precision, u32 out);
void proc_exit(Caller& caller, u32 code);
Errno proc_raise(Caller& caller, u32 signal);
Errno sched_yield(Caller& caller);
Errno random_get(Caller& caller, u32 at, u32 size);

// calls_fd.cc
Errno fd_advise(Caller& caller, u32 fd, u64 offset, u64 length, u32 advice);
Errno fd_allocate(Caller& caller, u32 fd, u64 offset, u64 length);
Errno fd_close(Caller& caller, u32 fd);
Errno fd_datasync(Caller& caller, u32 fd);
Errno fd_fdstat_get(Caller& caller, u32 fd, u32 out);
Errno fd_fdstat_set_flags(Caller& caller, u32 fd, u32 flags);
Errno fd_fdstat_set_rights(Caller& caller, u32 fd, u64 base, u64 inheriting);
template <Snapshot S>
Errno fd_filestat_get(Caller& caller, u32 fd, u32 out);
Errno fd_filestat_set_size(Caller& caller, u32 fd, u64 size);
Errno fd_filestat_set_times(Caller& caller, u32 fd, u64 accessed, u64 modified, u32 flags);
Errno fd_prestat_get(Caller& caller, u32 fd, u32 out);
Errno fd_prestat_dir_name(Caller& caller, u32 fd, u32 at, u32 size);
Errno fd_renumber(Caller& caller, u32 from, u32 to);
template <Snapshot S>
Errno fd_seek(Caller& caller, u32 fd, i64 offset, u32 whence, u32 out);
Errno fd_sync(Caller& caller, u32 fd);
Errno fd_tell(Caller& caller, u32 fd, u32 out);

// calls_io.cc
Errno fd_pread(Caller& caller, u32 fd, u32 vectors, u32 count, u64 offset, u32 out);
Errno fd_pwrite(Caller& caller, u32 fd, u32 vectors, u32 count, u64 offset, u32 out);
Errno fd_read(Caller& caller, u32 fd, u32 vectors, u32 count, u32 out);
Errno fd_readdir(Caller& caller, u32 fd, u32 at, u32 size, u64 cookie, u32 out);
Errno fd_write(Caller& caller, u32 fd, u32 vectors, u32 count, u32 out);

// calls_path.cc
Errno path_create_directory(Caller& caller, u32 fd, u32 path, u32 size);
template <Snapshot S>
Errno path_filestat_get(Caller& caller, u32 fd, u32 lookup, u32 path, u32 size, u32 out);
Errno path_filestat_set_times(Caller& caller, u32 fd, u32 lookup, u32 path, u32 size, u64 accessed, u64 modified,
                              u32 flags);
Errno path_link(Caller& caller, u32 from_fd, u32 lookup, u32 from, u32 from_size, u32 to_fd, u32 to, u32 to_size);
Errno path_open(Caller& caller, u32 fd, u32 lookup, u32 path, u32 size, u32 flags, u64 base, u64 inheriting,
                u32 fd_flags, u32 out);
Errno path_readlink(Caller& caller, u32 fd, u32 path, u32 size, u32 at, u32 room, u32 out);
Errno path_remove_directory(Caller& caller, u32 fd, u32 path, u32 size);
Errno path_rename(Caller& caller, u32 from_fd, u32 from, u32 from_size, u32 to_fd, u32 to, u32 to_size);
Errno path_symlink(Caller& caller, u32 target, u32 target_size, u32 fd, u32 path, u32 size);
Errno path_unlink_file(Caller& caller, u32 fd, u32 path, u32 size);

// calls_poll.cc
template <Snapshot S>
Errno poll_oneoff(Caller& caller, u32 in, u32 out, u32 count, u32 events);

// calls_sock.cc
Errno sock_accept(Caller& caller, u32 fd, u32 flags, u32 out);
Errno sock_recv(Caller& caller, u32 fd, u32 vectors, u32 count, u32 flags, u32 out, u32 out_flags);
Errno sock_send(Caller& caller, u32 fd, u32 vectors, u32 count, u32 flags, u32 out);
Errno sock_shutdown(Caller& caller, u32 fd, u32 how);

}  // namespace fusebox::wasi::calls
