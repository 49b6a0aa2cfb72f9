// What a volume holds, so that a quota can be kept exactly: bytes of its files and link targets, and its names.
//
// Every change of any mount of the volume happens under the ledger's lock: look, decide, change, write down. Sparse files
// count with their whole length. A file that is removed while it is open counts until its last close. Without a quota
// nobody asks what the volume holds: it is measured when the first mount with one comes, while the others write on.
//
// Owner    shared by the mounts and open files of one volume.
// Threads  any; everything but the lock itself and measure() only with the lock held.
// Errors   measure(): `io`, `corrupt` when somebody else changes the folder meanwhile, `stopped`.
// Contract containers.md 5.3, 12.3
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/result.h"

namespace fusebox::vfs {

// A name costs disk space that no file's length shows. A volume of n bytes may hold this many.
inline constexpr std::uint64_t kNamesFree = 1024;     // also the smallest volume has room for a program's files
inline constexpr std::uint64_t kBytesPerName = 1024;  // small files: a quarter of a usual disk block
constexpr std::uint64_t names_max(std::uint64_t bytes_max) noexcept {
  return kNamesFree + bytes_max / kBytesPerName;
}

class Ledger {
 public:
  // Whether whoever waits for the end of a measurement no longer wants it.
  using Stopped = std::function<bool()>;
  // Counts what the folder holds, unless that is known already.
  base::Result<void> measure(int directory, const Stopped& stopped = {});

  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

  std::uint64_t bytes() const noexcept { return bytes_; }
  std::uint64_t names() const noexcept { return names_; }
  // How much a file may grow. No limit: as much as there is.
  std::uint64_t room(std::optional<std::uint64_t> bytes_max) const noexcept;
  bool has_room_for_name(std::optional<std::uint64_t> bytes_max) const noexcept;

  void resized(std::uint64_t from, std::uint64_t to) noexcept;
  void name_added() noexcept;
  // A name is gone. `before` is what it was, looked at just before.
  void name_removed(const struct stat& before) noexcept;
  // `fd` is lent until closed().
  void opened(const struct stat& file, int fd);
  void closed(const struct stat& file, int fd) noexcept;

 private:
  struct Id {
    dev_t device;
    ino_t inode;
    auto operator<=>(const Id&) const = default;
  };
  struct Counted {
    std::uint64_t bytes = 0;
    std::uint64_t names = 0;
  };
  static base::Result<Counted> count(int directory, const Stopped& stopped);
  void take(const Counted& counted);
  void release(std::uint64_t bytes) noexcept { bytes_ -= bytes < bytes_ ? bytes : bytes_; }

  std::mutex mutex_;
  bool measured_ = false;
  std::uint64_t changes_ = 0;  // so far: whoever measures sees that it was disturbed
  std::uint64_t bytes_ = 0;    // until measured_ without meaning, as names_
  std::uint64_t names_ = 0;
  std::multimap<Id, int> open_;  // the descriptors of each file that is open
};

}  // namespace fusebox::vfs
