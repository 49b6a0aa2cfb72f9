#include "policy/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "policy/load.h"

namespace fusebox::policy {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Policy read(std::string_view text) {
  base::json::Problems problems;
  auto policy = parse(text, "p.json", "", problems);
  EXPECT_TRUE(policy) << problems.to_error().message;
  return policy.value_or(Policy{});
}

TEST(Explain, TheDefaultPolicyGrantsNothing) {
  EXPECT_EQ(
      explain(Policy{}),
      "can use at most 64 MiB of memory, 5 s of CPU and 30 s in all per call, 512 KiB of stack, 10,000 table elements, "
      "no tick budget\n"
      "takes at most 1 MiB of input (utf8), gives at most 1 MiB of result (auto), from a module of at most 16 MiB\n"
      "can make at most 10,000 host calls per call; 64 calls at a time; a denied host call returns an error to the "
      "guest\n"
      "runs any module\n"
      "cannot reach the network\n"
      "cannot read files\n"
      "cannot write files\n"
      "cannot read any variable\n"
      "cannot log\n"
      "offers no registered capability\n"
      "keeps its last 10,000 audit records in memory; goes on when it cannot be written\n"
      "worst case of one call: 64 MiB of memory, 30 s, 0 requests sending 0 bytes and receiving 0 bytes, 0 bytes read, "
      "0 bytes written, 0 bytes logged; all calls at a time: 4 GiB of memory\n"
      "warning: integrity none: any module may use these grants\n");
}

constexpr std::string_view kRich = R"({"version":1,
  "limits":{"memory_bytes":"16MiB","ticks":1000000,"concurrent":2},
  "integrity":{"require":"signature"},
  "capabilities":{
    "log":{"enabled":true,"max_messages":10},
    "env":{"enabled":true,"vars":{"MODE":"secret-value"}},
    "http.request":{"enabled":true,"allow":["GET https://api.example.com/v1/*",{"host":"*.lan","scheme":"http","allow_private":true}],
      "deny":[{"path":"/admin"}]},
    "fs.read":{"enabled":true,"roots":[{"guest":"/data","host":"data","symlinks":"within"}]},
    "fs.write":{"enabled":true,"roots":[{"guest":"/out","host":"out","overwrite":true}]}}})";

TEST(Explain, GrantsAreNamedInWordsAndNumbers) {
  const std::string text = explain(read(kRich));
  for (const char* part :
       {"can use at most 16 MiB of memory, 5 s of CPU and 30 s in all per call", "1,000,000 ticks",
        "can reach GET https://api.example.com/v1/*; GET,HEAD http://*.lan/* (also at private addresses), except any "
        "method "
        "any scheme://any host/admin[/*]; at most 10 requests per call, each 64 KiB out, 1 MiB in, 10 s; redirects are "
        "not followed",
        "can read files below /data (host folder \"data\", files up to 1 MiB, symbolic links followed inside)",
        "can write files below /out (host folder \"out\", files up to 1 MiB, 100 files, may create, may overwrite)",
        "can read the variable MODE", "can log at most 10 messages of 4 KiB",
        "runs only modules signed by a trusted key (0)"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("secret-value")));
}

TEST(Explain, RiskyGrantsAreWarnings) {
  const Explanation all = explanation(read(kRich));
  for (const char* part :
       {"may contact this machine and its private networks", "http is neither encrypted nor authenticated",
        "every name below lan is trusted", "fs.write /out: existing files may be replaced",
        "fs.read /data: symbolic links below the folder are followed"})
    EXPECT_THAT(all.warnings, Contains(HasSubstr(part)));
  EXPECT_THAT(all.warnings, Not(Contains(HasSubstr("integrity none"))));
}

TEST(Explain, TheWorstCaseIsTheProductOfItsBounds) {
  const WorstCase worst = worst_case(read(kRich));
  EXPECT_EQ(worst.memory_bytes, 16u << 20);
  EXPECT_EQ(worst.concurrent_memory_bytes, 32u << 20);
  EXPECT_EQ(worst.http_requests, 10u);
  EXPECT_EQ(worst.http_sent_bytes, 10u * 65536);
  EXPECT_EQ(worst.http_received_bytes, 10u << 20);
  EXPECT_EQ(worst.file_read_bytes, 16u << 20) << "100 calls of 1 MiB, but 16 MiB in all";
  EXPECT_EQ(worst.log_bytes, 10u * 4096);
  Policy huge;
  huge.http.enabled = true;
  huge.http.allow.emplace_back();
  huge.http.max_requests = huge.limits.host_calls = 1u << 31;
  huge.http.max_response_bytes = ~std::uint64_t{0};
  EXPECT_EQ(worst_case(huge).http_received_bytes, ~std::uint64_t{0}) << "saturates instead of wrapping";
  Policy few_calls = read(kRich);
  few_calls.limits.host_calls = 3;
  EXPECT_EQ(worst_case(few_calls).http_requests, 3u);
}

TEST(Explain, SchedulesAndHardwareAreNamedWhereADocumentHasThem) {
  const std::string text = explain(read(
      R"({"version":1,"hal_groups":["camera","lidar"],"schedule":{"activation":["INTERVAL","EVENT"],"event_subscribe":[3],
         "step_interval_us":"10ms","restart":"limited","restart_max":1}})"));
  for (const char* part :
       {"is stepped every 10 ms and when event 3 is posted\n", "starts again after a fault, at most 1 time\n",
        "can use the hardware group camera and use the hardware group lidar\n", "5 s of CPU and 30 s in all per call"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(explain(Policy{}), Not(HasSubstr("is stepped")));
}

TEST(Explain, GrantedHardwareComesFirstThenWhatIsRefused) {
  const Hardware all[] = {{"temp", "read the temperature"}, {"camera", "take camera frames"}, {"event", "post events"}};
  const Wording wording{.stepped = true, .hardware = all, .events = {}};
  Policy policy;
  const auto hardware = [&] {
    for (const Topic& topic : explanation(policy, wording).topics)
      if (topic.name == "hardware") return topic.sentence;
    return std::string();
  };
  EXPECT_EQ(hardware(), "cannot read the temperature, take camera frames or post events");
  policy.hal_groups = {"camera"};
  EXPECT_EQ(hardware(), "can take camera frames; cannot read the temperature or post events");
  policy.hal_groups = {"camera", "event", "temp"};
  EXPECT_EQ(hardware(), "can read the temperature, take camera frames and post events");
}

TEST(Explain, JsonSaysTheSame) {
  const Policy policy = read(kRich);
  const auto document = base::json::parse(explain_json(policy));
  ASSERT_TRUE(document) << document.error().message;
  const base::json::Node& root = *document->root;
  EXPECT_EQ(root.find("hash")->string(), policy.hash_hex);
  EXPECT_EQ(root.find("worst_case")->find("http_requests")->as_u64(), 10u);
  EXPECT_EQ(root.find("topics")->elements().size(), explanation(policy).topics.size());
  EXPECT_EQ(root.find("warnings")->elements().size(), explanation(policy).warnings.size());
}

}  // namespace
}  // namespace fusebox::policy
