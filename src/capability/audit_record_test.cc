#include "capability/audit_record.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

std::string chained(const AuditRecord& record, AuditChain& chain) {
  PendingRecord pending;
  format_pending(record, base::Nanos{1'700'000'000'000'001'999}, base::Nanos{42}, pending);
  std::string line;
  chain.append_line(pending, line);
  EXPECT_LE(line.size(), AuditChain::line_bytes_max(pending));
  EXPECT_EQ(line.back(), '\n');
  line.pop_back();
  return line;
}

TEST(AuditRecord, HasTheKeysOfTheContractInOrderAndNullForAbsent) {
  AuditChain chain;
  const std::string line = chained({.type = AuditType::runtime_start}, chain);
  const std::string zeros(64, '0');
  const std::string event =
      "{\"seq\":1,\"event_id\":\"audit-00000000000000000001\",\"type\":\"runtime_start\",\"execution_id\":null,"
      "\"component\":null,\"capability\":null,\"decision\":null,\"outcome\":null,"
      "\"timestamp\":\"2023-11-14T22:13:20.000001Z\",\"mono_ns\":42,\"detail\":null,\"prev\":\"" +
      zeros + "\"";
  base::Sha256Stream stream;
  stream.update(base::as_bytes(event + "}"));
  stream.update(base::Sha256{}.view());
  EXPECT_EQ(line, event + ",\"hash\":\"" + stream.finish().hex() + "\"}");
  EXPECT_TRUE(base::json::is_valid(line));
}

TEST(AuditRecord, ReadsBackWhatWasWritten) {
  AuditChain chain;
  const std::string first = chained({.type = AuditType::input_received}, chain);
  const AuditHead head = chain.head();
  const std::string line = chained({.type = AuditType::host_call,
                                    .execution_id = "x\"1",
                                    .component = "gate",
                                    .capability = "fs.read",
                                    .decision = "AUTHORIZED",
                                    .outcome = "ok",
                                    .detail = "{\"a\":[1,{\"b\":\"}\"}]}"},
                                   chain);
  const auto parsed = parse_audit_line(line);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->seq, 2u);
  EXPECT_EQ(parsed->type, "host_call");
  EXPECT_EQ(parsed->execution_id, "x\\\"1");
  EXPECT_EQ(parsed->component, "gate");
  EXPECT_EQ(parsed->capability, "fs.read");
  EXPECT_EQ(parsed->decision, "AUTHORIZED");
  EXPECT_EQ(parsed->outcome, "ok");
  EXPECT_EQ(parsed->mono_ns, 42u);
  EXPECT_EQ(parsed->detail, "{\"a\":[1,{\"b\":\"}\"}]}");
  EXPECT_EQ(parsed->prev, head.hash);
  EXPECT_EQ(parsed->hash, audit_hash(*parsed));
  EXPECT_EQ(chain.head(), (AuditHead{2, parsed->hash}));
}

TEST(AuditRecord, KeepsTheLineWellFormedWhateverTheFieldsHold) {
  AuditChain chain;
  const std::string hostile[] = {std::string("a\nb\0c", 5),
                                 "\xff\xfe",
                                 std::string(300, 'x'),
                                 std::string(255, 'x') + "\xc3\xa9",
                                 "\"},{\"",
                                 "\x7f",
                                 std::string(400, '\x01')};
  for (const std::string& text : hostile) {
    const std::string line = chained(
        {.execution_id = text, .component = text, .capability = text, .decision = text, .outcome = text}, chain);
    EXPECT_TRUE(base::json::is_valid(line)) << line;
    const auto parsed = parse_audit_line(line);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->hash, audit_hash(*parsed));
    EXPECT_LT(line.size(), kAuditLineBytesMax);
  }
}

TEST(AuditRecord, ReplacesADetailThatWouldBreakTheLine) {
  AuditChain chain;
  const std::string fits = "{\"a\":\"" + std::string(kAuditDetailBytesMax - 8, 'x') + "\"}";
  ASSERT_EQ(fits.size(), kAuditDetailBytesMax);
  EXPECT_NE(chained({.detail = fits}, chain).find("xxx"), std::string::npos);
  for (const std::string& detail : {std::string("{\n}"), std::string("{\"a\":\"\xff\"}"),
                                    "{\"a\":\"" + std::string(kAuditDetailBytesMax - 7, 'x') + "\"}"}) {
    const std::string line = chained({.detail = detail}, chain);
    EXPECT_NE(line.find("\"detail\":{\"omitted_bytes\":" + std::to_string(detail.size()) + "}"), std::string::npos);
    EXPECT_TRUE(parse_audit_line(line));
  }
}

TEST(AuditRecord, TimeNeverGoesBack) {
  AuditChain chain;
  PendingRecord pending;
  std::string out;
  format_pending({}, std::chrono::seconds{100}, {}, pending);
  chain.append_line(pending, out);
  out.clear();
  format_pending({}, std::chrono::seconds{99}, {}, pending);
  chain.append_line(pending, out);
  EXPECT_NE(out.find("\"timestamp\":\"1970-01-01T00:01:40.000000Z\""), std::string::npos) << out;
}

TEST(AuditRecord, TypesHaveTheNamesOfTheContract) {
  EXPECT_EQ(to_string(AuditType::runtime_start), "runtime_start");
  EXPECT_EQ(to_string(AuditType::security_violation), "security_violation");
  EXPECT_EQ(to_string(AuditType::audit_gap), "audit_gap");
  EXPECT_EQ(audit_type("execution_failed"), AuditType::execution_failed);
  EXPECT_EQ(audit_type("Execution_failed"), std::nullopt);
  EXPECT_EQ(audit_type(""), std::nullopt);
}

TEST(AuditRecord, RefusesEveryOtherForm) {
  AuditChain chain;
  const std::string good = chained({.component = "gate", .detail = "{}"}, chain);
  ASSERT_TRUE(parse_audit_line(good));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string line = good;
    line.replace(line.find(from), from.size(), to);
    return line;
  };
  const struct {
    const char* name;
    std::string line;
    const char* message;
  } cases[] = {
      {"empty", "", "byte 0: expected {\"seq\":"},
      {"space", with("{\"seq\":1", "{\"seq\": 1"), "byte 7: expected a number"},
      {"leading zero", with("\"seq\":1", "\"seq\":01"),
       "byte 7: expected a number of at most 64 bits without leading zeros"},
      {"too large", with("\"seq\":1", "\"seq\":18446744073709551616"), "byte 7: expected a number of at most 64 bits"},
      {"event id of another record", with("audit-00000000000000000001", "audit-00000000000000000002"),
       "event_id does not carry the number of seq"},
      {"unknown type", with("operator_action", "operator_bction"), "unknown record type"},
      {"key order", with("\"component\":\"gate\",\"capability\":null", "\"capability\":null,\"component\":\"gate\""),
       "expected ,\"component\":"},
      {"empty text", with("\"gate\"", "\"\""), "expected a JSON string that is not empty"},
      {"bad escape", with("\"gate\"", "\"\\q\""), "expected a JSON string"},
      {"number for text", with("\"gate\"", "17"), "expected text or null"},
      {"date form", with("2023-11-14T", "2023-11-14 "), "expected a timestamp with microseconds in UTC"},
      {"date digits", with("2023-11-14T", "2023-1-114T"), "the timestamp is not of the form"},
      {"detail is no object", with("\"detail\":{}", "\"detail\":[]"), "is neither null nor one JSON object"},
      {"detail is broken", with("\"detail\":{}", "\"detail\":{,}"), "is neither null nor one JSON object"},
      {"upper-case hash", with("\"prev\":\"0", "\"prev\":\"A"), "expected 64 lower-case hexadecimal digits"},
      {"something behind", good + " ", "is neither null nor one JSON object"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto parsed = parse_audit_line(c.line);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, base::Errc::invalid);
    EXPECT_NE(parsed.error().message.find(c.message), std::string::npos) << parsed.error().message;
  }
}

}  // namespace
}  // namespace fusebox::capability
