// What an execution leaves in the audit log: contract capability.md sections 9 and 13.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "capability/audit_verify.h"
#include "capability/module_store.h"
#include "policy/signature.h"
#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kEcho = R"((module (memory (export "memory") 1)
  (func (export "run") (param i32 i32) (result i32) local.get 0)))";

class Audit : public SandboxTest {
 protected:
  static std::vector<std::string> lines(Sandbox& sandbox) {
    std::vector<std::string> all;
    must_ok(sandbox.audit()->query({}, [&](std::string_view line) {
      all.emplace_back(line);
      return true;
    }));
    return all;
  }
  static std::vector<std::string> types(Sandbox& sandbox) {
    std::vector<std::string> found;
    for (const std::string& line : lines(sandbox)) {
      const auto document = must(base::json::parse(line));
      found.push_back(document.root->find("type")->string());
    }
    return found;
  }
};

TEST_F(Audit, AnExecutionIsRecordedFromInputToEnd) {
  Sandbox one = sandbox();
  const Module module = must(one.load(test::wat(kEcho)));
  const Report report = run(one, module, "[1]");
  EXPECT_THAT(types(one), ElementsAre("runtime_start", "input_received", "execution_start", "execution_complete"));
  const auto all = lines(one);
  for (std::size_t i = 1; i < all.size(); ++i)
    EXPECT_THAT(all[i], HasSubstr("\"execution_id\":\"" + report.id.text() + "\""));
  EXPECT_THAT(all[1], HasSubstr("\"bytes\":3,\"sha256\":\"" + base::sha256(base::as_bytes("[1]")).hex()));
  EXPECT_THAT(all[2], HasSubstr("\"module_sha256\":\"" + module.hash().hex() + "\",\"function\":\"run\""));
  EXPECT_THAT(all[3], HasSubstr("\"outcome\":\"completed\""));
  EXPECT_EQ(one.audit_head().seq, 4u);
}

TEST_F(Audit, FailuresAreRecordedWithTheirCode) {
  Sandbox one = sandbox();
  const Module module = must(one.load(test::wat("(module (func (export \"run\") unreachable))")));
  run(one, module);
  run(one, module, {}, "missing");
  const auto failed = audit(one, "execution_failed");
  ASSERT_THAT(failed, SizeIs(2));
  EXPECT_THAT(failed[0], HasSubstr(R"("outcome":"trapped")"));
  EXPECT_THAT(failed[0], HasSubstr("\"code\":\"TRAP\",\"message\":\"unreachable (in run)\""));
  EXPECT_THAT(failed[1], HasSubstr(R"("code":"FUNCTION_NOT_FOUND")"));
  EXPECT_THAT(audit(one, "execution_start"), SizeIs(1)) << "the second never started";
}

TEST_F(Audit, EqualRunsGiveEqualRecordsButForIdsAndTimes) {
  const auto essence = [](Sandbox& one) {
    std::vector<std::string> kept;
    for (const std::string& line : lines(one)) {
      const auto document = must(base::json::parse(line));
      std::string text;
      for (const char* key : {"type", "component", "capability", "decision", "outcome"}) {
        const auto* node = document.root->find(key);
        text += (node->is_string() ? node->string() : "-") + "|";
      }
      kept.push_back(text);
    }
    return kept;
  };
  Sandbox first = sandbox(with_log());
  Sandbox second = sandbox(with_log());
  for (Sandbox* one : {&first, &second}) run(*one, must(one->load(test::wat(kEcho))), "[1]");
  EXPECT_EQ(essence(first), essence(second));
}

TEST_F(Audit, AnAuditFileVerifies) {
  const auto folder = must(base::TempDir::create());
  Policy policy;
  policy.audit.path = (folder.path() / "audit.log").string();
  {
    Sandbox one = sandbox(policy);
    const Module module = must(one.load(test::wat(kEcho)));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(run(one, module, "[1]").code, "");
  }
  const std::filesystem::path file = policy.audit.path;
  const auto verified = must(audit_verify({&file, 1}));
  EXPECT_TRUE(verified.ok()) << verified.problem->text();
  EXPECT_TRUE(verified.from_beginning);
  EXPECT_GE(verified.records, 30u);
}

TEST_F(Audit, WithoutARecordNothingRunsUnderDeny) {
  Policy policy;
  policy.audit.path = "/nonexistent-folder/audit.log";
  policy.audit.on_failure = policy::OnAuditFailure::deny;
  Sandbox one = sandbox(policy);
  const Module module = must(one.load(test::wat(kEcho)));
  const Report report = run(one, module, "[1]");
  EXPECT_EQ(report.code, "AUDIT_UNAVAILABLE");
  EXPECT_EQ(report.outcome.kind(), "failed");
  policy.audit.on_failure = policy::OnAuditFailure::keep_going;
  Sandbox lenient = sandbox(policy);
  EXPECT_EQ(run(lenient, module, "[1]").code, "");
}

TEST_F(Audit, IntegrityIsCheckedBeforeAnythingIsCompiled) {
  Policy policy;
  policy.integrity.require = policy::IntegrityRequire::hash;
  Sandbox one = sandbox(policy);
  const Module module = must(one.load(test::wat(kEcho)));
  const Report refused = run(one, module, "[1]");
  EXPECT_EQ(refused.code, "INTEGRITY");
  EXPECT_EQ(one.stats().compile.count, 0u);
  ASSERT_THAT(audit(one, "module_verification"), SizeIs(1));
  EXPECT_THAT(audit(one, "module_verification")[0], HasSubstr("\"outcome\":\"INTEGRITY\""));
  policy.integrity.sha256.push_back(module.hash().bytes);
  Sandbox listed = sandbox(policy);
  EXPECT_EQ(run(listed, module, "[1]").code, "");
  EXPECT_EQ(run(listed, module, "[1]").code, "");
  EXPECT_THAT(audit(listed, "module_verification"), SizeIs(1)) << "only the first use is verified";
}

TEST_F(Audit, SignedModulesRunAndOthersDoNot) {
  base::SeededRandom random(1);
  const base::Ed25519Key key = must(base::Ed25519Key::generate(random));
  const base::Ed25519Key stranger = must(base::Ed25519Key::generate(random));
  Policy policy;
  policy.integrity.require = policy::IntegrityRequire::signature;
  policy.integrity.trusted_keys.push_back({key.public_key().id(), key.public_key().bytes, std::nullopt});
  const base::Bytes wasm = test::wat(kEcho);
  Sandbox one = sandbox(policy);
  const auto code = [&](std::string signature) {
    return run(one, must(one.load(wasm, {std::move(signature), {}})), "[1]").code;
  };
  EXPECT_EQ(code({}), "INTEGRITY");
  EXPECT_EQ(code(must(policy::sign_module(stranger, {base::sha256(wasm), {}})).json()), "INTEGRITY");
  EXPECT_EQ(code(must(policy::sign_module(key, {base::sha256(wasm), {}})).json()), "");
  EXPECT_EQ(code({}), "INTEGRITY") << "the signature belongs to the module it came with";
  EXPECT_EQ(code("{}"), "INTEGRITY");
}

TEST_F(Audit, CompiledCodeIsKeptAndTouchedFilesAreRejected) {
  const auto folder = must(base::TempDir::create());
  const auto with_cache = [&] {
    SandboxOptions made = options();
    made.cache_dir = folder.path() / "code";
    return must(Sandbox::create({}, made));
  };
  const base::Bytes wasm = test::wat(kEcho);
  {
    Sandbox first = with_cache();
    EXPECT_EQ(run(first, must(first.load(wasm)), "[1]").code, "");
  }
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file() || entry.file_size() < 1000) continue;
    ++entries;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(900);
    file.put('\x5a');
  }
  EXPECT_EQ(entries, 1u);
  Sandbox second = with_cache();
  EXPECT_EQ(run(second, must(second.load(wasm)), "[1]").code, "");
  EXPECT_THAT(audit(second, "cache_rejected"), SizeIs(1));
  Sandbox third = with_cache();
  EXPECT_EQ(run(third, must(third.load(wasm)), "[1]").code, "");
  EXPECT_THAT(audit(third, "cache_rejected"), SizeIs(0));
}

TEST_F(Audit, AStoredModuleCannotBeRemovedWhileItIsHeld) {
  const auto folder = must(base::TempDir::create());
  Sandbox one = sandbox();
  const base::RealClock clock;
  StoreOptions store_options;
  store_options.root = folder.path();
  store_options.validate = [](base::ByteView) -> base::Result<void> { return {}; };
  ModuleStore store(store_options, clock, one.audit().get());
  const Sha256 hash = must(store.put(test::wat(kEcho)));
  {
    const Module module = must(one.load(store, hash.hex()));
    EXPECT_EQ(run(one, module, "[1]").result, "[1]");
    EXPECT_EQ(store.remove(hash.hex()).error().name, "IN_USE");
  }
  must_ok(store.remove(hash.hex()));
  EXPECT_EQ(one.load(store, hash.hex()).error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace fusebox::capability
