// Host functions as a guest meets them: contract capability.md sections 5, 6, 7 and the rows of 10 that need no
// gateway.
#include <set>

#include "capability/host_functions.h"
#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Imports every host function under its first spelling, with a page of memory and helpers:
// $answer(code) puts a code's decimal text at 32 and returns 32; text at 1024 on is for the tests' data.
std::string guest(std::string_view fields) {
  return R"((module
    (import "femto" "log" (func $log (param i32 i32) (result i32)))
    (import "env" "femto_log" (func $log_level (param i32 i32 i32) (result i32)))
    (import "femto" "http.request" (func $http (param i32 i32 i32 i32) (result i32)))
    (import "femto" "fs.read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "femto" "fs.write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "femto" "env.get" (func $env (param i32 i32 i32 i32) (result i32)))
    (import "femto" "result" (func $result (param i32 i32) (result i32)))
    (import "femto" "input" (func $input (param i32 i32) (result i32)))
    (import "femto" "buffer.read" (func $buffer (param i32 i32 i32) (result i32)))
    (import "femto" "last_error" (func $last_error (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $answer (param $n i32) (result i32) (local $at i32) (local $negative i32)
      (local.set $at (i32.const 48))
      (if (i32.lt_s (local.get $n) (i32.const 0))
        (then (local.set $negative (i32.const 1)) (local.set $n (i32.sub (i32.const 0) (local.get $n)))))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
        (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
        (br_if $next (local.get $n)))
      (if (local.get $negative)
        (then (local.set $at (i32.sub (local.get $at) (i32.const 1))) (i32.store8 (local.get $at) (i32.const 45))))
      local.get $at)
  )" + std::string(fields) +
         ")";
}
// The code one call returns, as the result.
std::string calls(std::string_view call, std::string_view data = {}) {
  return guest(std::string(data) + "(func (export \"run\") (param i32 i32) (result i32) (call $answer " +
               std::string(call) + "))");
}

class HostFunctions : public SandboxTest {
 protected:
  static Policy everything() {
    Policy policy = with_log();
    policy.env.enabled = true;
    policy.env.vars["GREETING"] = "hello";
    policy.fs_read.enabled = true;
    policy.fs_write.enabled = true;
    policy.http.enabled = true;
    return policy;
  }
};

TEST_F(HostFunctions, EverySpellingAndSignatureLinks) {
  std::size_t linked = 0;
  for (const HostFunctionRow& row : host_functions()) {
    for (const Spelling& spelling : spellings_of(row.name)) {
      for (const HostSignature& signature : row.accepted()) {
        std::string params;
        for (std::size_t i = 0; i < signature.param_count; ++i) params += " i32";
        const std::string text = "(module (import \"" + spelling.module + "\" \"" + spelling.field + "\" (func (param" +
                                 params + ")" + (signature.returns_code ? " (result i32)" : "") +
                                 ")) (memory (export \"memory\") 1) (func (export \"run\")))";
        const Report report = run(text);
        EXPECT_EQ(report.code, "") << spelling.module << " " << spelling.field << ": " << report.message;
        ++linked;
      }
    }
  }
  EXPECT_EQ(linked, make_host_imports().size() - 1) << "all but env.abort";
}

TEST_F(HostFunctions, TheFourSpellingsAreThoseOfTheContract) {
  const std::vector<Spelling> dotted = {
      {"femto", "fs.read"}, {"femto", "fs_read"}, {"env", "femto_fs_read"}, {"env", "femto.fs.read"}};
  EXPECT_EQ(spellings_of("fs.read"), dotted);
  const std::vector<Spelling> plain = {{"femto", "log"}, {"env", "femto_log"}, {"env", "femto.log"}};
  EXPECT_EQ(spellings_of("log"), plain);
}

TEST_F(HostFunctions, DisabledCapabilitiesLoadAndAnswerMinusFour) {
  for (const char* call : {"(call $log (i32.const 0) (i32.const 0))",
                           "(call $http (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
                           "(call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
                           "(call $write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
                           "(call $env (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"}) {
    SCOPED_TRACE(call);
    EXPECT_EQ(run(calls(call)).result, "-4");
  }
}

TEST_F(HostFunctions, TheEnabledCheckComesBeforeTheBoundsCheck) {
  const std::string outside = calls("(call $log (i32.const -1) (i32.const 10))");
  EXPECT_EQ(run(outside).result, "-4");
  const Report fault = run(outside, {}, everything());
  EXPECT_EQ(fault.code, "GUEST_MEMORY_FAULT");
  EXPECT_EQ(fault.message, "log was given the buffer [4294967295, +10) outside the guest's memory of 65536 bytes");
  EXPECT_EQ(fault.outcome.kind(), "trapped");
}

TEST_F(HostFunctions, BuffersOutsideMemoryEndTheExecutionAndAreAudited) {
  struct Case {
    const char* name;
    const char* call;
    bool inside;
  };
  const Case cases[] = {
      {"one byte too many", "(call $input (i32.const 65535) (i32.const 2))", false},
      {"exactly the end", "(call $input (i32.const 65535) (i32.const 1))", true},
      {"empty at the end", "(call $input (i32.const 65536) (i32.const 0))", true},
      {"empty beyond the end", "(call $input (i32.const 65537) (i32.const 0))", false},
      {"sum wraps", "(call $input (i32.const 16) (i32.const -1))", false},
      {"both wrap", "(call $result (i32.const -1) (i32.const -1))", false},
      {"the second buffer", "(call $env (i32.const 0) (i32.const 1) (i32.const 65536) (i32.const 1))", false},
      {"buffer.read", "(call $buffer (i32.const 0) (i32.const 65530) (i32.const 7))", false},
      {"last_error", "(call $last_error (i32.const 70000) (i32.const 1))", false},
      {"fs.write data", "(call $write (i32.const 0) (i32.const 1) (i32.const 65535) (i32.const 2))", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Sandbox one = sandbox(everything());
    const Module module = must(one.load(test::wat(calls(c.call))));
    const Report report = run(one, module);
    EXPECT_EQ(report.code, c.inside ? "" : "GUEST_MEMORY_FAULT");
    EXPECT_THAT(audit(one, "security_violation"), SizeIs(c.inside ? 0 : 1));
  }
}

TEST_F(HostFunctions, TextMustBeUtf8) {
  for (const char* call : {"(call $log (i32.const 1024) (i32.const 2))",
                           "(call $http (i32.const 1024) (i32.const 2) (i32.const 0) (i32.const 0))",
                           "(call $read (i32.const 1024) (i32.const 2) (i32.const 0) (i32.const 0))",
                           "(call $env (i32.const 1024) (i32.const 2) (i32.const 0) (i32.const 0))"}) {
    SCOPED_TRACE(call);
    EXPECT_EQ(run(calls(call, R"((data (i32.const 1024) "a\ff"))"), {}, everything()).result, "-2");
  }
}

TEST_F(HostFunctions, OutputsReportTheirTotalAndStayForBufferRead) {
  // input(0 bytes of room) = 5; buffer.read(2, 3 bytes) = 3 at 1024; then the result is what was read.
  const std::string text = guest(R"(
    (func (export "run") (result i32)
      (drop (call $result (i32.const 1024) (call $buffer (i32.const 2) (i32.const 1024) (i32.const 100))))
      i32.const 0)
    (func (export "partial") (local $n i32)
      (local.set $n (call $input (i32.const 1024) (i32.const 2)))
      (i32.store8 (i32.const 1026) (i32.add (i32.const 48) (local.get $n)))
      (i32.store8 (i32.const 1027) (i32.add (i32.const 48) (call $buffer (i32.const 3) (i32.const 1040) (i32.const 9))))
      (i32.store8 (i32.const 1028) (i32.add (i32.const 48) (call $buffer (i32.const 5) (i32.const 1040) (i32.const 9))))
      (i32.store8 (i32.const 1029) (i32.add (i32.const 48) (call $buffer (i32.const -1) (i32.const 1040) (i32.const 9))))
      (drop (call $result (i32.const 1024) (i32.const 6)))))");
  EXPECT_EQ(run(text, "abcde", {}, "partial").result, "\"ab5200\"");
}

TEST_F(HostFunctions, AFailingCallClearsThePendingBuffer) {
  const std::string text = guest(R"(
    (func (export "run")
      (drop (call $input (i32.const 0) (i32.const 0)))
      (drop (call $log (i32.const 0) (i32.const 1)))
      (i32.store8 (i32.const 1024) (i32.add (i32.const 48) (call $buffer (i32.const 0) (i32.const 1040) (i32.const 9))))
      (drop (call $result (i32.const 1024) (i32.const 1)))))");
  EXPECT_EQ(run(text, "abcde").result, "0");
  EXPECT_EQ(run(text, "abcde", with_log()).result, "5");
}

TEST_F(HostFunctions, LastErrorNamesTheRefusal) {
  const std::string text = guest(R"(
    (func (export "run")
      (drop (call $read (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)))
      (drop (call $result (i32.const 1024) (call $last_error (i32.const 1024) (i32.const 4096)))))
    (func (export "none") (param i32 i32) (result i32) (call $answer (call $last_error (i32.const 1024) (i32.const 4096)))))");
  const Report report = run(text);
  EXPECT_THAT(report.result,
              HasSubstr(R"("type":"DENIED_CAPABILITY_DISABLED","reason":"fs.read is not enabled for this module",)"
                        R"("capability":"fs.read","code":-4,"timestamp":")"));
  EXPECT_EQ(run(text, {}, {}, "none").result, "0");
}

TEST_F(HostFunctions, EnvironmentGivesOnlyWhatThePolicyLists) {
  ::setenv("FUSEBOX_TEST_SECRET", "of the process", 1);
  const std::string data = R"((data (i32.const 1024) "GREETING FUSEBOX_TEST_SECRET"))";
  EXPECT_EQ(run(calls("(call $env (i32.const 1024) (i32.const 8) (i32.const 0) (i32.const 0))", data), {}, everything())
                .result,
            "5");
  EXPECT_EQ(
      run(calls("(call $env (i32.const 1033) (i32.const 19) (i32.const 0) (i32.const 0))", data), {}, everything())
          .result,
      "-6");
  EXPECT_EQ(run(calls("(call $env (i32.const 1024) (i32.const 0) (i32.const 0) (i32.const 0))", data), {}, everything())
                .result,
            "-1");
}

TEST_F(HostFunctions, ResultAboveTheLimitKeepsTheEarlierOne) {
  Policy policy;
  policy.limits.result_bytes = 4;
  const std::string text = guest(R"((data (i32.const 1024) "123456789")
    (func (export "run")
      (drop (call $result (i32.const 1024) (i32.const 4)))
      (if (i32.ne (call $result (i32.const 1024) (i32.const 5)) (i32.const -8)) (then unreachable))))");
  EXPECT_EQ(run(text, {}, policy).result, "1234");
}

TEST_F(HostFunctions, LogRecordsReachTheSinkAsTextOrFields) {
  Sandbox one = sandbox(with_log());
  std::vector<std::string> records;
  one.set_log_sink([&](const LogRecord& record) { records.push_back(record.json()); });
  const Module module = must(one.load(test::wat(guest(R"((data (i32.const 1024) "hello{\"n\":1}")
    (func (export "run")
      (drop (call $log (i32.const 1024) (i32.const 5)))
      (drop (call $log_level (i32.const 3) (i32.const 1029) (i32.const 7)))
      (if (i32.ne (call $log_level (i32.const 4) (i32.const 1024) (i32.const 5)) (i32.const -1)) (then unreachable))
      (if (i32.ne (call $log_level (i32.const -1) (i32.const 1024) (i32.const 5)) (i32.const -1)) (then unreachable))))"))));
  const Report report = run(one, module);
  EXPECT_EQ(report.code, "") << report.message;
  ASSERT_THAT(records, SizeIs(2)) << "levels that do not exist are refused";
  EXPECT_THAT(records[0], HasSubstr("\"execution_id\":\"" + report.id.text() +
                                    "\",\"capability\":null,\"module_sha256\":\"" + module.hash().hex() +
                                    "\",\"seq\":1,\"level\":\"info\",\"message\":\"hello\",\"truncated\":false}"));
  EXPECT_THAT(records[1], HasSubstr(R"("seq":2,"level":"error","fields":{"n":1},"truncated":false})"));
}

TEST_F(HostFunctions, LongLogTextIsCutAtACharacter) {
  Policy policy = with_log();
  policy.log.max_message_bytes = 4;
  Sandbox one = sandbox(policy);
  std::vector<std::string> records;
  one.set_log_sink([&](const LogRecord& record) {
    records.emplace_back(std::string(record.message) + (record.truncated ? " cut" : ""));
  });
  const Module module = must(one.load(
      test::wat(calls("(call $log (i32.const 1024) (i32.const 6))", R"((data (i32.const 1024) "ab\c3\a4\c3\a4"))"))));
  EXPECT_EQ(run(one, module).result, "4");
  EXPECT_EQ(records, std::vector<std::string>{"ab\xc3\xa4 cut"});
}

TEST_F(HostFunctions, ALogFloodIsBoundedAndCounted) {
  Policy policy = with_log();
  policy.log.max_messages = 3;
  Sandbox one = sandbox(policy);
  std::vector<std::string> records;
  one.set_log_sink([&](const LogRecord& record) { records.emplace_back(record.message); });
  const Module module = must(one.load(test::wat(guest(R"((data (i32.const 1024) "flood")
    (func (export "run") (local $i i32)
      (loop $l
        (drop (call $log (i32.const 1024) (i32.const 5)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10))))
      (if (i32.ne (call $log (i32.const 1024) (i32.const 5)) (i32.const -11)) (then unreachable))))"))));
  EXPECT_EQ(run(one, module).code, "");
  EXPECT_EQ(records, (std::vector<std::string>{"flood", "flood", "flood",
                                               "8 log records were dropped: over the limits of this execution"}));
  EXPECT_EQ(one.stats().log_dropped, 8u);
}

TEST_F(HostFunctions, LevelsBelowTheMinimumAreNotAccepted) {
  Policy policy = with_log();
  policy.log.level_min = policy::LogLevelMin::warn;
  EXPECT_EQ(run(calls("(call $log (i32.const 1024) (i32.const 5))"), {}, policy).result, "0");
  EXPECT_EQ(run(calls("(call $log_level (i32.const 2) (i32.const 1024) (i32.const 5))"), {}, policy).result, "5");
}

TEST_F(HostFunctions, CallsBeyondTheLimitAreRefusedAndNotEachRecorded) {
  Policy policy = with_log();
  policy.limits.host_calls = 5;
  Sandbox one = sandbox(policy);
  const Module module = must(one.load(test::wat(guest(R"(
    (func (export "run") (local $i i32)
      (loop $l
        (drop (call $log (i32.const 1024) (i32.const 1)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (if (i32.ne (call $input (i32.const 0) (i32.const 0)) (i32.const -11)) (then unreachable))))"))));
  const Report report = run(one, module);
  EXPECT_EQ(report.code, "") << report.message;
  EXPECT_EQ(report.usage.host_calls, 1001u);
  EXPECT_THAT(audit(one, "authorization_decision"), SizeIs(6));
  EXPECT_THAT(audit(one, "host_call"), SizeIs(5));
  ASSERT_THAT(audit(one, "security_violation"), SizeIs(1));
  EXPECT_THAT(audit(one, "security_violation")[0], HasSubstr("\"denials_not_recorded\":994"));
}

TEST_F(HostFunctions, OnDeniedTrapStopsTheGuest) {
  Policy policy;
  policy.on_denied = policy::OnDenied::trap;
  const Report report = run(calls("(call $log (i32.const 0) (i32.const 1))"), {}, policy);
  EXPECT_EQ(report.code, "CAPABILITY_DENIED");
  EXPECT_EQ(report.outcome.kind(), "denied");
  EXPECT_EQ(report.capability, "log");
  EXPECT_EQ(report.message, "log was denied: log is not enabled for this module");
}

TEST_F(HostFunctions, AssemblyScriptAbortIsReported) {
  const std::string abort =
      R"((module (import "env" "abort" (func $abort (param i32 i32 i32 i32))) (memory (export "memory") 1)
    (data (i32.const 12) "\06\00\00\00n\00\6f\00\3d\d8") (data (i32.const 28) "\04\00\00\00a\00b\00")
    (func (export "run") (call $abort (i32.const 16) (i32.const 32) (i32.const 7) (i32.const 9)))
    (func (export "wild") (call $abort (i32.const -2) (i32.const 3) (i32.const 7) (i32.const 9)))))";
  const Report report = run(abort);
  EXPECT_EQ(report.code, "GUEST_ABORT");
  EXPECT_EQ(report.message, "the guest aborted: no\xef\xbf\xbd (ab:7:9)");
  EXPECT_EQ(report.outcome.kind(), "trapped");
  EXPECT_EQ(run(abort, {}, {}, "wild").message, "the guest aborted");
}

TEST_F(HostFunctions, TheStartFunctionAndTheAllocatorMeetTheSameGate) {
  Policy policy = with_log();
  policy.log.max_messages = 1;
  const std::string text = guest(R"((data (i32.const 1024) "x")
    (func $start (drop (call $log (i32.const 1024) (i32.const 1)))) (start $start)
    (func (export "alloc") (param i32) (result i32)
      (if (i32.ne (call $log (i32.const 1024) (i32.const 1)) (i32.const -11)) (then unreachable)) i32.const 2048)
    (func (export "run") (param i32 i32) (result i32) i32.const 0))");
  const Report report = run(text, "in", policy);
  EXPECT_EQ(report.code, "") << report.message;
  EXPECT_EQ(report.usage.host_calls, 2u);
}

TEST_F(HostFunctions, AThrowingSinkDoesNotReachTheGuest) {
  Sandbox one = sandbox(with_log());
  one.set_log_sink([](const LogRecord&) { throw std::runtime_error("sink"); });
  const Module module = must(one.load(test::wat(calls("(call $log (i32.const 1024) (i32.const 5))"))));
  EXPECT_EQ(run(one, module).result, "5");
}

}  // namespace
}  // namespace fusebox::capability
