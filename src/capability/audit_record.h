// One audit record: what it says, the line it becomes, its place in the chain, and the strict reader of such lines.
//
// Format   contract capability.md section 13; docs/formats/audit-log.md.
// Threads  plain values and pure functions; AuditChain: one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"

namespace fusebox::capability {

enum class AuditType : std::uint8_t {
  runtime_start,
  runtime_stop,
  config_load,
  module_verification,
  module_load,
  module_remove,
  upgrade,
  rollback,
  cache_rejected,
  capability_register,
  capability_enable,
  capability_disable,
  input_received,
  execution_start,
  execution_complete,
  execution_failed,
  authorization_decision,
  host_call,
  security_violation,
  operator_action,
  checkpoint,
  audit_gap,
};
std::string_view to_string(AuditType type) noexcept;
std::optional<AuditType> audit_type(std::string_view text) noexcept;

// What happened. Empty text is written as null. Views are only read during append().
struct AuditRecord {
  AuditType type = AuditType::operator_action;
  std::string_view execution_id{};
  std::string_view component{};  // "runtime", "store", "gate", "sandbox", ...
  std::string_view capability{};
  std::string_view decision{};
  std::string_view outcome{};
  std::string_view detail{};  // a JSON object on one line
};

// Where a chain stands: the last record's number and hash. Zero and 32 zero bytes before the first.
struct AuditHead {
  std::uint64_t seq = 0;
  base::Sha256 hash;
  bool operator==(const AuditHead&) const = default;
};

// A record's text without what only its place in the chain decides (number, time, hashes).
struct PendingRecord {
  std::string middle;  // from "type" up to the timestamp's key
  std::string detail;
  base::Nanos wall{0};
  base::Nanos mono{0};
};
// Text that is no UTF-8 or too long is repaired or cut, never refused: a record must not be lost over its contents.
void format_pending(const AuditRecord& record, base::Nanos wall, base::Nanos mono, PendingRecord& out);

// Gives records their numbers, times and hashes.
class AuditChain {
 public:
  AuditChain() { restart({}, base::Nanos{0}); }
  // Continues after `head`; no later record gets a smaller time than `last_wall`.
  void restart(const AuditHead& head, base::Nanos last_wall);
  // Appends the record's line, with its line end, to `out`.
  void append_line(const PendingRecord& record, std::string& out);
  // What append_line() appends at most.
  static std::size_t line_bytes_max(const PendingRecord& record) noexcept {
    return record.middle.size() + record.detail.size() + kLineFixedBytesMax;
  }
  const AuditHead& head() const noexcept { return head_; }

 private:
  static constexpr std::size_t kLineFixedBytesMax = 320;  // keys, numbers of 20 digits, time, two hashes, line end
  void append_timestamp(base::Nanos wall, std::string& out);

  base::Sha256Stream stream_;
  AuditHead head_;
  std::array<char, 64> head_hex_{};
  base::Nanos last_wall_{0};
  std::int64_t cached_second_ = -1;
  std::string cached_text_;  // "2026-11-21T15:33:00" of cached_second_
};

// A line taken apart. Views point into the line. Text fields are still JSON-escaped; null is the empty view.
struct AuditLine {
  std::uint64_t seq = 0;
  std::string_view type;
  std::string_view execution_id;
  std::string_view component;
  std::string_view capability;
  std::string_view decision;
  std::string_view outcome;
  std::string_view timestamp;  // always 27 characters: they sort as text
  std::uint64_t mono_ns = 0;
  std::string_view detail;  // JSON object, or empty
  base::Sha256 prev;
  base::Sha256 hash;
  std::string_view event;  // what is hashed, but for its closing brace
};
// Exactly the form append_line() writes and nothing else: key order, digits, lower-case hashes. `line` has no line end.
// `invalid`: the message says what is wrong at which byte.
base::Result<AuditLine> parse_audit_line(std::string_view line);
// The hash the line should carry.
base::Sha256 audit_hash(const AuditLine& line);

}  // namespace fusebox::capability
