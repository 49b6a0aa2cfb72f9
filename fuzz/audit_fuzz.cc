// The audit log's readers: whatever the bytes, they answer; and what the verifier calls good is good line by line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "capability/audit_file.h"
#include "capability/audit_verify.h"

using namespace fusebox;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_lines(std::string_view text, const capability::AuditReport& report) {
  std::uint64_t lines = 0;
  while (!text.empty()) {
    const auto line = capability::parse_audit_line(text.substr(0, text.find('\n')));
    require(line && capability::audit_hash(*line) == line->hash && line->seq == report.first_seq + lines);
    ++lines;
    text.remove_prefix(text.find('\n') + 1);
  }
  require(lines == report.records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const capability::AuditReport report = capability::audit_verify_text(text);
  if (report.ok()) check_lines(text, report);
  capability::AuditVerifyOptions options;
  options.key = base::Ed25519PublicKey{};
  options.head = report.head;
  (void)capability::audit_verify_text(text, options);
  const auto tail = capability::verify_tail(text, true);
  if (report.ok() && tail) require(tail->head == report.head);
  (void)capability::verify_tail(text, false);
  return 0;
}
