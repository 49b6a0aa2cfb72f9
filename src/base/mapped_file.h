// A whole file in memory, read-only, that stays readable when somebody makes the file shorter.
//
// A file of a user is that user's to truncate, also while it is mapped here; the kernel then answers a read of what is
// gone with SIGBUS. Small files are copied instead. For the others a handler of that signal puts zeros in the place of the
// lost pages, the reader goes on, and lost() says afterwards that what it read is worth nothing. A copy costs nothing more
// than before: no call into the kernel, and one load of a counter for the question.
//
// What it does not see: bytes that were changed in place, and the rest of the last page of a file made shorter, which the
// kernel fills with zeros itself. Whoever must know asks for the digest.
//
// Owner    the shared_ptr; views into bytes() end with it.
// Threads  any. The handler belongs to the process, as signals do: it is there from the first mapping on, is chained
//          before the one it found, and treats faults elsewhere as they were treated before.
// Errors   `io` and the like where the file cannot be read; `corrupt` when it becomes shorter while it is copied.
#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::base {

class MappedFile {
 public:
  static constexpr std::size_t kCopyBytesMax =
      64 * 1024;                                     // up to this a copy costs no more than a mapping's page faults
  static constexpr std::size_t kMappingsMax = 4096;  // at a time; the handler looks through all. More are copied

  // The first `bytes` of `fd`, which may be closed afterwards.
  static Result<std::shared_ptr<const MappedFile>> map(int fd, std::size_t bytes);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  ByteView bytes() const noexcept { return bytes_; }
  // Whether some of these bytes were gone when they were read, by whatever mapping they are of. Ask after reading.
  static bool lost(ByteView bytes) noexcept;

 private:
  MappedFile(ByteView bytes, std::size_t slot, Bytes copy) noexcept
      : bytes_(bytes), slot_(slot), copy_(std::move(copy)) {}
  ByteView bytes_;
  std::size_t slot_;  // kMappingsMax: a copy
  Bytes copy_;
};

}  // namespace fusebox::base
