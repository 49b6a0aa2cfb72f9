#include "policy/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

std::string findings(std::string_view members) {
  return check_text(concat({R"({"version":1,)", members, "}"}), "p", "").text();
}

TEST(Check, DoubtsAreLocatedWarnings) {
  struct Case {
    const char* members;
    const char* line;
  };
  const Case cases[] = {
      {R"("limits":{"cpu_ms":9,"wall_ms":8})",
       "p:1:33: warning: the limit of CPU time is above the limit of total time and can never be met\n"},
      {R"("limits":{"memory_bytes":65537})",
       "p:1:39: warning: memory comes in pages of 64 KiB; this allows 1 of them\n"},
      {R"("integrity":{"require":"hash"})",
       "p:1:26: warning: integrity requires a hash and none is listed, so no module can run\n"},
      {R"("integrity":{"require":"signature"})",
       "p:1:26: warning: integrity requires a signature and no key is trusted, so no module can run\n"},
      {R"("capabilities":{"env":{"enabled":true}})",
       "p:1:36: warning: env is enabled but its variable list is empty, so every call is refused\n"},
      {R"("capabilities":{"network.request":{"enabled":true}})",
       "p:1:48: warning: http.request is enabled but its allow list is empty, so every call is refused\n"},
      {R"("capabilities":{"http.request":{"allow":["GET https://a/"]}})",
       "p:1:45: warning: http.request is not enabled, so its allow list has no effect\n"},
      {R"("capabilities":{"fs.read":{"enabled":true}})",
       "p:1:40: warning: fs.read is enabled but its root list is empty, so every call is refused\n"},
      {R"("capabilities":{"http.request":{"enabled":true,"allow":[{"host":"a","path":"/v1/*"}]}})",
       "p:1:89: warning: '*' stands for itself in a path; for all below a folder end the path in '/', or use the short "
       "form\n"},
      {R"("capabilities":{"http.request":{"enabled":true,"allow":["GET https://a/x"],"deny":[{"host":"a"}]}})",
       "p:1:70: warning: a deny entry covers this entry wholly, so it allows nothing\n"},
      {R"("capabilities":{"http.request":{"enabled":true,"allow":["GET https://a/*","GET https://a/x"]}})",
       "p:1:88: warning: allow entry 0 covers this entry wholly\n"},
      {R"("capabilities":{"http.request":{"enabled":true,"max_redirects":1,"allow":["POST https://a/x"]}})",
       "p:1:88: warning: redirects are followed, most of them as GET, and this entry does not allow GET\n"},
      {R"("capabilities":{"http.request":{"enabled":true,"allow":["GET https://a/x"],"response_headers":[]}})",
       "p:1:108: warning: redirects go to the guest, which cannot see their \"location\"\n"},
      {R"("capabilities":{"fs.raed":{}})",
       "p:1:40: warning: \"fs.raed\" is taken for a registered capability; did you mean \"fs.read\"?\n"},
      {R"("capabilities":{"a.b":{"enabled":true,"hosts":["env"]}})",
       "p:1:60: warning: a.b may use env, which is not enabled\n"},
      {R"("schedule":{"activation":["EVENT"]})",
       "p:1:25: warning: EVENT activates the module, and it subscribes to no event\n"},
      {R"("schedule":{"event_subscribe":[1]})",
       "p:1:25: warning: events are subscribed to, and EVENT does not activate the module\n"},
      {R"("limits":{"cpu_ms":8,"wall_ms":8})", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.members);
    EXPECT_EQ(findings(c.members), c.line);
    EXPECT_TRUE(check_text(concat({R"({"version":1,)", c.members, "}"}), "p", "").ok());
  }
}

TEST(Check, ErrorsAreAllThereAndNothingElse) {
  const CheckReport report = check_text(R"({"version":1,"limits":{"cpu_ms":0,"wall_ms":0}})", "p", "");
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.text(),
            "p:1:33: error: cpu_ms is 0; allowed is 1 to 3600000 ms\np:1:45: error: wall_ms is 0; allowed is 1 to "
            "3600000 ms\n");
  EXPECT_FALSE(check_text("{", "p", "").ok());
}

TEST(Check, AMissingFolderIsAnError) {
  auto dir = base::TempDir::create();
  ASSERT_TRUE(dir);
  const auto file = dir->path() / "p.json";
  ASSERT_TRUE(base::write_file_atomic(
      file,
      base::as_bytes(std::string_view(
          R"({"version":1,"capabilities":{"fs.read":{"enabled":true,"roots":[{"guest":"/d","host":"data"}]}}})"))));
  const auto missing = check(file);
  ASSERT_TRUE(missing);
  EXPECT_FALSE(missing->ok());
  EXPECT_EQ(missing->text(), concat({file.string(), ":1:86: error: the folder \"", (dir->path() / "data").string(),
                                     "\" does not exist; make it, or name another\n"}));
  std::filesystem::create_directory(dir->path() / "data");
  const auto present = check(file);
  ASSERT_TRUE(present);
  EXPECT_TRUE(present->ok()) << present->text();
  EXPECT_EQ(check(dir->path() / "none").error().code, base::Errc::not_found);
}

TEST(Check, JsonHoldsEveryFinding) {
  const auto document = base::json::parse(check_text(R"({"version":1,"limits":{"cpu_ms":0}})", "p", "").json());
  ASSERT_TRUE(document);
  EXPECT_FALSE(document->root->find("ok")->boolean());
  const auto& finding = document->root->find("findings")->elements()[0];
  EXPECT_EQ(finding.find("severity")->string(), "error");
  EXPECT_EQ(finding.find("pointer")->string(), "/limits/cpu_ms");
  EXPECT_EQ(finding.find("column")->as_u64(), 33u);
}

}  // namespace
}  // namespace fusebox::policy
