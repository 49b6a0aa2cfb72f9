#include "vfs/file.h"

namespace fusebox::vfs {

namespace {

// Of reads and writes that this kind of node has not.
Errno no_content(const File& file) noexcept {
  return file.type() == FileType::directory ? Errno::isdir : Errno::badf;
}
// Of places in a content that this kind of node has not.
Errno no_place(const File& file) noexcept {
  return file.type() == FileType::directory ? Errno::isdir : Errno::spipe;
}

}  // namespace

std::uint64_t inode_of(std::string_view absolute_path) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char byte : absolute_path) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash == 0 ? 1 : hash;
}

Io<void> File::set_flags(FdFlags flags) {
  if ((flags & ~static_cast<FdFlags>(FdFlag::nonblock)) != 0) return fail(Errno::notsup);
  flags_ = flags;
  return {};
}

Io<std::size_t> File::read(Call&, ReadBuffers) {
  return fail(no_content(*this));
}
Io<std::size_t> File::write(Call&, WriteBuffers) {
  return fail(no_content(*this));
}
Io<std::size_t> File::read_at(Call&, ReadBuffers, std::uint64_t) {
  return fail(no_place(*this));
}
Io<std::size_t> File::write_at(Call&, WriteBuffers, std::uint64_t) {
  return fail(no_place(*this));
}
Io<std::uint64_t> File::seek(std::int64_t, Whence) {
  return fail(no_place(*this));
}

Io<void> File::advise(std::uint64_t, std::uint64_t) {
  if (type() == FileType::regular) return {};
  return fail(type() == FileType::directory ? Errno::badf : Errno::spipe);
}

Io<void> File::allocate(std::uint64_t, std::uint64_t) {
  return fail(Errno::badf);
}
Io<void> File::set_size(std::uint64_t) {
  return fail(Errno::inval);
}
Io<void> File::set_times(SetTime, SetTime) {
  return fail(Errno::badf);
}
Io<void> File::sync(bool) {
  return {};
}
Io<void> File::list(Call&, std::uint64_t, DirSink&) {
  return fail(Errno::notdir);
}
Readiness File::poll(Call&, bool) {
  return {.ready = true, .hangup = false, .bytes = 0, .error = Errno::success};
}

Io<std::unique_ptr<File>> File::accept(Call&, FdFlags) {
  return fail(Errno::notsock);
}
Io<Received> File::receive(Call&, ReadBuffers, RecvFlags) {
  return fail(Errno::notsock);
}
Io<std::size_t> File::send(Call&, WriteBuffers) {
  return fail(Errno::notsock);
}
Io<void> File::shutdown(Call&, bool, bool) {
  return fail(Errno::notsock);
}
Io<Stat> File::stat_waiting(Call&) {
  return stat();
}
Io<std::uint64_t> File::seek_waiting(Call&, std::int64_t offset, Whence whence) {
  return seek(offset, whence);
}
Io<void> File::set_size_waiting(Call&, std::uint64_t size) {
  return set_size(size);
}
Io<void> File::set_times_waiting(Call&, SetTime accessed, SetTime modified) {
  return set_times(accessed, modified);
}
Io<void> File::close(Call&) {
  return {};
}

}  // namespace fusebox::vfs
