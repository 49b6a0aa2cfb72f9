#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "vfs/folder/host_root.h"

namespace fusebox::vfs {

namespace {

constexpr std::size_t kBuffersAtOnce = 64;  // of one call to the host; the rest is a short read or write
constexpr std::uint64_t kOffsetMax = std::numeric_limits<off_t>::max();
constexpr off_t kAtCursor = -1;  // of pwritev2

// The host's form of at most `bytes_max` bytes of the buffers.
template <class Buffers>
class IoVectors {
 public:
  explicit IoVectors(Buffers buffers, std::uint64_t bytes_max = std::numeric_limits<std::uint64_t>::max()) noexcept {
    for (const auto& buffer : buffers) {
      if (count_ == kBuffersAtOnce || bytes_max == 0) break;
      const std::size_t size = std::min<std::uint64_t>(buffer.size(), bytes_max);
      bytes_max -= size;
      vectors_[count_++] = {const_cast<std::byte*>(buffer.data()), size};
    }
  }
  const iovec* data() const noexcept { return vectors_.data(); }
  int count() const noexcept { return static_cast<int>(count_); }
  std::uint64_t bytes() const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count_; ++i) sum += vectors_[i].iov_len;
    return sum;
  }

 private:
  std::array<iovec, kBuffersAtOnce> vectors_;
  std::size_t count_ = 0;
};

template <class Operation>
Io<std::size_t> transferred(Operation operation) {
  while (true) {
    const ssize_t done = operation();
    if (done >= 0) return static_cast<std::size_t>(done);
    if (errno != EINTR) return fail(host_error(errno));
  }
}

Io<void> answer_of(int result) {
  if (result != 0) return fail(host_error(errno));
  return {};
}

class HostFile final : public File {
 public:
  HostFile(std::shared_ptr<const HostRoot> root, base::Fd fd, const struct stat& info, FdFlags flags)
      : File(flags), root_(std::move(root)), fd_(std::move(fd)) {
    if (ledger() != nullptr) ledger()->opened(info, fd_.get());
  }
  ~HostFile() override {
    if (ledger() == nullptr) return;
    const auto lock = root_->lock();
    if (struct stat info{}; ::fstat(fd_.get(), &info) == 0) ledger()->closed(info, fd_.get());
    fd_ = base::Fd();
  }

  FileType type() const noexcept override { return FileType::regular; }

  Io<Stat> stat() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return fail(host_error(errno));
    return root_->stat_of(info);
  }

  Io<void> set_flags(FdFlags flags) override {
    constexpr FdFlags kAll = 31;
    if ((flags & ~kAll) != 0) return fail(Errno::notsup);
    flags_ = flags;
    return {};
  }

  Io<std::size_t> read(Call&, ReadBuffers to) override {
    const IoVectors vectors(to);
    return transferred([&] { return ::readv(fd_.get(), vectors.data(), vectors.count()); });
  }

  Io<std::size_t> read_at(Call&, ReadBuffers to, std::uint64_t offset) override {
    if (offset > kOffsetMax) return fail(Errno::inval);
    const IoVectors vectors(to);
    return transferred(
        [&] { return ::preadv(fd_.get(), vectors.data(), vectors.count(), static_cast<off_t>(offset)); });
  }

  Io<std::size_t> write(Call&, WriteBuffers from) override { return write_from(from, std::nullopt); }

  Io<std::size_t> write_at(Call&, WriteBuffers from, std::uint64_t offset) override {
    if (offset > kOffsetMax) return fail(Errno::inval);
    return write_from(from, offset);
  }

  Io<std::uint64_t> seek(std::int64_t offset, Whence whence) override {
    const int host_whence = whence == Whence::set ? SEEK_SET : whence == Whence::current ? SEEK_CUR : SEEK_END;
    const off_t at = ::lseek(fd_.get(), offset, host_whence);
    if (at < 0) return fail(host_error(errno));
    return static_cast<std::uint64_t>(at);
  }

  Io<void> allocate(std::uint64_t offset, std::uint64_t length) override {
    if (root_->options.read_only) return fail(Errno::rofs);
    if (length == 0) return fail(Errno::inval);
    if (offset > kOffsetMax || length > kOffsetMax - offset) return fail(Errno::fbig);
    return resize_to(offset + length, false,
                     [&] { return ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(length)); });
  }

  Io<void> set_size(std::uint64_t size) override {
    if (root_->options.read_only) return fail(Errno::rofs);
    if (size > kOffsetMax) return fail(Errno::inval);
    return resize_to(size, true, [&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); });
  }

  Io<void> set_times(SetTime accessed, SetTime modified) override {
    if (root_->options.read_only) return fail(Errno::rofs);
    const struct timespec times[2] = {host_time(accessed), host_time(modified)};
    return answer_of(::futimens(fd_.get(), times));
  }

  Io<void> sync(bool data_only) override { return answer_of(data_only ? ::fdatasync(fd_.get()) : ::fsync(fd_.get())); }

 private:
  Ledger* ledger() const noexcept { return root_->options.ledger.get(); }

  // Flags live here and not at the host, where most of them cannot be changed after the open.
  int write_flags() const noexcept {
    int flags = 0;
    if (has(flags_, FdFlag::append)) flags |= RWF_APPEND;
    if (has(flags_, FdFlag::dsync)) flags |= RWF_DSYNC;
    if (has(flags_, FdFlag::sync)) flags |= RWF_SYNC;
    return flags;
  }

  Io<std::size_t> write_host(const IoVectors<WriteBuffers>& vectors, std::optional<std::uint64_t> offset) {
    const off_t at = offset ? static_cast<off_t>(*offset) : kAtCursor;
    return transferred([&] { return ::pwritev2(fd_.get(), vectors.data(), vectors.count(), at, write_flags()); });
  }

  // Where a write begins; the cursor's place is asked of the host.
  Io<std::uint64_t> write_start(const struct stat& info, std::optional<std::uint64_t> offset) const {
    if (has(flags_, FdFlag::append)) return static_cast<std::uint64_t>(info.st_size);
    if (offset) return *offset;
    const off_t at = ::lseek(fd_.get(), 0, SEEK_CUR);
    if (at < 0) return fail(host_error(errno));
    return static_cast<std::uint64_t>(at);
  }

  // With a quota what fits is written, and `dquot` is the answer when that is nothing.
  Io<std::size_t> write_from(WriteBuffers from, std::optional<std::uint64_t> offset) {
    if (ledger() == nullptr) return write_host(IoVectors(from), offset);
    const auto lock = root_->lock();
    struct stat before{};
    if (::fstat(fd_.get(), &before) != 0) return fail(host_error(errno));
    const auto start = write_start(before, offset);
    if (!start) return fail(start.error());
    const std::uint64_t size = static_cast<std::uint64_t>(before.st_size);
    const std::uint64_t room = ledger()->room(root_->options.bytes_max);
    const std::uint64_t end_max = room > kOffsetMax - size ? kOffsetMax : size + room;
    if (*start >= end_max) return fail(Errno::dquot);
    const auto written = write_host(IoVectors(from, end_max - *start), offset);
    note_size(size);
    return written;
  }

  template <class Operation>
  Io<void> resize_to(std::uint64_t size, bool may_shrink, Operation operation) {
    if (ledger() == nullptr) return answer_of(operation());
    const auto lock = root_->lock();
    struct stat before{};
    if (::fstat(fd_.get(), &before) != 0) return fail(host_error(errno));
    const std::uint64_t old_size = static_cast<std::uint64_t>(before.st_size);
    if (size > old_size && size - old_size > ledger()->room(root_->options.bytes_max)) return fail(Errno::dquot);
    const auto done = answer_of(operation());
    if (may_shrink || size > old_size) note_size(old_size);
    return done;
  }

  void note_size(std::uint64_t old_size) noexcept {
    struct stat now{};
    if (::fstat(fd_.get(), &now) == 0) ledger()->resized(old_size, static_cast<std::uint64_t>(now.st_size));
  }

  std::shared_ptr<const HostRoot> root_;
  base::Fd fd_;
};

}  // namespace

std::unique_ptr<File> make_host_file(std::shared_ptr<const HostRoot> root, base::Fd fd, const struct stat& info,
                                     FdFlags flags) {
  return std::make_unique<HostFile>(std::move(root), std::move(fd), info, flags);
}

}  // namespace fusebox::vfs
