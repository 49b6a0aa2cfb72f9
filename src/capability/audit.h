// The audit log: what was decided and done, in a chain nobody can edit unnoticed (contract capability.md section 13).
//
// append() only formats a record, into the queue of the processor it runs on; flush() merges the queues in the order of
// arrival, gives the records their places in the chain and writes them. So a record costs its caller well under a
// microsecond, one execution's records are one write, and threads do not wait for each other. Without a path the last
// 10000 records are kept in memory, and chained only when somebody asks for them or enough of them wait.
//
// Order    a record that was appended before another, in whichever threads, is before it in the chain.
// Durable  with a path, after flush() a record survives the end of the process, after close() or a rotation also a power cut.
// Owner    borrows the clock, which must outlive it.
// Threads  any thread, all calls. Several processes may write to one path.
// Errors   a file that cannot be written is no error of append(): records wait (1024), then are dropped and counted,
// and an
//          `audit_gap` tells how many as soon as writing works again. flush() and status() say why; admit() enforces
//          `deny`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"
#include "capability/audit_file.h"
#include "capability/audit_query.h"
#include "capability/audit_record.h"
#include "capability/audit_redact.h"
#include "capability/store_limits.h"
#include "policy/policy.h"

namespace fusebox::capability {

struct AuditOptions {
  std::filesystem::path path;  // empty = in memory
  std::uint64_t max_file_bytes = 64u << 20;
  std::uint64_t max_files = kAuditFilesMax;  // with the one being written; 2 at least: a new one continues another
  policy::OnAuditFailure on_failure = policy::OnAuditFailure::keep_going;
  std::vector<std::string> redact;           // header names, beside the ones that always are
  std::optional<base::Ed25519Key> sign_key;  // signs checkpoints
};
// From a policy: relative paths start at `base_dir`; reads the signing key. `invalid` or the file's error, naming the
// key file.
base::Result<AuditOptions> audit_options(const policy::AuditRules& rules, const std::filesystem::path& base_dir);

struct AuditStatus {
  bool failing = false;       // the last attempt to write failed
  std::string message;        // why
  std::uint64_t queued = 0;   // records not yet written
  std::uint64_t dropped = 0;  // since writing last worked
};

class AuditLog {
 public:
  AuditLog(AuditOptions options, const base::Clock& clock);  // the file is first opened by flush(), head() or admit()
  ~AuditLog();                                               // close()
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void append(const AuditRecord& record);
  // Returns when every record appended before is written. In memory there is nothing to write to: it chains what waits
  // once that is kAuditLazyRecords, and never waits for another thread that is at it.
  base::Result<void> flush();
  // Whether a new execution may start. `unavailable`, name AUDIT_UNAVAILABLE: only under `deny`, while writing fails.
  base::Result<void> admit();
  // Number and hash of the last record, for an outside copy that proves a cut tail (contract: audit_head()).
  base::Result<AuditHead> head();
  // Calls `sink` for every matching line, oldest first, unchanged.
  base::Result<void> query(const AuditFilter& filter, const AuditLineSink& sink);
  // Writes what waits, a checkpoint if anything came after the last one, and syncs. The log can go on afterwards.
  base::Result<void> close();

  AuditStatus status() const;
  const Redactor& redactor() const noexcept { return redactor_; }

 private:
  struct Arrival {
    PendingRecord record;
    std::uint64_t number = 0;  // from arrived_
  };
  struct Arrivals {
    std::vector<Arrival> records;  // kept when emptied, for the strings' memory
    std::size_t count = 0;
  };
  // Records of the threads that run on one processor.
  struct alignas(64) Queue {
    std::mutex mutex;
    Arrivals arrivals;  // guarded by mutex; numbers increase
  };
  struct Batch {
    std::vector<const Arrival*> records;  // into taken_
    std::size_t done = 0;
    std::size_t left() const noexcept { return records.size() - done; }
  };
  struct Dropped {
    std::uint64_t count = 0;
    base::Nanos first{0};
    base::Nanos last{0};
  };

  bool enqueue(const AuditRecord& record, base::Nanos wall, base::Nanos mono);  // false: the queues are full
  std::uint64_t waiting() const noexcept;                                       // records not yet written
  // The functions below need commit_mutex_.
  std::uint64_t take_batch();  // how many records or drops there are to write
  void take_arrivals();        // a new batch_, of everything that has arrived
  base::Result<void> commit();
  base::Result<void> open_file();  // locks it
  base::Result<void> chain_all(bool waited);
  base::Result<void> chain_batch();
  base::Result<void> chain_dropped();
  base::Result<void> chain_gap(const std::string& detail);
  PendingRecord gap_record(const std::string& detail) const;
  base::Result<void> chain(const PendingRecord& record);
  base::Result<void> chain_here(const PendingRecord& record);  // there is room; with the checkpoint that may be due
  base::Result<void> chain_checkpoint(base::Nanos wall, base::Nanos mono);
  base::Result<void> make_room(std::size_t bytes);  // in the file, rotating it if need be
  base::Result<void> rotate();
  void chain_line(const PendingRecord& record);
  base::Result<void> write_out();
  void publish(const base::Result<void>& result);

  const base::Clock& clock_;
  const std::filesystem::path path_;
  const std::uint64_t max_files_;
  const policy::OnAuditFailure on_failure_;
  const Redactor redactor_;
  const std::optional<base::Ed25519Key> sign_key_;
  std::string key_id_;

  std::mutex commit_mutex_;  // taken before a queue's mutex and before state_mutex_
  AuditFile file_;
  AuditChain chain_;
  std::array<Arrivals, kAuditQueues> taken_;  // what batch_ points to
  Batch batch_;
  std::size_t chained_ = 0;  // records of batch_ that are in out_ or written
  std::string out_;
  std::uint64_t since_checkpoint_ = 0;
  std::uint64_t torn_bytes_ = 0;
  std::vector<std::string> ring_;
  std::size_t ring_next_ = 0;
  bool opened_ = false;

  std::array<Queue, kAuditQueues> queues_;
  // Apart from everything else: every append() writes the first.
  alignas(64) std::atomic<std::uint64_t> arrived_ = 0;  // records appended
  std::atomic<std::uint64_t> left_ = 0;                 // those of them that wait no longer

  alignas(64) mutable std::mutex state_mutex_;
  Dropped dropped_;
  std::string failure_;
  std::atomic<bool> failing_ = false;
};

}  // namespace fusebox::capability
