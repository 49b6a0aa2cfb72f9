// The file behind an audit log: one chain of lines that several processes may continue, cut into files by size.
//
// `path` is the file being written; when it is full it is renamed to `path.<20 digits>` (number of its last record) and
// a new file continues the chain. A writer holds an flock on the file for one batch, and looks at the tail again
// whenever the file is not as it left it.
//
// Owner    owns its descriptor.
// Threads  one thread at a time; any number of AuditFiles, in any number of processes, on one path.
// Errors   `corrupt`: the tail is not an audit log's, or does not verify; it is left as it is. `io`, `exhausted` from
// the system. Format   docs/formats/audit-log.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "capability/audit_record.h"

namespace fusebox::capability {

class AuditFile {
 public:
  AuditFile(std::filesystem::path path, std::uint64_t bytes_max) : path_(std::move(path)), bytes_max_(bytes_max) {}

  // Locks the file against other writers and puts `chain` where the file's chain stands.
  base::Result<void> lock(AuditChain& chain);
  void unlock() noexcept;

  // Bytes that a crash left behind the last whole line and that lock() cut off; asking resets it.
  std::uint64_t take_torn_bytes() noexcept { return std::exchange(torn_bytes_, 0); }
  // Whether `line` bytes after `waiting` ones make the file larger than a file may be. An empty file takes any line.
  bool full_with(std::uint64_t waiting, std::uint64_t line) const noexcept {
    return size_ + waiting != 0 && size_ + waiting + line > bytes_max_;
  }

  // Needs the lock. All of `lines` or, as far as the system lets us take it back, nothing. After a failure the chain
  // must be fetched again with lock().
  base::Result<void> append(std::string_view lines);
  // The oldest rotated files that leave no room for one more under `max_files`. Needs the lock.
  struct Surplus {
    std::vector<std::filesystem::path> files;
    std::uint64_t through_seq = 0;  // number of their last record
  };
  base::Result<Surplus> surplus(std::uint64_t max_files) const;
  // A file that cannot be removed stays; the next rotation finds it again. A log that stopped for it would lose more.
  static void remove(const Surplus& surplus) noexcept;
  // Needs the lock, and still has it afterwards, on the new file.
  base::Result<void> rotate(AuditChain& chain);
  base::Result<void> sync();

 private:
  base::Result<void> open_and_lock();
  base::Result<bool> is_current() const;  // whether path_ still names the locked file
  base::Result<void> load_tail(AuditChain& chain);
  base::Result<std::uint64_t> cut_torn_tail(std::string_view window, std::uint64_t file_bytes);

  std::filesystem::path path_;
  std::uint64_t bytes_max_;
  base::Fd fd_;
  bool locked_ = false;
  bool known_ = false;  // size_ and the caller's chain are those of the file
  std::uint64_t size_ = 0;
  std::uint64_t torn_bytes_ = 0;
};

// The files of the log at `path` in chain order: rotated ones, then `path` itself if it exists.
base::Result<std::vector<std::filesystem::path>> audit_series(const std::filesystem::path& path);

// The last whole record of a file: its head and time. seq 0 when the file holds no line.
struct AuditTail {
  AuditHead head;
  base::Nanos wall{0};
};
// `window` is the end of a file, cut behind its last line end; `whole` says that it is the whole file. Verifies every
// whole line in it and that they follow each other.
base::Result<AuditTail> verify_tail(std::string_view window, bool whole);

}  // namespace fusebox::capability
