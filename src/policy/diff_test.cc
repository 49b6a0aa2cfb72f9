#include "policy/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"
#include "policy/http_match.h"
#include "policy/load.h"
#include "policy/random_policy.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

Policy read(std::string_view members) {
  base::json::Problems problems;
  auto policy = parse(concat({R"({"version":1,)", members, "}"}), "p.json", "", problems);
  EXPECT_TRUE(policy) << problems.to_error().message << "\n" << members;
  return policy.value_or(Policy{});
}

struct Case {
  const char* a;
  const char* b;
  const char* forward;   // the line from a to b
  const char* backward;  // the line from b to a
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(concat({c.a, "  ->  ", c.b}));
    EXPECT_EQ(diff(read(c.a), read(c.b)).text(), concat({c.forward, "\n"}));
    EXPECT_EQ(diff(read(c.b), read(c.a)).text(), concat({c.backward, "\n"}));
  }
}

TEST(Diff, NumbersSwitchesAndChoices) {
  check({
      {R"("limits":{"memory_bytes":"1MiB"})", R"("limits":{"memory_bytes":"2MiB"})",
       "widened   /limits/memory_bytes: memory_bytes rose from 1 MiB to 2 MiB",
       "narrowed  /limits/memory_bytes: memory_bytes fell from 2 MiB to 1 MiB"},
      {R"("limits":{"ticks":5})", R"("limits":{"ticks":0})", "widened   /limits/ticks: ticks rose from 5 to off",
       "narrowed  /limits/ticks: ticks fell from off to 5"},
      {R"("limits":{"cpu_ms":5})", R"("limits":{"cpu_ns":50000})",
       "narrowed  /limits/cpu_ms: the limit of CPU time fell from 5 ms to 50 us",
       "widened   /limits/cpu_ms: the limit of CPU time rose from 50 us to 5 ms"},
      {R"("capabilities":{})", R"("capabilities":{"log":{"enabled":true}})",
       "widened   /capabilities/log/enabled: enabled was switched on",
       "narrowed  /capabilities/log/enabled: enabled was switched off"},
      {R"("on_denied":"trap")", R"("on_denied":"error")", "changed   /on_denied: on_denied went from trap to error",
       "changed   /on_denied: on_denied went from error to trap"},
      {R"("integrity":{"require":"hash"})", R"("integrity":{"require":"none"})",
       "widened   /integrity/require: require went from hash to none",
       "narrowed  /integrity/require: require went from none to hash"},
      {R"("metering":"required")", R"("metering":"preferred")",
       "widened   /metering: metering went from required to preferred",
       "narrowed  /metering: metering went from preferred to required"},
      {R"("hal_groups":[])", R"("hal_groups":["timer"])",
       "widened   /hal_groups: the hardware group \"timer\" was added",
       "narrowed  /hal_groups: the hardware group \"timer\" was removed"},
      {R"("audit":{"redact":["x-key"]})", R"("audit":{})",
       "widened   /audit/redact: values of \"x-key\" are no longer redacted",
       "narrowed  /audit/redact: values of \"x-key\" are redacted now"},
      {R"("capabilities":{"env":{"vars":{"A":"1"}}})", R"("capabilities":{"env":{"vars":{"A":"2"}}})",
       "changed   /capabilities/env/vars: the variable \"A\" has another value",
       "changed   /capabilities/env/vars: the variable \"A\" has another value"},
      {R"("capabilities":{"a.b":{"enabled":true}})",
       R"("capabilities":{"a.b":{"enabled":true,"arguments":{"type":"object"}}})",
       "narrowed  /capabilities/a.b/arguments: arguments are checked now",
       "widened   /capabilities/a.b/arguments: arguments are no longer checked"},
      {R"("schedule":{"step_interval_us":10})", R"("schedule":{"step_interval_us":9})",
       "widened   /schedule: the module is stepped more often, earlier, or by more events",
       "narrowed  /schedule: the module is stepped less often, later, or by fewer events"},
      {R"("schedule":{"log_entries_per_step":9})", R"("schedule":{"log_entries_per_step":0})",
       "widened   /schedule/log_entries_per_step: log_entries_per_step rose from 9 to off",
       "narrowed  /schedule/log_entries_per_step: log_entries_per_step fell from off to 9"},
      {R"("schedule":{"init_budget_us":0})", R"("schedule":{"init_budget_us":1000001})",
       "widened   /schedule/init_budget_us: init_budget_us rose from 1,000,000 us to 1,000,001 us",
       "narrowed  /schedule/init_budget_us: init_budget_us fell from 1,000,001 us to 1,000,000 us"},
      {R"("schedule":{"restart":"never"})", R"("schedule":{"restart":"limited"})",
       "widened   /schedule/restart: restart went from never to limited",
       "narrowed  /schedule/restart: restart went from limited to never"},
  });
}

TEST(Diff, HttpRulesAreComparedByWhatTheyMatch) {
  const auto http = [](const char* lists) {
    return read(concat({R"("capabilities":{"http.request":{)", lists, "}}"}));
  };
  const Policy folder = http(R"("allow":["GET https://a.com/v1/*"])");
  const Policy file = http(R"("allow":["GET https://a.com/v1/x"])");
  EXPECT_EQ(diff(file, folder).text(),
            "widened   /capabilities/http.request/allow/0: GET https://a.com/v1/* is allowed now\n");
  EXPECT_EQ(diff(folder, file).text(),
            "narrowed  /capabilities/http.request/allow: GET https://a.com/v1/* is no longer allowed\n");
  EXPECT_TRUE(diff(http(R"("allow":["GET https://a.com/*","GET https://b.com/*"])"),
                   http(R"("allow":["GET https://b.com/*","GET https://a.com/*","GET https://a.com/x"])"))
                  .empty())
      << "order and covered entries change nothing";
  EXPECT_TRUE(diff(http(R"("allow":[{"host":"a.com"}])"), http(R"("allow":[{"host":"a.com","allow_private":true}])"))
                  .widened());
  const Policy denied = http(R"("deny":[{"path":"/admin"}])");
  EXPECT_EQ(
      diff(denied, http("")).text(),
      "widened   /capabilities/http.request/deny/0: any method any scheme://any host/admin[/*] is no longer denied\n");
  EXPECT_FALSE(diff(http(""), denied).widened());
  EXPECT_TRUE(diff(http(R"("allow":["GET https://a.com/x"])"), http(R"("allow":["GET https://b.com/x"])")).widened());
}

TEST(Diff, RootsAreComparedByGuestPath) {
  const auto roots = [](const char* list) {
    return read(concat({R"("capabilities":{"fs.write":{"roots":[)", list, "]}}"}));
  };
  const Policy one = roots(R"({"guest":"/a","host":"x"})");
  EXPECT_EQ(diff(roots(""), one).text(),
            "widened   /capabilities/fs.write/roots/0: the root /a was added and shows \"x\"\n");
  EXPECT_EQ(diff(one, roots("")).text(), "narrowed  /capabilities/fs.write/roots: the root /a was removed\n");
  EXPECT_EQ(diff(one, roots(R"({"guest":"/a","host":"y"})")).text(),
            "widened   /capabilities/fs.write/roots/0: the root /a shows \"y\", before \"x\"\n");
  EXPECT_EQ(diff(one, roots(R"({"guest":"/a","host":"x","create":false})")).text(),
            "narrowed  /capabilities/fs.write/roots/0/create: create was switched off\n");
  EXPECT_EQ(diff(roots(R"({"guest":"/a","host":"x"},{"guest":"/a/b","host":"y"})"), one).text(),
            "widened   /capabilities/fs.write/roots: the root /a/b was removed, and a root around it shows through\n");
  EXPECT_TRUE(diff(roots(R"({"guest":"/a","host":"x"},{"guest":"/b","host":"y"})"),
                   roots(R"({"guest":"/b","host":"y"},{"guest":"/a","host":"x"})"))
                  .widened())
      << "relative paths start at the first root";
}

TEST(Diff, TrustedKeysAreComparedByTheirBytes) {
  const auto keys = [](const char* list) { return read(concat({R"("integrity":{"trusted_keys":[)", list, "]}"})); };
  const std::string key = R"("public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")";
  const Policy open = keys(concat({R"({"id":"k",)", key, "}"}).c_str());
  const Policy ends = keys(concat({R"({"id":"k",)", key, R"(,"not_after":"2030-01-01T00:00:00Z"})"}).c_str());
  const Policy renamed = keys(concat({R"({"id":"l",)", key, "}"}).c_str());
  EXPECT_EQ(diff(open, ends).text(),
            "narrowed  /integrity/trusted_keys: the trusted key \"k\" is accepted for a shorter time\n");
  EXPECT_TRUE(diff(ends, open).widened());
  EXPECT_TRUE(diff(keys(""), open).widened());
  EXPECT_EQ(diff(open, keys("")).text(), "narrowed  /integrity/trusted_keys: the trusted key \"k\" was removed\n");
  EXPECT_EQ(diff(open, renamed).text(), "changed   /integrity/trusted_keys: the trusted key \"k\" is called \"l\"\n");
}

TEST(Diff, OfAPolicyWithItselfIsEmpty) {
  base::SeededRandom random(3);
  RandomPolicy policies(random);
  for (int i = 0; i < 200; ++i) {
    const Policy policy = policies.next();
    EXPECT_EQ(diff(policy, policy).text(), "no difference\n");
    EXPECT_FALSE(diff(policy, policy).widened());
  }
}

// The promise a review pipeline rests on: whatever request the second policy allows and the first did not is reported.
TEST(Diff, EveryNewlyAllowedRequestIsWidening) {
  base::SeededRandom random(4);
  RandomPolicy policies(random);
  const HttpRequestView requests[] = {{"GET", "https", "a.example.com", 443, "/v1", false},
                                      {"POST", "http", "10.0.0.1", 80, "/", true},
                                      {"PUT", "https", "b_c", 65535, "/v1/x", false},
                                      {"GET", "http", "x.example.com", 1, "/v1/", true}};
  int newly_allowed = 0;
  for (int i = 0; i < 2000; ++i) {
    Policy a = policies.next();
    Policy b = policies.next();
    for (Policy* policy : {&a, &b})
      for (HttpRule& rule : policy->http.allow) rule.port = requests[policies.below(4)].port;
    if (policies.below(2) == 0) b.http.allow.insert(b.http.allow.end(), a.http.allow.begin(), a.http.allow.end());
    for (const HttpRequestView& request : requests) {
      if (!match_http(b.http, request).allowed || match_http(a.http, request).allowed) continue;
      ++newly_allowed;
      Policy only_http = a;
      only_http.http.allow = b.http.allow;
      only_http.http.deny = b.http.deny;
      EXPECT_TRUE(diff(a, only_http).widened()) << diff(a, only_http).text();
    }
  }
  EXPECT_GT(newly_allowed, 50) << "the generator must produce what the test is about";
}

TEST(Diff, JsonSaysTheSame) {
  const auto document = base::json::parse(diff(read(R"("limits":{})"), read(R"("limits":{"cpu_ms":6000})")).json());
  ASSERT_TRUE(document);
  EXPECT_TRUE(document->root->find("widened")->boolean());
  const auto& change = document->root->find("changes")->elements()[0];
  EXPECT_EQ(change.find("kind")->string(), "widened");
  EXPECT_EQ(change.find("pointer")->string(), "/limits/cpu_ms");
  EXPECT_EQ(change.find("message")->string(), "the limit of CPU time rose from 5 s to 6 s");
}

}  // namespace
}  // namespace fusebox::policy
