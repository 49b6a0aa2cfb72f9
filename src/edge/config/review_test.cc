#include "edge/config/review.h"

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "base/files.h"
#include "edge/config/config_test_tools.h"
#include "policy/write.h"

namespace fusebox::edge::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Review reviewed(std::string_view text, std::string file = "c") {
  auto review = review_text(text, std::move(file));
  EXPECT_TRUE(review) << "no edge document";
  return review ? *std::move(review) : Review{};
}

std::string bytes_of(const fuse_policy_t& policy) {
  return std::string(base::as_text(policy_to_bin(policy)));
}

constexpr const char* kFlat =
    R"({"capabilities":28,"memory_pages_max":6,"stack_size":8192,"heap_size":8192,"cpu_quota_us":5000,"step_interval_us":0,
  "activation_mask":2,"event_subscribe":1})";
constexpr fuse_policy_t kSame = {28, 6, 8192, 8192, 5000, 0, 2, 1};

TEST(Review, TheDocumentSaysWhatItIs) {
  EXPECT_FALSE(review_text(R"({"version":1})", "p.json"));
  EXPECT_FALSE(review_text(R"({"version":1,"stack_size":1})", "p.json")) << "a version makes it a policy of all faces";
  EXPECT_FALSE(review_text("[]", "p.json"));
  EXPECT_FALSE(review_text("{", "p.json"));
  EXPECT_FALSE(review_text(R"({"version":1                   })", "p.json")) << "32 bytes of text";
  EXPECT_TRUE(reviewed(kDemo).deployment);
  EXPECT_FALSE(reviewed(kFlat).deployment);
  EXPECT_FALSE(reviewed(bytes_of(kSame)).deployment);
  EXPECT_THAT(reviewed(R"({"stack_size":1})").notes.text(), HasSubstr("key \"capabilities\" is missing in policy"));
  EXPECT_THAT(reviewed(R"({"application":1,"application":2})").notes.text(), HasSubstr("is given twice"));
  EXPECT_EQ(reviewed(std::string(31, '\0'), "p.bin").notes.text(),
            "p.bin:1:1: a policy file has 32 bytes, this one has 31\n");
}

TEST(Review, EveryFormOfOnePolicyIsOnePolicy) {
  const policy::Policy flat = reviewed(kFlat).modules.at(0).policy;
  const policy::Policy bytes = reviewed(bytes_of(kSame)).modules.at(0).policy;
  EXPECT_TRUE(policy::same_rules(flat, bytes));
  EXPECT_TRUE(diff(reviewed(kFlat), reviewed(bytes_of(kSame)))->empty());
  EXPECT_EQ(flat.limits.memory_bytes, 6u * 65536);
  EXPECT_EQ(flat.limits.cpu_limit_ns(), 5'000'000u);
  EXPECT_TRUE(flat.log.enabled);
  EXPECT_THAT(flat.hal_groups, ElementsAre("camera", "event"));
}

TEST(Review, OptionsOfTheRuntimeBoundItsModules) {
  EdgePolicy policy;
  EXPECT_EQ(to_policy(policy).limits.memory_bytes, std::uint64_t{65536} * 65536);
  EXPECT_EQ(to_policy(policy).limits.cpu_limit_ns(), policy::kNoTimeLimit);
  fuse_options_t options{};
  options.memory_pages_cap = 10;
  options.step_ceiling_us = 7;
  EXPECT_EQ(to_policy(policy, options).limits.memory_pages(), 10u);
  EXPECT_EQ(to_policy(policy, options).limits.cpu_limit_ns(), 7000u);
  policy.policy.memory_pages_max = 11;
  policy.policy.cpu_quota_us = 9;
  EXPECT_EQ(to_policy(policy, options).limits.memory_pages(), 10u);
  EXPECT_EQ(to_policy(policy, options).limits.cpu_limit_ns(), 9000u);
  policy.policy.activation_mask = 8;
  EXPECT_EQ(to_policy(policy).schedule.activation_mask, policy::Schedule::kManual) << "never run by tick";
}

TEST(Review, ExplainsInTheWordsOfAllPolicies) {
  EXPECT_EQ(
      explain(reviewed(bytes_of(kSame))),
      "can use at most 384 KiB of memory and 5 ms of CPU per step, no tick budget, 8 KiB of stack or the runtime's "
      "floor, and the runtime's lifecycle budget to start and to end\n"
      "is stepped when event 0 is posted\n"
      "stays stopped after a fault\n"
      "runs any module\n"
      "can take camera frames and post events; cannot read the temperature sensor, read the clock, read and set "
      "digital pins or use the serial ports\n"
      "cannot reach the network\n"
      "cannot read files\n"
      "cannot write files\n"
      "cannot read any variable\n"
      "can log any number of entries per step\n"
      "worst case of one step: 384 KiB of memory, 5 ms of CPU\n"
      "warning: integrity none: any module may use these grants\n");
}

TEST(Review, ADeploymentIsExplainedModuleByModuleWithItsEvents) {
  const std::string text = explain(reviewed(kDemo));
  EXPECT_THAT(text, StartsWith("module filter (out/filter.aot)\ncan use at most"));
  EXPECT_THAT(text, HasSubstr("is stepped when FRAME (event 0) is posted\n"));
  const auto json = base::json::parse(explain_json(reviewed(kDemo)));
  ASSERT_TRUE(json) << json.error().message;
  const base::json::Node& module = json->root->find("modules")->elements()[0];
  EXPECT_EQ(module.find("name")->string(), "filter");
  EXPECT_NE(module.find("policy")->find("topics"), nullptr);
  EXPECT_EQ(json->root->find("hash")->string().size(), 64u);
  std::string none(kDemo);
  none.resize(none.find(",\n  \"modules\""));
  EXPECT_EQ(explain(reviewed(none + "}")), "no module: what runs is loaded by the host\n");
}

TEST(Review, WarningsAreShownWithTheExplanationAndTheCheck) {
  const Review review = reviewed(demo_with(R"("event_subscribe": ["FRAME"])", R"("event_subscribe": [])"));
  EXPECT_THAT(explain(review), HasSubstr("is never stepped by the host's ticks: it waits for events"));
  EXPECT_THAT(explain(review), HasSubstr("c:21:23: warning: EVENT activates the module"));
  const policy::CheckReport report = check(review);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.text(), "c:21:23: warning: EVENT activates the module, and it subscribes to no event\n");
  EXPECT_EQ(report.policy->hash_hex.size(), 64u);
  const policy::CheckReport bad = check(reviewed(demo_with(R"("name": "demo",)", "")));
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.text(), "c:2:18: error: key \"name\" is missing in application\n");
  EXPECT_EQ(check(reviewed(bytes_of({0x80, 0, 0, 0, 0, 0, 0, 0}))).text(),
            "c:1:1: warning: capability bits 0x80 are unknown to this build and grant nothing\n");
}

TEST(Review, ChangesAreNamedByModule) {
  const Review before = reviewed(kDemo);
  const auto text = [&](std::string_view from, std::string_view to) {
    return diff(before, reviewed(demo_with(from, to)))->text();
  };
  EXPECT_EQ(text("5000", "0"),
            "widened   /modules/filter/limits/cpu_ms: the limit of CPU time rose from 5 ms to no limit\n");
  EXPECT_EQ(text(R"("CAMERA", "LOG")", R"("LOG", "TIMER")"),
            "widened   /modules/filter/hal_groups: the hardware group \"timer\" was added\n"
            "narrowed  /modules/filter/hal_groups: the hardware group \"camera\" was removed\n");
  EXPECT_EQ(text(R"("name": "filter")", R"("name": "other")"),
            "widened   /modules/other: the module was added\nnarrowed  /modules/filter: the module was removed\n");
  EXPECT_EQ(text("out/filter.aot", "out/filter.wasm"),
            "changed   /modules/filter/binary: the module goes from \"out/filter.aot\" to \"out/filter.wasm\"\n");
  EXPECT_EQ(text(R"("heap_size": 8192)", R"("heap_size": 1)"), "no difference\n") << "it allows nothing";
  const auto mixed = diff(before, reviewed(kFlat));
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, base::Errc::invalid);
  EXPECT_THAT(mixed.error().message, HasSubstr("one is a deployment, the other a single policy"));
}

TEST(Review, WhatGoesBeyondTheBytesIsExplainedAndCompared) {
  const auto with = [](const std::string& members) {
    return reviewed(demo_with(R"("heap_size": 8192)", R"("heap_size": 8192, "fusebox": {)" + members + "}"));
  };
  const Review rich = with(
      R"("tick_budget":1000,"priority":3,"phase_us":5,"deadline_us":2000,"drift_free":true,"init_budget_us":9000,
         "log_entries_per_step":1,"sha256":")" +
      std::string(64, 'a') + R"(","on_fault":{"restart":"limited","max":3,"backoff_us":1000})");
  const std::string text = explain(rich);
  for (const char* part :
       {"5 ms of CPU per step, 1,000 ticks per step", "and 9 ms to start and to end",
        "; first 5 us after its start; counted as late 2 ms after it is due; periods do not drift; priority 3",
        "starts again after a fault, 1 ms later, at most 3 times", "runs only modules whose hash is listed (1)",
        "can log at most 1 entry per step"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("integrity none")));
  EXPECT_THAT(explain(with(R"("on_fault":{"restart":"always"})")), HasSubstr("starts again after a fault, always\n"));
  EXPECT_EQ(diff(with(R"("log_entries_per_step":1)"), with(""))->text(),
            "widened   /modules/filter/schedule/log_entries_per_step: log_entries_per_step rose from 1 to off\n");
  EXPECT_EQ(
      diff(with(R"("on_fault":{"restart":"limited","max":3})"), with(R"("on_fault":{"restart":"limited","max":2})"))
          ->text(),
      "narrowed  /modules/filter/schedule/restart_max: restart_max fell from 3 to 2\n");
  EXPECT_EQ(diff(with(""), with(R"("on_fault":{"restart":"always"})"))->text(),
            "widened   /modules/filter/schedule/restart: restart went from never to always\n");
  EXPECT_EQ(diff(with(R"("on_fault":{"restart":"always","backoff_us":5})"), with(R"("on_fault":{"restart":"always"})"))
                ->text(),
            "widened   /modules/filter/schedule/restart_backoff_us: a restart waits 0 us, before 5 us\n");
  EXPECT_THAT(diff(with(R"("init_budget_us":1000000)"), with(""))->text(), StartsWith("no difference"));
}

TEST(Review, SchedulesInWords) {
  const auto schedule = [](std::uint32_t mask, std::uint32_t interval, std::uint32_t events) {
    const std::string text = explain(reviewed(bytes_of({0, 1, 0, 0, 1, interval, mask, events})));
    const std::size_t at = text.find("is ");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(schedule(0, 0, 0), "is stepped at every tick of the host");
  EXPECT_EQ(schedule(1, 10'000'000, 0), "is stepped every 10 s");
  EXPECT_EQ(schedule(1, 10, 1), "is stepped every 10 us") << "events only accumulate";
  EXPECT_EQ(schedule(3, 10, 7), "is stepped every 10 us and when event 0, event 1 or event 2 is posted");
  EXPECT_EQ(schedule(2, 10, 0x80000000), "is stepped when event 31 is posted");
  EXPECT_EQ(schedule(4, 0, 0), "is stepped only when the host asks");
  EXPECT_EQ(schedule(7, 10, 1), "is stepped only when the host asks, at most every 10 us");
  EXPECT_EQ(schedule(2, 0, 0), "is never stepped by the host's ticks: it waits for events and subscribes to none");
}

TEST(Review, UnlimitedTimeIsAWarning) {
  const std::string text = explain(reviewed(bytes_of({0, 1, 0, 0, 0, 0, 0, 0})));
  EXPECT_THAT(text, HasSubstr("and any amount of CPU per step"));
  EXPECT_THAT(text, HasSubstr("cannot read the temperature sensor, read the clock, take camera frames, post events"));
  EXPECT_THAT(text, HasSubstr("cannot log\n"));
  EXPECT_THAT(text, HasSubstr("warning: cpu_quota_us 0: a step may use the processor for as long as it likes\n"));
}

TEST(Review, ReadsFiles) {
  const auto folder = base::TempDir::create("fusebox-review");
  ASSERT_TRUE(folder);
  EXPECT_EQ(review(folder->path() / "none").error().code, base::Errc::not_found);
  const auto file = folder->path() / "policy.bin";
  ASSERT_TRUE(base::write_file_atomic(file, policy_to_bin(kSame)));
  const auto found = review(file);
  ASSERT_TRUE(found && *found);
  EXPECT_THAT((*found)->notes.lines(), IsEmpty());
  EXPECT_EQ((*found)->file, file.string());
}

}  // namespace
}  // namespace fusebox::edge::config
