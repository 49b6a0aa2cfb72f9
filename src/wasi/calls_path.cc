// Calls that name files.
#include <string_view>

#include "wasi/calls.h"
#include "wasi/opened.h"

namespace fusebox::wasi::calls {
namespace {

namespace right = vfs::right;
using vfs::FileType;

constexpr u32 kFollow = 1;  // the only lookup flag
enum OpenFlag : u32 { kCreate = 1, kDirectory = 2, kExclusive = 4, kTruncate = 8 };
constexpr u32 kOpenFlagsEnd = 1u << 4;
constexpr u32 kFdFlagsEnd = 1u << 5;

// A path argument and where it starts.
struct Named {
  Errno error = Errno::success;
  vfs::At at;
  std::string_view path;
  bool failed() const noexcept { return error != Errno::success; }
};

// An absolute path does not depend on what the descriptor is (contract 7.1).
Named named(const Caller& caller, const Opened& open, u32 path, u32 size) {
  if (open.failed()) return {open.error, {}, {}};
  if (!caller.memory.has(path, size)) return {Errno::fault, {}, {}};
  const std::string_view text = caller.memory.text(path, size);
  if (text.starts_with('/')) return {Errno::success, {}, text};
  if (open.file().type() != FileType::directory) return {Errno::notdir, {}, {}};
  return {Errno::success, {open->path, open->confined_to}, text};
}
Named named(const Caller& caller, u32 fd, vfs::Rights needed, u32 path, u32 size) {
  return named(caller, opened(caller, fd, needed), path, size);
}

const vfs::Namespace& names(const Caller& caller) noexcept {
  return *caller.process.options.names;
}

Errno check_open_flags(u32 lookup, u32 flags, u32 fd_flags) noexcept {
  if (lookup > kFollow || flags >= kOpenFlagsEnd || fd_flags >= kFdFlagsEnd) return Errno::inval;
  return (flags & kCreate) != 0 && (flags & kDirectory) != 0 ? Errno::inval : Errno::success;
}

vfs::Rights rights_to_open(u32 flags) noexcept {
  vfs::Rights needed = right::path_open;
  if ((flags & kCreate) != 0) needed |= right::path_create_file;
  if ((flags & kTruncate) != 0) needed |= right::path_filestat_set_size;
  return needed;
}

}  // namespace

Errno path_create_directory(Caller& caller, u32 fd, u32 path, u32 size) {
  const Named name = named(caller, fd, right::path_create_directory, path, size);
  return name.failed() ? name.error : error_of(names(caller).create_directory(caller.call(), name.at, name.path));
}

template <Snapshot S>
Errno path_filestat_get(Caller& caller, u32 fd, u32 lookup, u32 path, u32 size, u32 out) {
  const Named name = named(caller, fd, right::path_filestat_get, path, size);
  if (name.failed()) return name.error;
  if (!caller.memory.has(out, kFilestatBytes<S>)) return Errno::fault;
  if (lookup > kFollow) return Errno::inval;
  const auto stat = names(caller).stat(caller.call(), name.at, name.path, lookup == kFollow);
  if (!stat) return stat.error();
  store_filestat<S>(caller.memory, out, *stat);
  return Errno::success;
}
template Errno path_filestat_get<Snapshot::preview1>(Caller&, u32, u32, u32, u32, u32);
template Errno path_filestat_get<Snapshot::unstable>(Caller&, u32, u32, u32, u32, u32);

Errno path_filestat_set_times(Caller& caller, u32 fd, u32 lookup, u32 path, u32 size, u64 accessed, u64 modified,
                              u32 flags) {
  const Named name = named(caller, fd, right::path_filestat_set_times, path, size);
  if (name.failed()) return name.error;
  const Times times = times_of(accessed, modified, flags);
  if (times.error != Errno::success || lookup > kFollow) return Errno::inval;
  return error_of(
      names(caller).set_times(caller.call(), name.at, name.path, lookup == kFollow, times.accessed, times.modified));
}

Errno path_link(Caller& caller, u32 from_fd, u32 lookup, u32 from, u32 from_size, u32 to_fd, u32 to, u32 to_size) {
  const Named source = named(caller, from_fd, right::path_link_source, from, from_size);
  if (source.failed()) return source.error;
  const Named target = named(caller, to_fd, right::path_link_target, to, to_size);
  if (target.failed()) return target.error;
  if (lookup > kFollow) return Errno::inval;
  return error_of(names(caller).link(caller.call(), source.at, source.path, lookup == kFollow, target.at, target.path));
}

Errno path_open(Caller& caller, u32 fd, u32 lookup, u32 path, u32 size, u32 flags, u64 base, u64 inheriting,
                u32 fd_flags, u32 out) {
  const Opened open = opened(caller, fd, 0);
  const Named name = named(caller, open, path, size);
  if (name.failed()) return name.error;
  const vfs::Rights needed = rights_to_open(flags);
  if (open->rights_shrunk && (open->base & needed) != needed) return Errno::notcapable;
  if (!caller.memory.has(out, sizeof(u32))) return Errno::fault;
  if (const Errno error = check_open_flags(lookup, flags, fd_flags); error != Errno::success) return error;
  if ((base & ~open->inheriting) != 0) return Errno::notcapable;
  if (caller.fds().full()) return Errno::mfile;

  const bool writes = (base & right::fd_write) != 0;
  vfs::OpenRequest request;
  request.read = (base & right::fd_read) != 0 || !writes;
  request.write = writes;
  request.create = (flags & kCreate) != 0;
  request.exclusive = (flags & kExclusive) != 0;
  request.truncate = (flags & kTruncate) != 0;
  request.directory = (flags & kDirectory) != 0;
  request.follow = lookup == kFollow;
  request.flags = static_cast<vfs::FdFlags>(fd_flags);
  auto made = names(caller).open(caller.call(), name.at, name.path, request);
  if (!made) return made.error();

  vfs::Descriptor descriptor;
  descriptor.file = std::move(made->file);
  descriptor.path = std::move(made->path);
  descriptor.confined_to = std::move(made->confined_to);
  descriptor.base = base;
  descriptor.inheriting = inheriting & open->inheriting;
  descriptor.readable = request.read;
  descriptor.writable = request.write;
  const auto number = caller.fds().add(std::move(descriptor));
  if (!number) return number.error();
  caller.memory.store(out, *number);
  return Errno::success;
}

Errno path_readlink(Caller& caller, u32 fd, u32 path, u32 size, u32 at, u32 room, u32 out) {
  const Named name = named(caller, fd, right::path_readlink, path, size);
  if (name.failed()) return name.error;
  if (!caller.memory.has(at, room) || !caller.memory.has(out, sizeof(u32))) return Errno::fault;
  const auto target = names(caller).read_link(caller.call(), name.at, name.path);
  if (!target) return target.error();
  const std::string_view text = std::string_view(*target).substr(0, room);
  caller.memory.put(at, text);
  caller.memory.store(out, static_cast<u32>(text.size()));
  return Errno::success;
}

Errno path_remove_directory(Caller& caller, u32 fd, u32 path, u32 size) {
  const Named name = named(caller, fd, right::path_remove_directory, path, size);
  return name.failed() ? name.error : error_of(names(caller).remove_directory(caller.call(), name.at, name.path));
}

Errno path_rename(Caller& caller, u32 from_fd, u32 from, u32 from_size, u32 to_fd, u32 to, u32 to_size) {
  const Named source = named(caller, from_fd, right::path_rename_source, from, from_size);
  if (source.failed()) return source.error;
  const Named target = named(caller, to_fd, right::path_rename_target, to, to_size);
  if (target.failed()) return target.error;
  return error_of(names(caller).rename(caller.call(), source.at, source.path, target.at, target.path));
}

Errno path_symlink(Caller& caller, u32 target, u32 target_size, u32 fd, u32 path, u32 size) {
  const Named name = named(caller, fd, right::path_symlink, path, size);
  if (name.failed()) return name.error;
  if (!caller.memory.has(target, target_size)) return Errno::fault;
  return error_of(names(caller).symlink(caller.call(), caller.memory.text(target, target_size), name.at, name.path));
}

Errno path_unlink_file(Caller& caller, u32 fd, u32 path, u32 size) {
  const Named name = named(caller, fd, right::path_unlink_file, path, size);
  return name.failed() ? name.error : error_of(names(caller).unlink(caller.call(), name.at, name.path));
}

}  // namespace fusebox::wasi::calls
