#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/files.h"
#include "image/archive.h"
#include "image/layers/private_memory.h"

namespace fusebox::image {
namespace {

// One piece stays in the cache from its reading to its hashing.
constexpr std::size_t kPieceBytes = 256 * 1024;

base::Result<struct stat> stat_of(int fd) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return base::fail(base::errno_error("stat", errno));
  return about;
}

bool is_same(const struct stat& a, const struct stat& b) noexcept {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// Whether nobody can write the file or make it smaller any more: then a mapping of it is as good as a copy.
bool is_sealed(int fd) noexcept {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_WRITE) != 0 && (seals & F_SEAL_SHRINK) != 0;
}

base::Result<PrivateFile> map_sealed(int fd, std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return base::fail(base::errno_error("map", errno));
  PrivateFile file;
  file.content.owner = std::make_shared<Mapping>(at, bytes);
  file.content.bytes = base::ByteView(static_cast<const std::byte*>(at), bytes);
  file.digest = base::sha256(file.content.bytes);
  return file;
}

base::Result<std::size_t> read_some(int fd, std::span<std::byte> into, std::uint64_t offset) {
  while (true) {
    const ssize_t got = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return base::fail(base::errno_error("read", errno));
  }
}

base::Result<PrivateFile> copy(int fd, std::size_t bytes) {
  PrivateMemory memory;
  base::Sha256Stream hash;
  FB_CHECK(memory.room(bytes));
  while (memory.size() < bytes) {
    FB_TRY(const std::span<std::byte> room, memory.room(bytes - memory.size()));
    const std::size_t wanted = std::min(kPieceBytes, bytes - memory.size());
    FB_TRY(const std::size_t got, read_some(fd, room.first(wanted), memory.size()));
    if (got == 0) return bad_image("the file became shorter while it was read");
    hash.update(room.first(got));
    memory.add(got);
  }
  PrivateFile file;
  FB_TRY(file.content, std::move(memory).seal());
  file.digest = hash.finish();
  return file;
}

base::Result<PrivateFile> read_fd(int fd, std::uint64_t bytes_max) {
  FB_TRY(const struct stat before, stat_of(fd));
  if (!S_ISREG(before.st_mode)) return base::fail(base::Errc::invalid, "not a regular file");
  const auto bytes = static_cast<std::uint64_t>(before.st_size);
  if (bytes > bytes_max) {
    return too_large(std::to_string(bytes) + " bytes, an image may have " + std::to_string(bytes_max));
  }
  if (bytes > 0 && is_sealed(fd)) return map_sealed(fd, bytes);
  FB_TRY(PrivateFile file, copy(fd, bytes));
  FB_TRY(const struct stat after, stat_of(fd));
  if (!is_same(before, after)) return bad_image("the file changed while it was read");
  return file;
}

}  // namespace

base::Result<PrivateFile> read_private_fd(int fd, std::string_view name, std::uint64_t bytes_max) {
  return base::within(name, read_fd(fd, bytes_max));
}

base::Result<PrivateFile> read_private(const std::filesystem::path& path, std::uint64_t bytes_max) {
  // O_NONBLOCK: opening a named pipe must not wait for somebody to write.
  const base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return base::within(path.string(), base::Result<PrivateFile>(base::fail(base::errno_error("open", errno))));
  return read_private_fd(fd.get(), path.string(), bytes_max);
}

LayerBytes keep_bytes(base::Bytes bytes) {
  auto owner = std::make_shared<const base::Bytes>(std::move(bytes));
  const base::ByteView view = *owner;
  return LayerBytes{std::move(owner), view};
}

LayerBytes part_of(const LayerBytes& whole, base::ByteView bytes) {
  return LayerBytes{whole.owner, bytes};
}

}  // namespace fusebox::image
