#include "capability/audit_verify.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json.h"
#include "capability/audit_query.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kFaults[] = {"bad_json", "bad_form", "line_too_long", "torn_line", "sequence", "chain",
                                        "hash",     "time",     "checkpoint",    "signature", "cut_tail"};
static_assert(std::size(kFaults) == static_cast<std::size_t>(AuditFault::cut_tail) + 1);

const std::string* text_of(const base::json::Node& object, std::string_view key) {
  const base::json::Node* const node = object.find(key);
  return node != nullptr && node->is_string() ? &node->string() : nullptr;
}

// The number a line begins with, if it also stands in its event id.
std::optional<std::uint64_t> claimed_seq(std::string_view line) {
  constexpr std::string_view kKey = "{\"seq\":";
  constexpr std::string_view kId = ",\"event_id\":\"audit-";
  if (!line.starts_with(kKey)) return std::nullopt;
  line.remove_prefix(kKey.size());
  std::uint64_t seq = 0;
  const auto [end, errc] = std::from_chars(line.data(), line.data() + line.size(), seq);
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (errc != std::errc{} || seq == 0 || !line.starts_with(kId)) return std::nullopt;
  line.remove_prefix(kId.size());
  std::uint64_t id = 0;
  const auto parsed = std::from_chars(line.data(), line.data() + std::min<std::size_t>(line.size(), 20), id);
  if (parsed.ec != std::errc{} || id != seq) return std::nullopt;
  return seq;
}

bool is_zero(const base::Sha256& hash) {
  return hash == base::Sha256{};
}

}  // namespace

std::string_view to_string(AuditFault fault) noexcept {
  return kFaults[static_cast<std::size_t>(fault)];
}

std::string AuditProblem::text() const {
  return file + ":" + std::to_string(line) + ": record " + std::to_string(seq) + ": " + message;
}

void AuditVerifier::begin_file(std::string file) {
  file_ = std::move(file);
  line_ = 0;
}

void AuditVerifier::problem(AuditFault fault, std::string message) {
  report_.problem = AuditProblem{report_.head.seq + 1, fault, file_, line_, std::move(message)};
}

// A log may start with any number (earlier files are kept elsewhere), so a bad first record's number must come from
// itself, where both places agree on it, or else from its successor.
void AuditVerifier::name_bad_first_line(std::string_view text) {
  const auto claimed = claimed_seq(text);
  if (claimed) report_.problem->seq = *claimed;
  ask_successor_ = !claimed;
}

void AuditVerifier::ask_successor(std::string_view text) {
  ask_successor_ = false;
  const auto parsed = parse_audit_line(text);
  if (parsed && parsed->seq > 1 && audit_hash(*parsed) == parsed->hash) report_.problem->seq = parsed->seq - 1;
}

bool AuditVerifier::line(std::string_view text, bool ended, bool too_long) {
  ++line_;
  if (report_.problem) {
    if (ask_successor_) ask_successor(text);
    return false;
  }
  check(text, ended, too_long);
  if (report_.problem && report_.records == 0) name_bad_first_line(text);
  return !report_.problem;
}

void AuditVerifier::check(std::string_view text, bool ended, bool too_long) {
  if (too_long) return problem(AuditFault::line_too_long, "the line is longer than a record can be");
  if (!ended) return problem(AuditFault::torn_line, "the file ends inside this record");
  auto parsed = parse_audit_line(text);
  if (!parsed) {
    return base::json::is_valid(text)
               ? problem(AuditFault::bad_form, "not in the form of an audit record: " + parsed.error().message)
               : problem(AuditFault::bad_json, "not JSON; " + parsed.error().message);
  }
  if (!check_chain(*parsed)) return;
  if (parsed->type == to_string(AuditType::checkpoint)) {
    check_checkpoint(*parsed);
    if (report_.problem) return;
    ++report_.checkpoints;
  }
  if (report_.records++ == 0) {
    report_.first_seq = parsed->seq;
    report_.from_beginning = parsed->seq == 1;
  }
  report_.head = {parsed->seq, parsed->hash};
  last_time_ = parsed->timestamp;
  if (options_.head && options_.head->seq == parsed->seq && options_.head->hash != parsed->hash) {
    report_.problem = AuditProblem{parsed->seq, AuditFault::cut_tail, file_, line_, "not the record of the known head"};
  }
}

bool AuditVerifier::check_chain(const AuditLine& line) {
  const bool first = report_.records == 0;
  const std::uint64_t expected = report_.head.seq + 1;
  if (!first && line.seq != expected) {
    problem(AuditFault::sequence,
            "expected number " + std::to_string(expected) + ", found " + std::to_string(line.seq));
  } else if (first && (line.seq == 0 || (line.seq == 1) != is_zero(line.prev))) {
    problem(AuditFault::chain, "only record 1 starts a chain, and it does so with a previous hash of zeros");
  } else if (!first && line.prev != report_.head.hash) {
    problem(AuditFault::chain, "prev is not the hash of the record before");
  } else if (audit_hash(line) != line.hash) {
    problem(AuditFault::hash, "the hash does not match the record");
  } else if (!first && line.timestamp < last_time_) {
    problem(AuditFault::time,
            "the timestamp " + std::string(line.timestamp) + " is before its predecessor's, " + last_time_);
  }
  return !report_.problem;
}

void AuditVerifier::check_checkpoint(const AuditLine& line) {
  const auto detail =
      base::json::parse(line.detail, {.file = "detail", .bytes_max = kAuditLineBytesMax, .pointers = false});
  const base::json::Node* const count = detail ? detail->root->find("count") : nullptr;
  const std::string* const head = detail ? text_of(*detail->root, "head") : nullptr;
  if (count == nullptr || count->as_u64() != line.seq - 1 || head == nullptr || *head != line.prev.hex()) {
    return problem(AuditFault::checkpoint, "count or head of the checkpoint are not those of the chain");
  }
  if (options_.key) check_signature(line, text_of(*detail->root, "key_id"), text_of(*detail->root, "signature"));
}

void AuditVerifier::check_signature(const AuditLine& line, const std::string* key_id, const std::string* signature) {
  const std::string expected_id = options_.key->id();
  if (key_id == nullptr || signature == nullptr) {
    return problem(AuditFault::signature, "the checkpoint is not signed; expected key " + expected_id);
  }
  if (*key_id != expected_id) {
    return problem(AuditFault::signature, "the checkpoint is signed with another key than " + expected_id);
  }
  const auto bytes = base::from_base64(*signature);
  base::Ed25519Signature raw;
  if (!bytes || bytes->size() != raw.bytes.size())
    return problem(AuditFault::signature, "the signature is not 64 bytes in base64");
  std::copy(bytes->begin(), bytes->end(), raw.bytes.begin());
  if (!base::ed25519_verify(*options_.key, line.prev.view(), raw)) {
    return problem(AuditFault::signature, "the checkpoint's signature does not match its head");
  }
  report_.signed_through = line.seq - 1;
}

AuditReport AuditVerifier::finish() {
  if (!report_.problem && options_.head && report_.head.seq < options_.head->seq) {
    problem(AuditFault::cut_tail, "the log ends with record " + std::to_string(report_.head.seq) +
                                      "; the known head is record " + std::to_string(options_.head->seq));
  }
  return std::move(report_);
}

base::Result<AuditReport> audit_verify(std::span<const std::filesystem::path> files,
                                       const AuditVerifyOptions& options) {
  AuditVerifier verifier(options);
  bool good = true;
  for (const auto& file : files) {
    FB_TRY(LineSource source, LineSource::open(file));
    verifier.begin_file(file.string());
    // After a problem one more line is shown to the verifier: it may know the number of a bad first record.
    for (int bad_lines = 0; bad_lines < 2;) {
      FB_TRY(const auto line, source.next());
      if (!line) break;
      good = verifier.line(line->text, line->ended, line->too_long) && good;
      bad_lines += good ? 0 : 1;
    }
    if (!good) break;
  }
  return verifier.finish();
}

AuditReport audit_verify_text(std::string_view text, const AuditVerifyOptions& options) {
  AuditVerifier verifier(options);
  verifier.begin_file("<text>");
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    verifier.line(line.substr(0, kAuditLineBytesMax), end != text.size(), line.size() > kAuditLineBytesMax);
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return verifier.finish();
}

}  // namespace fusebox::capability
