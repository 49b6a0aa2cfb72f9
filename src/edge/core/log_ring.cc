#include "edge/core/log_ring.h"

#include <cstring>

namespace fusebox::edge {
namespace {

// Copied over the old text: compilers clear this much with an instruction that takes long to start.
constexpr std::uint8_t kNoText[FUSE_LOG_MSG_MAX] = {};

// Where the entry with number `sequence` lies, when `written` went before the one at `next`.
std::uint32_t index_of(std::uint64_t sequence, std::uint64_t written, std::uint32_t next, std::uint32_t capacity) {
  const auto back = static_cast<std::uint32_t>(written - sequence);  // 1..capacity
  return next >= back ? next - back : next + capacity - back;
}

std::uint64_t oldest(std::uint64_t written, std::uint32_t capacity) {
  return written > capacity ? written - capacity : 0;
}

}  // namespace

void LogRing::open(void* memory, std::uint32_t capacity, std::uint8_t* origins, fuse_log_record_t* evidence,
                   std::uint32_t evidence_capacity) {
  *this = LogRing();
  memory_ = static_cast<std::uint8_t*>(memory);
  capacity_ = capacity;
  origins_ = origins;
  evidence_ = evidence;
  evidence_capacity_ = evidence_capacity;
}

std::uint8_t* LogRing::take_place(fuse_log_origin_t origin) {
  ++written_;
  if (capacity_ == 0) return nullptr;
  std::uint8_t* place = memory_ + std::size_t{next_} * sizeof(fuse_log_entry_t);
  const auto bit = static_cast<std::uint8_t>(1u << (next_ & 7));
  std::uint8_t& byte = origins_[next_ >> 3];
  byte = static_cast<std::uint8_t>(origin == FUSE_LOG_ORIGIN_GUEST ? byte | bit : byte & ~bit);
  if (++next_ == capacity_) next_ = 0;
  return place;
}

void LogRing::write_guest(std::uint64_t timestamp_us, std::uint32_t id, std::uint32_t level, const char* text,
                          std::uint32_t length) {
  std::uint8_t* place = take_place(FUSE_LOG_ORIGIN_GUEST);
  if (place == nullptr) return;
  std::memcpy(place, &timestamp_us, sizeof timestamp_us);
  std::memcpy(place + offsetof(fuse_log_entry_t, module_id), &id, sizeof id);
  std::memcpy(place + offsetof(fuse_log_entry_t, level), &level, sizeof level);
  std::uint8_t* message = place + offsetof(fuse_log_entry_t, message);
  std::memcpy(message, kNoText, sizeof kNoText);
  std::memcpy(message, text, length);
}

void LogRing::write(const fuse_log_entry_t& entry) {
  const std::uint64_t sequence = written_;
  if (std::uint8_t* place = take_place(FUSE_LOG_ORIGIN_RUNTIME); place != nullptr) {
    std::memcpy(place, &entry, sizeof entry);
  }
  if (entry.level != FUSE_LOG_FATAL || evidence_capacity_ == 0) return;
  fuse_log_record_t& record = evidence_[evidence_next_];
  record.sequence = sequence;
  record.entry = entry;
  record.origin = FUSE_LOG_ORIGIN_RUNTIME;
  record.reserved = 0;
  if (++evidence_next_ == evidence_capacity_) evidence_next_ = 0;
  ++evidence_written_;
}

std::uint32_t LogRing::read(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max) const {
  std::uint32_t count = 0;
  std::uint64_t at = *cursor < oldest(written_, capacity_) ? oldest(written_, capacity_) : *cursor;
  for (; at < written_ && count < max; ++at, ++count) {
    const std::uint32_t index = index_of(at, written_, next_, capacity_);
    out[count].sequence = at;
    std::memcpy(&out[count].entry, memory_ + std::size_t{index} * sizeof(fuse_log_entry_t), sizeof(fuse_log_entry_t));
    out[count].origin = (origins_[index >> 3] >> (index & 7)) & 1;
    out[count].reserved = 0;
  }
  *cursor = at;
  return count;
}

// The cursor is a sequence number here too: a reader of both logs can put them side by side.
std::uint32_t LogRing::read_evidence(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max) const {
  std::uint32_t count = 0;
  for (std::uint64_t at = oldest(evidence_written_, evidence_capacity_); at < evidence_written_ && count < max; ++at) {
    const fuse_log_record_t& record = evidence_[index_of(at, evidence_written_, evidence_next_, evidence_capacity_)];
    if (record.sequence < *cursor) continue;
    out[count++] = record;
    *cursor = record.sequence + 1;
  }
  return count;
}

fuse_log_stats_t LogRing::stats() const {
  fuse_log_stats_t stats{};
  stats.written = written_;
  stats.overwritten = oldest(written_, capacity_);
  stats.guest_dropped = guest_dropped_;
  stats.capacity = capacity_;
  stats.evidence_capacity = evidence_capacity_;
  stats.evidence_written = evidence_written_;
  return stats;
}

}  // namespace fusebox::edge
