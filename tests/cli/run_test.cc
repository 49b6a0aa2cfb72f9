// The command as scripts see it: exit statuses, standard output, standard error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "support/process.h"

namespace fusebox::testing {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kHello = R"((module
  (memory (export "memory") 1)
  (data (i32.const 16) "\"hello\"\00")
  (func (export "run") (param i32 i32) (result i32) i32.const 16)))";

constexpr const char* kSpin = R"((module (func $forever (export "run") (loop $again (br $again)))))";

// Says so, then never ends.
constexpr const char* kSpinLoudly = R"((module
  (import "femto" "log" (func $log (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "started")
  (func (export "run") (drop (call $log (i32.const 16) (i32.const 7))) (loop $again (br $again)))))";

class RunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-cli");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_->path() / name) << text;
    return (folder_->path() / name).string();
  }
  Finished fusebox(std::vector<std::string> arguments, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), FUSEBOX_COMMAND);
    options.folder = folder_->path().string();
    options.environment = {"XDG_CACHE_HOME=" + options.folder + "/cache", "XDG_DATA_HOME=" + options.folder + "/data"};
    return run_process(arguments, options);
  }
  std::optional<base::TempDir> folder_;
};

std::string member(const Finished& finished, std::string_view name) {
  const auto document = json::parse(finished.out);
  if (!document) return "not JSON: " + finished.out;
  const json::Node* node = document->root->find(name);
  return node == nullptr ? "absent" : json::canonical(*node);
}

TEST_F(RunTest, PrintsTheResultAndNothingElse) {
  const Finished done = fusebox({"run", write("hello.wat", kHello)});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, "\"hello\"\n");
  EXPECT_THAT(done.err, IsEmpty());
}

TEST_F(RunTest, VerboseSaysThatNothingIsGrantedWithoutAPolicy) {
  const Finished done = fusebox({"run", write("hello.wat", kHello), "--verbose"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, "\"hello\"\n");
  EXPECT_THAT(done.err, HasSubstr("no --policy"));
  EXPECT_THAT(done.err, HasSubstr("cannot write files"));
}

TEST_F(RunTest, EndlessLoopIsStoppedWith124) {
  const Finished done = fusebox({"run", write("spin.wat", kSpin), "--cpu-time", "20ms"});
  EXPECT_EQ(done.status, 124);
  EXPECT_THAT(done.out, IsEmpty());
  EXPECT_THAT(done.err, HasSubstr("CPU_LIMIT"));
  EXPECT_THAT(done.err, HasSubstr("at forever"));
}

TEST_F(RunTest, TickLimitStopsAtTheSamePlaceEveryTime) {
  const std::string module = write("spin.wat", kSpin);
  const Finished first = fusebox({"run", module, "--ticks", "1000", "--json"});
  const Finished second = fusebox({"run", module, "--ticks", "1000", "--json"});
  EXPECT_EQ(first.status, 124);
  EXPECT_EQ(member(first, "code"), "\"TICK_LIMIT\"");
  const auto ticks = [](const Finished& done) {
    const auto document = json::parse(done.out);
    return document ? document->root->find("usage")->find("ticks")->as_u64() : std::nullopt;
  };
  EXPECT_TRUE(ticks(first).has_value());
  EXPECT_EQ(ticks(first), ticks(second));
}

TEST_F(RunTest, TrapIs134AndIsNamedInTheObject) {
  const Finished done = fusebox({"run", write("trap.wat", "(module (func (export \"run\") unreachable))"), "--json"});
  EXPECT_EQ(done.status, 134);
  EXPECT_EQ(member(done, "outcome"), "\"trapped\"");
  EXPECT_EQ(member(done, "exit_code"), "134");
  EXPECT_EQ(member(done, "result"), "null");
  EXPECT_THAT(member(done, "trap"), HasSubstr("\"kind\":\"unreachable\""));
}

TEST_F(RunTest, JsonObjectHoldsTheResultAsJson) {
  const Finished done = fusebox({"run", write("hello.wat", kHello), "--json"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(member(done, "outcome"), "\"completed\"");
  EXPECT_EQ(member(done, "result"), "\"hello\"");
  EXPECT_EQ(member(done, "trap"), "null");
  EXPECT_THAT(member(done, "execution_id"), ::testing::MatchesRegex("\"[0-9a-f-]+\""));
  EXPECT_THAT(member(done, "usage"), HasSubstr("\"peak_memory_bytes\":65536"));
}

TEST_F(RunTest, RefusalBeforeGuestCodeIs125) {
  EXPECT_EQ(fusebox({"run", "absent.wasm"}).status, 125);
  EXPECT_EQ(fusebox({"run", write("garbage.wasm", std::string("\0asm\1\0\0\0garbage", 15))}).status, 125);
  const std::string big = write("big.wat", "(module (memory 2000) (func (export \"run\")))");
  const Finished memory = fusebox({"run", big, "--memory", "1MiB", "--json"});
  EXPECT_EQ(memory.status, 125);
  EXPECT_EQ(member(memory, "outcome"), "\"stopped\"");
  EXPECT_EQ(member(memory, "code"), "\"MEMORY_LIMIT\"");
  EXPECT_EQ(member(memory, "stopped"), "{\"backtrace\":[],\"limit\":\"memory\"}");
  EXPECT_EQ(fusebox({"run", write("hello.wat", kHello), "--entry", "absent"}).status, 125);
  EXPECT_EQ(fusebox({"run", write("hello.wat", kHello), "--policy", write("p.json", "{\"version\":2}")}).status, 125);
}

TEST_F(RunTest, UnknownImportIsNamed) {
  const Finished done =
      fusebox({"run", write("wants.wat", "(module (import \"env\" \"launch\" (func)) (func (export \"run\")))")});
  EXPECT_EQ(done.status, 125);
  EXPECT_THAT(done.err, HasSubstr("import \"env\" \"launch\" () -> () is not a host function"));
}

TEST_F(RunTest, DenialThatTrapsIs126) {
  const std::string policy = write("p.json", R"({"version":1,"on_denied":"trap"})");
  const std::string module =
      write("asks.wat", R"((module (import "femto" "fs.read" (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "/etc/passwd")
    (func (export "run") (drop (call $read (i32.const 0) (i32.const 11) (i32.const 64) (i32.const 100))))))");
  const Finished done = fusebox({"run", module, "--policy", policy});
  EXPECT_EQ(done.status, 126);
  EXPECT_THAT(done.err, HasSubstr("CAPABILITY_DENIED"));
}

TEST_F(RunTest, InterruptEndsTheRunWithAReportAnd130) {
  ProcessOptions options;
  bool sent = false;
  options.on_error_output = [&sent](int pid, const std::string& err) {
    if (!sent && err.find("started") != std::string::npos) {
      sent = true;
      ::kill(pid, SIGINT);
    }
  };
  const Finished done =
      fusebox({"run", write("loud.wat", kSpinLoudly), "--log", "--cpu-time", "100s", "--json"}, options);
  EXPECT_TRUE(sent);
  EXPECT_EQ(done.status, 130);
  EXPECT_EQ(member(done, "code"), "\"CANCELLED\"");
  EXPECT_THAT(done.err, HasSubstr("CANCELLED"));
}

TEST_F(RunTest, WrongUseSaysWhatToDo) {
  const Finished none = fusebox({});
  EXPECT_EQ(none.status, 125);
  EXPECT_THAT(none.err, HasSubstr("--help"));
  const Finished typo = fusebox({"run", "a.wasm", "--memroy", "1MiB"});
  EXPECT_EQ(typo.status, 125);
  EXPECT_THAT(typo.err, HasSubstr("memroy"));
  const Finished verb = fusebox({"module", "ad", "x.wasm"});
  EXPECT_EQ(verb.status, 125);
  EXPECT_THAT(verb.err, HasSubstr("unknown verb 'ad'; did you mean 'add'?"));
  const Finished rule = fusebox({"run", write("hello.wat", kHello), "--allow-http", "FETCH example.com"});
  EXPECT_EQ(rule.status, 125);
  EXPECT_THAT(rule.err, StartsWith("fusebox: options: the entry \"FETCH example.com\" must look like"));
  const Finished text = fusebox({"run", write("text.wasm", "(module)")});
  EXPECT_EQ(text.status, 125);
  EXPECT_THAT(text.err, HasSubstr("text goes into a .wat file"));
  const Finished unit = fusebox({"run", write("hello.wat", kHello), "--cpu-time", "5"});
  EXPECT_EQ(unit.status, 125);
  EXPECT_THAT(unit.err, HasSubstr("--cpu-time 5"));
}

TEST_F(RunTest, AnOptionGivenSeveralTimesDoesNotSwallowTheArtifact) {
  const Finished done = fusebox({"run", "--env", "A=1", "--env", "B=2", write("hello.wat", kHello)});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "\"hello\"\n");
}

TEST_F(RunTest, StoredModulesAreFoundListedAndRemoved) {
  const std::string module = write("hello.wat", kHello);
  ASSERT_EQ(fusebox({"module", "add", module, "--tag", "hello@1.0.0"}).status, 0);
  EXPECT_THAT(fusebox({"module", "ls"}).out, HasSubstr("unsigned  hello@1.0.0"));
  EXPECT_EQ(fusebox({"module", "verify"}).out, "verified: 1 modules\n");
  EXPECT_EQ(fusebox({"module", "rm", "hello@1.0.0"}).status, 0);
  EXPECT_THAT(fusebox({"module", "ls"}).out, StartsWith("no modules"));
  EXPECT_EQ(fusebox({"module", "inspect", "hello"}).status, 125);
}

TEST_F(RunTest, UnsignedModuleIsRefusedWhereThePolicyAsksForSignatures) {
  const std::string module = write("hello.wat", kHello);
  const Finished key = fusebox({"module", "keygen", "release.key"});
  ASSERT_EQ(key.status, 0) << key.err;
  const std::string policy =
      write("signed.json", R"({"version":1,"integrity":{"require":"signature","trusted_keys":[)" + key.out + "]}}");
  const Finished unsigned_run = fusebox({"run", module, "--policy", policy, "--json"});
  EXPECT_EQ(unsigned_run.status, 125);
  EXPECT_EQ(member(unsigned_run, "code"), "\"INTEGRITY\"");
  ASSERT_EQ(fusebox({"module", "sign", module, "--key", "release.key"}).status, 0);
  const Finished signed_run = fusebox({"run", module, "--policy", policy});
  EXPECT_EQ(signed_run.status, 0) << signed_run.err;
  EXPECT_EQ(signed_run.out, "\"hello\"\n");
}

TEST_F(RunTest, EveryVerbHasHelpWithAnExample) {
  for (const char* verb :
       {"run", "compile", "inspect", "module", "policy", "audit", "doctor", "bench", "completion", "version"}) {
    const Finished done = fusebox({verb, "--help"});
    EXPECT_EQ(done.status, 0) << verb;
    EXPECT_THAT(done.out, HasSubstr("Example: ")) << verb;
  }
}

TEST_F(RunTest, CompiledArtifactRunsAndAForeignOneIsRefused) {
  const std::string module = write("hello.wat", kHello);
  const Finished compiled = fusebox({"compile", module, "-o", "hello.fbx"});
  ASSERT_EQ(compiled.status, 0) << compiled.err;
  const Finished done = fusebox({"run", "hello.fbx"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "\"hello\"\n");

  // The same file on another installation: another secret.
  fs::remove_all(folder_->path() / "data");
  fs::remove_all(folder_->path() / "cache");
  const Finished foreign = fusebox({"run", "hello.fbx"});
  EXPECT_EQ(foreign.status, 125);
  EXPECT_THAT(foreign.err, HasSubstr("not made by this installation, or changed since"));
}

TEST_F(RunTest, EachFlippedByteOfACompiledArtifactIsRefused) {
  ASSERT_EQ(fusebox({"compile", write("hello.wat", kHello), "-o", "hello.fbx"}).status, 0);
  auto bytes = base::read_file(folder_->path() / "hello.fbx", 64u << 20);
  ASSERT_TRUE(bytes);
  for (const std::size_t at : {std::size_t{0}, std::size_t{9}, bytes->size() / 2, bytes->size() - 1}) {
    std::string flipped = *bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    const Finished done = fusebox({"run", write("flipped.fbx", flipped)});
    EXPECT_EQ(done.status, 125) << "byte " << at;
    EXPECT_THAT(done.out, IsEmpty());
  }
}

TEST_F(RunTest, ReadOnlyCacheFolderDoesNotStopARun) {
  const Finished done = fusebox({"run", write("hello.wat", kHello), "--cache-dir", "/proc/nowhere"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "\"hello\"\n");
}

TEST_F(RunTest, InspectShowsImportsAndExportsWithTheirTypes) {
  const Finished done = fusebox({"inspect", write("loud.wat", kSpinLoudly)});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("import    function femto.log  (i32, i32) -> i32"));
  EXPECT_THAT(done.out, HasSubstr("export    function run  () -> ()"));
}

TEST_F(RunTest, PolicyDiffTellsByItsStatusWhetherAnythingWasWidened) {
  const std::string small = write("small.json", R"({"version":1,"limits":{"cpu_ms":100}})");
  const std::string large = write("large.json", R"({"version":1,"limits":{"cpu_ms":200}})");
  EXPECT_EQ(fusebox({"policy", "diff", small, large}).status, 1);
  EXPECT_EQ(fusebox({"policy", "diff", large, small}).status, 0);
  EXPECT_THAT(fusebox({"policy", "diff", small, large}).out, StartsWith("widened"));
}

TEST_F(RunTest, PolicyCheckNamesEveryProblemWithItsPlace) {
  const std::string file = write("bad.json", "{\"version\":1,\n \"limits\":{\"cpu_ms\":0,\n  \"memroy_bytes\":1}}");
  const Finished done = fusebox({"policy", "check", file});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.out, HasSubstr("bad.json:2:"));
  EXPECT_THAT(done.out, HasSubstr("bad.json:3:"));
  EXPECT_THAT(done.out, HasSubstr("did you mean \"memory_bytes\"?"));
}

TEST_F(RunTest, AuditLogOfARunVerifiesAndAChangedOneDoesNot) {
  ASSERT_EQ(fusebox({"run", write("hello.wat", kHello), "--audit", "audit.log"}).status, 0);
  const Finished good = fusebox({"audit", "verify", "audit.log"});
  EXPECT_EQ(good.status, 0) << good.out << good.err;
  auto text = base::read_file(folder_->path() / "audit.log", 1u << 20);
  ASSERT_TRUE(text);
  text->replace(text->find("execution_start"), 15, "execution_stunt");
  write("audit.log", *text);
  const Finished bad = fusebox({"audit", "verify", "audit.log"});
  EXPECT_EQ(bad.status, 1);
}

TEST_F(RunTest, CompletionOffersEveryVerb) {
  const Finished done = fusebox({"completion", "bash"});
  EXPECT_EQ(done.status, 0);
  for (const char* verb : {"run", "policy", "audit", "doctor"}) EXPECT_THAT(done.out, HasSubstr(verb));
}

}  // namespace
}  // namespace fusebox::testing
