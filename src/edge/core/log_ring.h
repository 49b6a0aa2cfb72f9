// The security log in the host's memory, and the evidence log that guests can neither write nor evict.
//
// Owner    the log memory stays the host's, in any alignment; origins and evidence lie in the pool.
// Threads  one at a time, by the runtime's lock.
// Contract edge.md section 13
#pragma once

#include <cstddef>
#include <cstdint>

#include "fuse_types.h"

namespace fusebox::edge {

class LogRing {
 public:
  // `origins` has (capacity + 7) / 8 bytes, `evidence` evidence_capacity records; either may be null with capacity 0.
  void open(void* memory, std::uint32_t capacity, std::uint8_t* origins, fuse_log_record_t* evidence,
            std::uint32_t evidence_capacity);

  std::uint32_t capacity() const { return capacity_; }
  // An entry of the runtime's own. FATAL ones go to the evidence as well.
  void write(const fuse_log_entry_t& entry);
  // An entry of a guest, composed where it stays; `length` is below FUSE_LOG_MSG_MAX, without a NUL among them.
  void write_guest(std::uint64_t timestamp_us, std::uint32_t id, std::uint32_t level, const char* text,
                   std::uint32_t length);
  void count_dropped() { ++guest_dropped_; }

  // Records from *cursor on, oldest first; *cursor moves behind the last one.
  std::uint32_t read(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max) const;
  std::uint32_t read_evidence(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max) const;
  fuse_log_stats_t stats() const;

 private:
  // Where the next entry goes, its origin noted; null without a ring.
  std::uint8_t* take_place(fuse_log_origin_t origin);

  std::uint8_t* memory_ = nullptr;
  std::uint8_t* origins_ = nullptr;  // bit N: entry N was a guest's
  fuse_log_record_t* evidence_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t evidence_capacity_ = 0;
  std::uint32_t next_ = 0;  // index of the next entry; 64-bit remainders are slow on small processors
  std::uint32_t evidence_next_ = 0;
  std::uint64_t written_ = 0;  // to the ring, or what would have been with a ring
  std::uint64_t evidence_written_ = 0;
  std::uint64_t guest_dropped_ = 0;
};

}  // namespace fusebox::edge
