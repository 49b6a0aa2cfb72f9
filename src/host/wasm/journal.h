// What must be known of environments and snapshots after a crash: one file of lines, each true on its own.
//
// A line is appended before its call answers, by one write without fsync: it survives the end of the process, not that of
// the machine. After a power cut a record may be missing; the control plane's store is what counts then, and an
// environment that is missing here is reported as missing. A line that was torn is left out, and one that failed (a full
// disk) is taken back. The file is written anew at every start, and when most of it is history.
//
// Owner    the file; locked, so that two processes cannot share a state folder.
// Threads  one thread.
// Errors   `unavailable`: another process has the folder; `io`; `exhausted`.
// Format   "<8 hex FNV-1a of the rest> <kind>\t<field>\t..." with %09, %0A, %0D, %25 escaped
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"

namespace fusebox::host {

// Which image, and what it is run with.
struct KeptSpec {
  std::string image, version, digest;  // resolved name, its version, SHA-256 of the stored form
  std::int64_t cpus = 0, memory_mb = 0, storage_gb = 0;
  std::string egress;  // as text, see egress_map.h; "" = none given
};
struct KeptEnvironment {
  std::string id, op_id, fleet_id;
  std::uint64_t generation = 0;
  KeptSpec spec;
  std::uint64_t upper = 0;
  std::vector<std::uint64_t> chain;
};
struct KeptSnapshot {
  std::string id, op_id, comment, created_at, origin, digest, source_peer;
  std::uint64_t size_bytes = 0;
  KeptSpec spec;
  std::vector<std::uint64_t> chain;
};
struct KeptTombstone {
  std::uint64_t generation = 0;
  base::Nanos at{0};  // wall
};
struct KeptState {
  std::map<std::string, KeptEnvironment> environments;
  std::vector<KeptSnapshot> snapshots;  // oldest first
  std::map<std::string, KeptTombstone> tombstones;
};

class Journal {
 public:
  // Reads what is there into `state`.
  static base::Result<std::unique_ptr<Journal>> open(std::filesystem::path folder, KeptState& state);

  base::Result<void> put(const KeptEnvironment& environment);
  base::Result<void> put(const KeptSnapshot& snapshot);
  base::Result<void> gone(const std::string& id, const KeptTombstone& tombstone);
  base::Result<void> snapshot_gone(const std::string& id);

  bool is_mostly_history(std::size_t live) const noexcept { return lines_ > kHistoryMin && lines_ / 4 > live; }
  base::Result<void> rewrite(const KeptState& state);

 private:
  static constexpr std::size_t kHistoryMin = 65'536;  // some 10 MB: below it nobody minds
  Journal(std::filesystem::path path, base::Fd lock) noexcept : path_(std::move(path)), lock_(std::move(lock)) {}
  base::Result<void> append(const std::string& line);
  base::Result<void> cut();

  const std::filesystem::path path_;
  base::Fd lock_;
  base::Fd file_;
  std::uint64_t bytes_ = 0;  // of whole lines
  std::size_t lines_ = 0;
  bool torn_ = false;  // a part of a line comes after them
};

}  // namespace fusebox::host
