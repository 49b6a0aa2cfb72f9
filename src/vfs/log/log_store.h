// What containers wrote to their logs: one ring per instance name, kept across runs.
//
// At most `rings_max` rings; the least recently used (appended or read) makes room for a new name. Reading takes nothing
// out.
//
// Threads  any.
// Contract containers.md 13, 12.2
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/device/device_tree.h"
#include "vfs/mount.h"

namespace fusebox::vfs {

struct LogStoreOptions {
  std::uint32_t rings_max = 3;      // max_wapps
  std::uint32_t ring_bytes = 2048;  // system.limits.logBytes
  std::uint32_t name_bytes = 14;    // system.limits.nameBytes: longer names are NAMETOOLONG in mounts
};

class LogStore {
 public:
  explicit LogStore(const LogStoreOptions& options);
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Keeps the newest `ring_bytes` (limits.logBytes; 0 = the store's). Several buffers land in one piece.
  void append(std::string_view name, WriteBuffers pieces, std::uint32_t ring_bytes = 0);
  bool exists(std::string_view name) const;
  // Oldest byte first; nothing when there is no ring of that name.
  std::optional<std::string> read(std::string_view name);

  // What came after byte `from` of all that was ever appended to the ring (0 = what is there), for followers.
  struct Tail {
    std::string bytes;
    std::uint64_t next = 0;  // where to go on
    bool lost = false;       // bytes between `from` and these have left the ring
  };
  std::optional<Tail> tail(std::string_view name, std::uint64_t from);
  // Changes with every append to any ring.
  const std::shared_ptr<WakeList>& changes() const noexcept { return changes_; }
  const LogStoreOptions& options() const noexcept { return options_; }

  struct Listed {
    std::string name;
    std::uint64_t sequence = 0;  // ascending with creation: stable cookies
  };
  std::vector<Listed> list(std::uint64_t after) const;

 private:
  struct Ring;
  using Rings = std::list<Ring>;
  Ring* use(std::string_view name);  // now the most recently used; null when there is none
  Ring& make(std::string_view name);

  LogStoreOptions options_;
  std::shared_ptr<WakeList> changes_;
  mutable std::mutex mutex_;
  Rings rings_;                                                // guarded by mutex_; most recently used first
  std::map<std::string, Rings::iterator, std::less<>> index_;  // guarded by mutex_
  std::uint64_t sequence_ = 0;                                 // guarded by mutex_
};

// Mount `log` at `path`; `scope`: the one name it shows, "" = all (option `name=`).
std::shared_ptr<Mount> make_log_mount(std::shared_ptr<LogStore> store, std::string path, std::string scope);
// /dev/log: appends to the ring of `instance`; `ring_bytes` as in append().
Device log_device(std::shared_ptr<LogStore> store, std::string instance, std::uint32_t ring_bytes = 0);

}  // namespace fusebox::vfs
