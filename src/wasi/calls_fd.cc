// What can be asked of a descriptor besides its content.
#include <string>

#include "wasi/calls.h"
#include "wasi/opened.h"

namespace fusebox::wasi::calls {
namespace {

namespace right = vfs::right;
using vfs::FdFlags;
using vfs::Whence;

constexpr u32 kAdvicesEnd = 6;  // normal, sequential, random, willneed, dontneed, noreuse
constexpr u32 kFdFlagsEnd = 1u << 5;
constexpr std::uint8_t kPrestatDirectory = 0;

// The name of a preopen as the guest is told it: prestat_nul counts the NUL behind it.
u32 name_bytes(const Caller& caller, const vfs::Descriptor& preopen) noexcept {
  return static_cast<u32>(preopen.path.size()) + (caller.process.options.prestat_nul ? 1 : 0);
}

Errno sync(Caller& caller, u32 fd, vfs::Rights needed, bool data_only) {
  const Opened open = opened(caller, fd, needed);
  return open.failed() ? open.error : error_of(open.file().sync(data_only));
}

// Whether a file may be resized through this descriptor. What is never changed at all says so itself: an allocation of
// nothing changes nothing.
Errno check_resizable(const Opened& open) {
  if (open->writable || open.file().type() != vfs::FileType::regular) return Errno::success;
  const auto nothing = open.file().allocate(0, 0);
  return !nothing && nothing.error() == Errno::rofs ? Errno::rofs : Errno::badf;
}

Errno seek(Caller& caller, const Opened& open, i64 offset, Whence whence, u32 out) {
  const auto place = open.file().seek_waiting(caller.call_on(open.file()), offset, whence);
  if (!place) return place.error();
  caller.memory.store(out, *place);
  return Errno::success;
}

// The snapshot before numbered them differently.
template <Snapshot S>
constexpr Whence kWhences[3] = {Whence::set, Whence::current, Whence::end};
template <>
constexpr Whence kWhences<Snapshot::unstable>[3] = {Whence::current, Whence::end, Whence::set};

}  // namespace

Errno fd_advise(Caller& caller, u32 fd, u64 offset, u64 length, u32 advice) {
  const Opened open = opened(caller, fd, right::fd_advise);
  if (open.failed()) return open.error;
  if (advice >= kAdvicesEnd) return Errno::inval;
  return error_of(open.file().advise(offset, length));
}

Errno fd_allocate(Caller& caller, u32 fd, u64 offset, u64 length) {
  const Opened open = opened(caller, fd, right::fd_allocate);
  if (open.failed()) return open.error;
  if (const Errno error = check_resizable(open); error != Errno::success) return error;
  return error_of(open.file().allocate(offset, length));
}

Errno fd_close(Caller& caller, u32 fd) {
  return error_of(caller.fds().close(caller.call(), fd));
}

Errno fd_datasync(Caller& caller, u32 fd) {
  return sync(caller, fd, right::fd_datasync, true);
}

Errno fd_fdstat_get(Caller& caller, u32 fd, u32 out) {
  const Opened open = opened(caller, fd, 0);
  if (open.failed()) return open.error;
  if (!caller.memory.has(out, kFdstatBytes)) return Errno::fault;
  caller.memory.zero(out, kFdstatBytes);
  caller.memory.store(out, static_cast<std::uint8_t>(open.file().type()));
  caller.memory.store(out + 2, open.file().flags());
  caller.memory.store(out + 8, open->base);
  caller.memory.store(out + 16, open->inheriting);
  return Errno::success;
}

Errno fd_fdstat_set_flags(Caller& caller, u32 fd, u32 flags) {
  const Opened open = opened(caller, fd, right::fd_fdstat_set_flags);
  if (open.failed()) return open.error;
  if (flags >= kFdFlagsEnd) return Errno::notsup;
  return error_of(open.file().set_flags(static_cast<FdFlags>(flags)));
}

Errno fd_fdstat_set_rights(Caller& caller, u32 fd, u64 base, u64 inheriting) {
  const Opened open = opened(caller, fd, 0);
  if (open.failed()) return open.error;
  if ((base & ~open->base) != 0 || (inheriting & ~open->inheriting) != 0) return Errno::notcapable;
  open->base = base;
  open->inheriting = inheriting;
  open->rights_shrunk = true;
  return Errno::success;
}

template <Snapshot S>
Errno fd_filestat_get(Caller& caller, u32 fd, u32 out) {
  const Opened open = opened(caller, fd, right::fd_filestat_get);
  if (open.failed()) return open.error;
  if (!caller.memory.has(out, kFilestatBytes<S>)) return Errno::fault;
  const auto stat = open.file().stat_waiting(caller.call_on(open.file()));
  if (!stat) return stat.error();
  store_filestat<S>(caller.memory, out, *stat);
  return Errno::success;
}
template Errno fd_filestat_get<Snapshot::preview1>(Caller&, u32, u32);
template Errno fd_filestat_get<Snapshot::unstable>(Caller&, u32, u32);

Errno fd_filestat_set_size(Caller& caller, u32 fd, u64 size) {
  const Opened open = opened(caller, fd, right::fd_filestat_set_size);
  if (open.failed()) return open.error;
  if (const Errno error = check_resizable(open); error != Errno::success) return error;
  return error_of(open.file().set_size_waiting(caller.call_on(open.file()), size));
}

Errno fd_filestat_set_times(Caller& caller, u32 fd, u64 accessed, u64 modified, u32 flags) {
  const Opened open = opened(caller, fd, right::fd_filestat_set_times);
  if (open.failed()) return open.error;
  const Times times = times_of(accessed, modified, flags);
  if (times.error != Errno::success) return times.error;
  return error_of(open.file().set_times_waiting(caller.call_on(open.file()), times.accessed, times.modified));
}

Errno fd_prestat_get(Caller& caller, u32 fd, u32 out) {
  const Opened open = opened(caller, fd, 0);
  if (open.failed()) return open.error;
  if (!open->preopen) return Errno::badf;
  if (!caller.memory.has(out, kPrestatBytes)) return Errno::fault;
  caller.memory.zero(out, kPrestatBytes);
  caller.memory.store(out, kPrestatDirectory);
  caller.memory.store(out + 4, name_bytes(caller, *open.descriptor));
  return Errno::success;
}

Errno fd_prestat_dir_name(Caller& caller, u32 fd, u32 at, u32 size) {
  const Opened open = opened(caller, fd, 0);
  if (open.failed()) return open.error;
  if (!open->preopen) return Errno::badf;
  if (!caller.memory.has(at, size)) return Errno::fault;
  const u32 needed = name_bytes(caller, *open.descriptor);
  if (size < needed) return Errno::nametoolong;
  caller.memory.put(at, {open->path.c_str(), needed});
  return Errno::success;
}

Errno fd_renumber(Caller& caller, u32 from, u32 to) {
  return error_of(caller.fds().renumber(from, to));
}

template <Snapshot S>
Errno fd_seek(Caller& caller, u32 fd, i64 offset, u32 whence, u32 out) {
  const bool only_tells = offset == 0 && whence < 3 && kWhences<S>[whence] == Whence::current;
  const Opened open = opened(caller, fd, right::fd_seek | (only_tells ? right::fd_tell : 0));
  if (open.failed()) return open.error;
  if (!caller.memory.has(out, sizeof(u64))) return Errno::fault;
  if (whence >= 3) return Errno::inval;
  return seek(caller, open, offset, kWhences<S>[whence], out);
}
template Errno fd_seek<Snapshot::preview1>(Caller&, u32, i64, u32, u32);
template Errno fd_seek<Snapshot::unstable>(Caller&, u32, i64, u32, u32);

Errno fd_sync(Caller& caller, u32 fd) {
  return sync(caller, fd, right::fd_sync, false);
}

Errno fd_tell(Caller& caller, u32 fd, u32 out) {
  const Opened open = opened(caller, fd, right::fd_tell | right::fd_seek);
  if (open.failed()) return open.error;
  if (!caller.memory.has(out, sizeof(u64))) return Errno::fault;
  return seek(caller, open, 0, Whence::current, out);
}

}  // namespace fusebox::wasi::calls
