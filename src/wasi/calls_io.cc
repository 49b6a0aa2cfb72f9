// Reading and writing: contents of files, entries of directories.
#include <algorithm>
#include <array>
#include <limits>

#include "wasi/calls.h"
#include "wasi/opened.h"
#include "wasi/vectors.h"

namespace fusebox::wasi::calls {
namespace {

namespace right = vfs::right;
using vfs::FileType;

constexpr u64 kOffsetMax = static_cast<u64>(std::numeric_limits<i64>::max());

enum class Way : std::uint8_t { in, out };

Errno check_way(const Opened& open, Way way) noexcept {
  if (open.file().type() == FileType::directory) return Errno::isdir;
  return (way == Way::in ? open->readable : open->writable) ? Errno::success : Errno::badf;
}

// Everything four calls have in common: `act` moves the bytes.
template <Way W, class Byte, class Act>
inline Errno transfer(Caller& caller, u32 fd, vfs::Rights needed, u32 at, u32 count, u32 out, Act act) {
  const Opened open = opened(caller, fd, needed);
  if (open.failed()) [[unlikely]]
    return open.error;
  if (const Errno error = check_way(open, W); error != Errno::success) [[unlikely]]
    return error;
  if (!caller.memory.has(out, sizeof(u32))) return Errno::fault;
  Vectors<Byte> vectors;
  if (const Errno error = vectors.read(caller.memory, at, count); error != Errno::success) [[unlikely]]
    return error;
  u32 moved = 0;
  if (vectors.bytes() != 0) {
    const vfs::Io<std::size_t> done = act(open.file(), caller.call_on(open.file()), vectors.list());
    if (!done) return done.error();
    moved = static_cast<u32>(*done);
  }
  caller.memory.store(out, moved);
  return Errno::success;
}

// Puts entries into the guest's buffer, the last one as far as it fits.
class EntrySink final : public vfs::DirSink {
 public:
  EntrySink(const Memory& memory, u32 at, u32 size) noexcept : memory_(memory), at_(at), left_(size) {}

  bool add(const Entry& entry) override {
    std::array<std::byte, kDirentBytes> raw{};
    const Memory head(raw);
    head.store(0, entry.next);
    head.store(8, entry.inode);
    head.store(16, static_cast<u32>(entry.name.size()));
    head.store(20, static_cast<std::uint8_t>(entry.type));
    return put(base::as_text(raw)) && put(entry.name);
  }
  u32 used(u32 size) const noexcept { return size - left_; }

 private:
  bool put(std::string_view text) noexcept {
    const auto n = static_cast<u32>(std::min<std::size_t>(text.size(), left_));
    memory_.put(at_, text.substr(0, n));
    at_ += n;
    left_ -= n;
    return n == text.size();
  }
  const Memory& memory_;
  u32 at_;
  u32 left_;
};

}  // namespace

Errno fd_read(Caller& caller, u32 fd, u32 vectors, u32 count, u32 out) {
  return transfer<Way::in, std::byte>(
      caller, fd, right::fd_read, vectors, count, out,
      [](vfs::File& file, vfs::Call& call, vfs::ReadBuffers to) { return file.read(call, to); });
}

Errno fd_write(Caller& caller, u32 fd, u32 vectors, u32 count, u32 out) {
  return transfer<Way::out, const std::byte>(
      caller, fd, right::fd_write, vectors, count, out,
      [](vfs::File& file, vfs::Call& call, vfs::WriteBuffers from) { return file.write(call, from); });
}

Errno fd_pread(Caller& caller, u32 fd, u32 vectors, u32 count, u64 offset, u32 out) {
  return transfer<Way::in, std::byte>(
      caller, fd, right::fd_read, vectors, count, out,
      [&](vfs::File& file, vfs::Call& call, vfs::ReadBuffers to) -> vfs::Io<std::size_t> {
        if (offset > kOffsetMax) return vfs::fail(Errno::inval);
        return file.read_at(call, to, offset);
      });
}

Errno fd_pwrite(Caller& caller, u32 fd, u32 vectors, u32 count, u64 offset, u32 out) {
  return transfer<Way::out, const std::byte>(
      caller, fd, right::fd_write, vectors, count, out,
      [&](vfs::File& file, vfs::Call& call, vfs::WriteBuffers from) -> vfs::Io<std::size_t> {
        if (offset > kOffsetMax) return vfs::fail(Errno::inval);
        return file.write_at(call, from, offset);
      });
}

Errno fd_readdir(Caller& caller, u32 fd, u32 at, u32 size, u64 cookie, u32 out) {
  const Opened open = opened(caller, fd, right::fd_readdir);
  if (open.failed()) return open.error;
  if (open.file().type() != FileType::directory) return Errno::notdir;
  if (!caller.memory.has(at, size) || !caller.memory.has(out, sizeof(u32))) return Errno::fault;
  EntrySink sink(caller.memory, at, size);
  if (const auto done = open.file().list(caller.call_on(open.file()), cookie, sink); !done) return done.error();
  caller.memory.store(out, sink.used(size));
  return Errno::success;
}

}  // namespace fusebox::wasi::calls
