// Checks an audit log: form, numbers, chain, times, checkpoints (contract capability.md section 13; `fusebox audit
// verify`).
//
// Streaming and bounded: a log of any size takes the memory of one line. Hostile files are its normal input.
// Threads  AuditVerifier: one thread at a time.
// Errors   only the system's (a file that cannot be read). What is wrong with a log is a result, not an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"
#include "capability/audit_record.h"

namespace fusebox::capability {

enum class AuditFault : std::uint8_t {
  bad_json,  // the line is not JSON
  bad_form,  // JSON, but not a record: key order, missing keys, digits
  line_too_long,
  torn_line,   // the file ends inside a record
  sequence,    // numbers are missing or repeat
  chain,       // prev is not the hash of the record before
  hash,        // the record was changed after it was written
  time,        // the timestamp is before its predecessor's
  checkpoint,  // count or head of a checkpoint are not the chain's
  signature,   // the checkpoint's signature is missing or not by the given key
  cut_tail,    // the log ends before, or differs from, a head that is known from outside
};
std::string_view to_string(AuditFault fault) noexcept;  // "bad_json", ...: stable, for JSON

struct AuditProblem {
  std::uint64_t seq = 0;  // the first bad record
  AuditFault fault = AuditFault::bad_form;
  std::string file;
  std::uint64_t line = 0;
  std::string message;
  std::string text() const;  // "audit.log:7: record 7: message"
};

struct AuditReport {
  std::uint64_t records = 0;  // good ones, before the first bad one
  std::uint64_t first_seq = 0;
  AuditHead head;               // of the last good record
  bool from_beginning = false;  // starts with record 1 and 32 zero bytes
  std::uint64_t checkpoints = 0;
  std::uint64_t signed_through = 0;  // last record covered by a verified signature
  std::optional<AuditProblem> problem;
  bool ok() const noexcept { return !problem; }
};

struct AuditVerifyOptions {
  std::optional<base::Ed25519PublicKey> key;  // then every checkpoint must be signed with it
  std::optional<AuditHead> head;              // then the chain must reach and contain it
};

// Lines in, report out.
class AuditVerifier {
 public:
  explicit AuditVerifier(const AuditVerifyOptions& options) : options_(options) {}
  void begin_file(std::string file);
  // False: a problem was found, further lines change nothing but the number of a bad first record.
  bool line(std::string_view text, bool ended, bool too_long);
  AuditReport finish();

 private:
  void check(std::string_view text, bool ended, bool too_long);
  bool check_chain(const AuditLine& line);
  void check_checkpoint(const AuditLine& line);
  void check_signature(const AuditLine& line, const std::string* key_id, const std::string* signature);
  void problem(AuditFault fault, std::string message);
  void name_bad_first_line(std::string_view text);
  void ask_successor(std::string_view text);

  AuditVerifyOptions options_;
  AuditReport report_;
  std::string file_;
  std::uint64_t line_ = 0;
  std::string last_time_;
  bool ask_successor_ = false;  // for the number of a bad first record
};

// One file, or a rotation series in order (audit_series() of audit_file.h).
base::Result<AuditReport> audit_verify(std::span<const std::filesystem::path> files,
                                       const AuditVerifyOptions& options = {});
// The same for text in memory.
AuditReport audit_verify_text(std::string_view text, const AuditVerifyOptions& options = {});

}  // namespace fusebox::capability
