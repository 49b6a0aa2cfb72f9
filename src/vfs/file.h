// What is behind an open descriptor: one interface for files, directories, devices, pipes, sockets and text nodes.
//
// Each successful open makes one File with its own cursor and flags (WASI has no dup). The defaults are those of the
// contract for a node that cannot do it: streams answer SPIPE to seeks, only sockets answer socket calls, and so on.
// Rights and access mode (read, write) are checked by whoever holds the descriptor, before a File is asked.
//
// Owner    the descriptor table owns its Files; a File keeps what it needs of its mount alive.
// Threads  one at a time: its container's. What several Files share (a pipe, a ring) locks itself.
// Errors   Errno; would_block as vfs/wait.h says, never when call.nonblocking (then `again`).
// Contract containers.md 7.3-7.5, 15.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "vfs/errno.h"
#include "vfs/wait.h"

namespace fusebox::vfs {

enum class FileType : std::uint8_t {  // numbers of preview1
  unknown = 0,
  block = 1,
  character = 2,
  directory = 3,
  regular = 4,
  socket_datagram = 5,
  socket_stream = 6,
  symlink = 7,
};

enum class FdFlag : std::uint16_t { append = 1, dsync = 2, nonblock = 4, rsync = 8, sync = 16 };
using FdFlags = std::uint16_t;  // FdFlag bits
constexpr bool has(FdFlags flags, FdFlag flag) noexcept {
  return (flags & static_cast<std::uint16_t>(flag)) != 0;
}

struct Stat {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  FileType type = FileType::unknown;
  std::uint64_t links = 1;
  std::uint64_t size = 0;
  std::uint64_t accessed_ns = 0;
  std::uint64_t modified_ns = 0;
  std::uint64_t changed_ns = 0;
};
// Contract 7.4: the four ASCII bytes, in memory order, in the low 32 bits.
constexpr std::uint64_t device_code(const char (&four)[5]) noexcept {
  std::uint64_t code = 0;
  for (int i = 3; i >= 0; --i) code = code << 8 | static_cast<unsigned char>(four[i]);
  return code;
}
// Stable, never zero: of virtual nodes, from their absolute path (contract 7.3).
std::uint64_t inode_of(std::string_view absolute_path) noexcept;

// One timestamp of set_times().
struct SetTime {
  enum class How : std::uint8_t { keep, now, at } how = How::keep;
  std::uint64_t ns = 0;
};

// The surroundings of one call of a guest. Its maker resets it before each new call, not before the retries of one.
struct Call {
  const base::Clock& clock;
  WaitSet& waits;
  bool nonblocking = false;    // the descriptor's NONBLOCK flag
  base::Nanos first_asked{0};  // monotonic; 0 until an operation with a time-out of its own sets it
  std::string redirect;        // with Errno::redirect: an absolute path of the namespace
  // The monotonic time at which this call was first asked.
  base::Nanos since() {
    if (first_asked.count() == 0) first_asked = clock.monotonic();
    return first_asked;
  }
};

// Takes the entries of a directory, in order. False: no room for this one (it was not taken, or only in part).
class DirSink {
 public:
  struct Entry {
    std::string_view name;
    FileType type = FileType::unknown;
    std::uint64_t inode = 0;
    std::uint64_t next = 0;  // the cookie after this entry
  };
  virtual bool add(const Entry& entry) = 0;

 protected:
  ~DirSink() = default;
};

enum class Whence : std::uint8_t { set = 0, current = 1, end = 2 };  // numbers of snapshot_preview1

struct Readiness {
  bool ready = false;
  bool hangup = false;
  std::uint64_t bytes = 0;  // readable, where known
  Errno error = Errno::success;
};

using ReadBuffers = std::span<const std::span<std::byte>>;
using WriteBuffers = std::span<const std::span<const std::byte>>;

// What recv took.
struct Received {
  std::size_t bytes = 0;
  bool truncated = false;
};
struct RecvFlags {
  bool peek = false;
  bool wait_all = false;
};

class File {
 public:
  virtual ~File() = default;
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  virtual FileType type() const noexcept = 0;
  virtual Io<Stat> stat() = 0;
  FdFlags flags() const noexcept { return flags_; }
  // Flags beyond NONBLOCK: `notsup` unless a File takes them.
  virtual Io<void> set_flags(FdFlags flags);

  // At the cursor. Several buffers act as one operation. Zero bytes never get here.
  virtual Io<std::size_t> read(Call& call, ReadBuffers to);                               // default: isdir or badf
  virtual Io<std::size_t> write(Call& call, WriteBuffers from);                           // the same
  virtual Io<std::size_t> read_at(Call& call, ReadBuffers to, std::uint64_t offset);      // default: spipe
  virtual Io<std::size_t> write_at(Call& call, WriteBuffers from, std::uint64_t offset);  // default: spipe
  virtual Io<std::uint64_t> seek(std::int64_t offset, Whence whence);                     // default: spipe
  virtual Io<void> advise(std::uint64_t offset, std::uint64_t length);    // default: by type, contract 15.2 row 7
  virtual Io<void> allocate(std::uint64_t offset, std::uint64_t length);  // default: badf
  virtual Io<void> set_size(std::uint64_t size);                          // default: inval
  virtual Io<void> set_times(SetTime accessed, SetTime modified);         // default: badf
  virtual Io<void> sync(bool data_only);                                  // default: success
  // Entries after `cookie` until the sink is full or none is left. Entries exclude "." and "..".
  virtual Io<void> list(Call& call, std::uint64_t cookie, DirSink& sink);  // default: notdir
  // Adds to call.waits what would change the answer when it is not ready.
  virtual Readiness poll(Call& call, bool for_writing);  // default: ready

  // Sockets; default: notsock.
  virtual Io<std::unique_ptr<File>> accept(Call& call, FdFlags flags);
  virtual Io<Received> receive(Call& call, ReadBuffers to, RecvFlags flags);
  virtual Io<std::size_t> send(Call& call, WriteBuffers from);
  virtual Io<void> shutdown(Call& call, bool reading, bool writing);

  // Of Files that must ask somebody else first (9p): may answer would_block. Default: the plain ones.
  virtual Io<Stat> stat_waiting(Call& call);
  virtual Io<std::uint64_t> seek_waiting(Call& call, std::int64_t offset, Whence whence);
  virtual Io<void> set_size_waiting(Call& call, std::uint64_t size);
  virtual Io<void> set_times_waiting(Call& call, SetTime accessed, SetTime modified);

  // Ends the use with an answer (installs report here). Called at most once; the destructor ends it silently.
  virtual Io<void> close(Call& call);

 protected:
  explicit File(FdFlags flags) noexcept : flags_(flags) {}
  FdFlags flags_ = 0;
};

}  // namespace fusebox::vfs
