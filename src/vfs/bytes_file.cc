#include "vfs/bytes_file.h"

#include <algorithm>
#include <cstring>

#include "base/mapped_file.h"

namespace fusebox::vfs {

namespace {

Io<std::size_t> copy(base::ByteView from, ReadBuffers to) noexcept {
  std::size_t done = 0;
  for (const std::span<std::byte> buffer : to) {
    const std::size_t size = std::min(buffer.size(), from.size() - done);
    if (size == 0) continue;
    std::memcpy(buffer.data(), from.data() + done, size);
    done += size;
  }
  if (base::MappedFile::lost(from.first(done))) return fail(Errno::io);  // its owner made the image's file shorter
  return done;
}

}  // namespace

Io<std::size_t> BytesFile::read(Call&, ReadBuffers to) {
  const Io<std::size_t> size = copy(bytes_.subspan(cursor_), to);
  if (size) cursor_ += *size;
  return size;
}

Io<std::size_t> BytesFile::read_at(Call&, ReadBuffers to, std::uint64_t offset) {
  return copy(bytes_.subspan(std::min<std::uint64_t>(offset, bytes_.size())), to);
}

Io<std::size_t> BytesFile::write_at(Call&, WriteBuffers, std::uint64_t) {
  return fail(Errno::badf);
}

Io<std::uint64_t> BytesFile::seek(std::int64_t offset, Whence whence) {
  const std::uint64_t size = bytes_.size();
  const std::uint64_t from = whence == Whence::set ? 0 : whence == Whence::current ? cursor_ : size;
  if (offset < 0) {
    const std::uint64_t back = ~static_cast<std::uint64_t>(offset) + 1;
    if (back > from) return fail(Errno::inval);
    cursor_ = from - back;
  } else {
    cursor_ = from + std::min(static_cast<std::uint64_t>(offset), size - from);
  }
  return cursor_;
}

Io<void> BytesFile::allocate(std::uint64_t, std::uint64_t) {
  return fail(Errno::rofs);
}
Io<void> BytesFile::set_size(std::uint64_t) {
  return fail(Errno::rofs);
}
Io<void> BytesFile::set_times(SetTime, SetTime) {
  return fail(Errno::rofs);
}

Readiness BytesFile::poll(Call&, bool for_writing) {
  return {.ready = true, .hangup = false, .bytes = for_writing ? 0 : bytes_.size() - cursor_, .error = Errno::success};
}

}  // namespace fusebox::vfs
