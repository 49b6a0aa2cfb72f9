#include "capability/audit_verify.h"

#include <gtest/gtest.h>

#include "capability/audit_test_tools.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

class AuditVerify : public AuditTest {
 protected:
  // `count` records and the checkpoint of close().
  std::string log_text(int count, bool sign = true) {
    AuditOptions options = in_file();
    if (sign) options.sign_key = test_key();
    AuditLog log(std::move(options), clock);
    append(log, count);
    EXPECT_TRUE(log.close());
    return slurp(path);
  }
  static std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }
  static void expect_problem(const AuditReport& report, std::uint64_t seq, AuditFault fault, std::string_view message) {
    ASSERT_TRUE(report.problem);
    EXPECT_EQ(report.problem->seq, seq) << report.problem->text();
    EXPECT_EQ(to_string(report.problem->fault), to_string(fault)) << report.problem->text();
    EXPECT_NE(report.problem->message.find(message), std::string::npos) << report.problem->text();
  }
};

TEST_F(AuditVerify, AcceptsAnUntouchedLog) {
  const std::string text = log_text(5);
  const AuditReport report = audit_verify_text(text, {.key = test_key().public_key(), .head = std::nullopt});
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.records, 6u);
  EXPECT_EQ(report.first_seq, 1u);
  EXPECT_TRUE(report.from_beginning);
  EXPECT_EQ(report.checkpoints, 1u);
  EXPECT_EQ(report.signed_through, 5u);
  EXPECT_EQ(report.head.seq, 6u);
  EXPECT_EQ(report.head.hash, parse_audit_line(lines_of(text).back())->hash);
}

TEST_F(AuditVerify, AcceptsAnEmptyLog) {
  const AuditReport report = audit_verify_text("");
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.records, 0u);
}

TEST_F(AuditVerify, ReportsEveryFlippedBitAtItsRecord) {
  const std::string text = log_text(3);
  std::uint64_t seq = 1;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      const AuditReport report = audit_verify_text(changed);
      ASSERT_TRUE(report.problem) << "byte " << at << " bit " << bit;
      ASSERT_EQ(report.problem->seq, seq) << "byte " << at << " bit " << bit << ": " << report.problem->text();
      ASSERT_EQ(report.records, seq - 1);
    }
    if (text[at] == '\n') ++seq;
  }
  EXPECT_EQ(seq, 5u);
}

TEST_F(AuditVerify, ReportsACutAtEveryByte) {
  const std::string text = log_text(3);
  const AuditHead head = audit_verify_text(text).head;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string_view cut = std::string_view(text).substr(0, size);
    const std::uint64_t whole = static_cast<std::uint64_t>(std::count(cut.begin(), cut.end(), '\n'));
    const bool at_a_line_end = size == 0 || cut.back() == '\n';
    const AuditReport alone = audit_verify_text(cut);
    EXPECT_EQ(alone.ok(), at_a_line_end) << size;
    EXPECT_EQ(alone.records, whole);
    const AuditReport with_head = audit_verify_text(cut, {.key = std::nullopt, .head = head});
    ASSERT_TRUE(with_head.problem) << size;
    EXPECT_EQ(with_head.problem->seq, whole + 1);
    EXPECT_EQ(with_head.problem->fault, at_a_line_end ? AuditFault::cut_tail : AuditFault::torn_line);
  }
}

TEST_F(AuditVerify, NamesWhatIsWrong) {
  const std::string text = log_text(5);
  const std::vector<std::string> good = lines_of(text);
  std::vector<std::string> lines = good;

  lines.erase(lines.begin() + 2);
  expect_problem(audit_verify_text(joined(lines)), 3, AuditFault::sequence, "expected number 3, found 4");

  lines = good;
  std::swap(lines[1], lines[2]);
  expect_problem(audit_verify_text(joined(lines)), 2, AuditFault::sequence, "expected number 2, found 3");

  lines = good;
  lines.insert(lines.begin() + 3, "{\"seq\":4}");
  expect_problem(audit_verify_text(joined(lines)), 4, AuditFault::bad_form,
                 "not in the form of an audit record: byte 8: expected ,\"event_id\":");

  lines = good;
  lines[3] = "not json";
  expect_problem(audit_verify_text(joined(lines)), 4, AuditFault::bad_json, "not JSON");

  lines = good;
  lines[3] += std::string(kAuditLineBytesMax, ' ');
  expect_problem(audit_verify_text(joined(lines)), 4, AuditFault::line_too_long, "longer than a record can be");

  lines = good;
  lines[4].replace(lines[4].find("\"ok\""), 4, "\"no\"");
  expect_problem(audit_verify_text(joined(lines)), 5, AuditFault::hash, "the hash does not match the record");

  lines = good;
  lines.erase(lines.begin());
  const AuditReport later = audit_verify_text(joined(lines));
  EXPECT_TRUE(later.ok());
  EXPECT_FALSE(later.from_beginning);
  EXPECT_EQ(later.first_seq, 2u);
}

// A forger who recomputes every hash still cannot hide what the chain's rules forbid.
class Forger {
 public:
  std::string line(std::uint64_t seq, std::string_view detail, AuditType type, std::int64_t second, base::Sha256 prev) {
    AuditChain chain;
    chain.restart({seq - 1, prev}, base::Nanos{0});
    PendingRecord pending;
    format_pending({.type = type, .detail = detail}, std::chrono::seconds{second}, {}, pending);
    std::string out;
    chain.append_line(pending, out);
    hash = chain.head().hash;
    return out;
  }
  base::Sha256 hash;
};

TEST_F(AuditVerify, FindsForgedRecordsWithValidHashes) {
  Forger forger;
  const std::string first = forger.line(1, "", AuditType::runtime_start, 100, {});
  const base::Sha256 prev = forger.hash;

  expect_problem(audit_verify_text(first + forger.line(2, "", AuditType::runtime_stop, 99, prev)), 2, AuditFault::time,
                 "the timestamp 1970-01-01T00:01:39.000000Z is before its predecessor's, 1970-01-01T00:01:40.000000Z");
  base::Sha256 other = prev;
  other.bytes[0] ^= std::byte{1};
  expect_problem(audit_verify_text(first + forger.line(2, "", AuditType::runtime_stop, 100, other)), 2,
                 AuditFault::chain, "prev is not the hash of the record before");
  expect_problem(audit_verify_text(forger.line(1, "", AuditType::runtime_start, 100, prev)), 1, AuditFault::chain,
                 "only record 1 starts a chain");
  expect_problem(audit_verify_text(forger.line(7, "", AuditType::runtime_start, 100, {})), 7, AuditFault::chain,
                 "only record 1 starts a chain");
  for (const std::string& detail :
       {std::string("{}"), "{\"count\":2,\"head\":\"" + prev.hex() + "\"}",
        "{\"count\":1,\"head\":\"" + other.hex() + "\"}", std::string("{\"count\":\"1\",\"head\":7}")}) {
    expect_problem(audit_verify_text(first + forger.line(2, detail, AuditType::checkpoint, 100, prev)), 2,
                   AuditFault::checkpoint, "count or head of the checkpoint are not those of the chain");
  }
}

TEST_F(AuditVerify, ChecksSignaturesAgainstTheGivenKeyOnly) {
  const std::string text = log_text(2);
  const AuditVerifyOptions other{.key = test_key('o').public_key(), .head = std::nullopt};
  expect_problem(audit_verify_text(text, other), 3, AuditFault::signature,
                 "signed with another key than " + other.key->id());
  EXPECT_TRUE(audit_verify_text(text).ok());
  EXPECT_EQ(audit_verify_text(text).signed_through, 0u);

  std::filesystem::remove(path);
  const AuditVerifyOptions ours{.key = test_key().public_key(), .head = std::nullopt};
  expect_problem(audit_verify_text(log_text(2, false), ours), 3, AuditFault::signature, "the checkpoint is not signed");

  Forger forger;
  const std::string first = forger.line(1, "", AuditType::runtime_start, 100, {});
  const base::Sha256 head = forger.hash;
  const auto signed_detail = [&](std::string_view signature) {
    return "{\"count\":1,\"head\":\"" + head.hex() + "\",\"key_id\":\"" + ours.key->id() + "\",\"signature\":\"" +
           std::string(signature) + "\"}";
  };
  const auto checkpoint = [&](std::string_view signature) {
    return audit_verify_text(first + forger.line(2, signed_detail(signature), AuditType::checkpoint, 100, head), ours);
  };
  auto signature = *test_key().sign(head.view());
  EXPECT_TRUE(checkpoint(base::to_base64(signature.bytes)).ok());
  signature.bytes[5] ^= std::byte{1};
  expect_problem(checkpoint(base::to_base64(signature.bytes)), 2, AuditFault::signature, "does not match its head");
  expect_problem(checkpoint("AAAA"), 2, AuditFault::signature, "not 64 bytes in base64");
  expect_problem(checkpoint("!"), 2, AuditFault::signature, "not 64 bytes in base64");
}

TEST_F(AuditVerify, ComparesWithAHeadKnownFromOutside) {
  const std::string text = log_text(3);
  const auto third = *parse_audit_line(lines_of(text)[2]);
  AuditVerifyOptions options{.key = std::nullopt, .head = AuditHead{3, third.hash}};
  EXPECT_TRUE(audit_verify_text(text, options).ok());
  options.head->hash.bytes[31] ^= std::byte{1};
  expect_problem(audit_verify_text(text, options), 3, AuditFault::cut_tail, "not the record of the known head");
  options.head->seq = 9;
  expect_problem(audit_verify_text(text, options), 5, AuditFault::cut_tail,
                 "the log ends with record 4; the known head is record 9");
}

TEST_F(AuditVerify, SaysFileLineAndRecord) {
  std::string text = log_text(3);
  text[text.find("\"ok\"") + 1] = 'n';
  spill(path, text);
  const AuditReport report = verify();
  ASSERT_TRUE(report.problem);
  EXPECT_EQ(report.problem->text(), path.string() + ":1: record 1: the hash does not match the record");
}

TEST_F(AuditVerify, ReadsAFileOfOneEndlessLineInBoundedMemory) {
  spill(path, std::string(3 << 20, 'a'));
  const AuditReport report = verify();
  expect_problem(report, 1, AuditFault::line_too_long, "longer than a record can be");
}

TEST_F(AuditVerify, AMissingFileIsAnError) {
  const std::filesystem::path files[] = {folder->path() / "none.log"};
  const auto report = audit_verify(files);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, base::Errc::not_found);
  EXPECT_NE(report.error().message.find("none.log: open"), std::string::npos) << report.error().message;
}

}  // namespace
}  // namespace fusebox::capability
