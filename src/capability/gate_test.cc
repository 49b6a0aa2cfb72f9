#include "capability/gate.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

TEST(CapabilityId, AcceptsExactlyTheGrammar) {
  struct Case {
    std::string id;
    bool want;
  };
  const Case cases[] = {
      {"log", true},
      {"http.request", true},
      {"a", true},
      {"a1_b.c2", true},
      {std::string(128, 'a'), true},
      {std::string(129, 'a'), false},
      {"", false},
      {".", false},
      {"a.", false},
      {".a", false},
      {"a..b", false},
      {"1a", false},
      {"a.1", false},
      {"A", false},
      {"a-b", false},
      {"_a", false},
      {"a b", false},
      {std::string("a\0", 2), false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.id);
    EXPECT_EQ(is_capability_id(c.id), c.want);
  }
}

TEST(HostCapabilityNames, AliasesNameTheSameCapability) {
  EXPECT_EQ(host_capability("network.request"), HostCapability::http_request);
  EXPECT_EQ(host_capability("filesystem.read"), HostCapability::fs_read);
  EXPECT_EQ(host_capability("filesystem.write"), HostCapability::fs_write);
  EXPECT_EQ(host_capability("Log"), std::nullopt);
  EXPECT_EQ(to_string(HostCapability::http_request), "http.request");
  EXPECT_EQ(to_string(HostCapability::none), "");
}

TEST(GrantsSet, DefaultPolicyEnablesNothingButTheAbi) {
  const Grants grants = enabled_by(policy::Policy{});
  EXPECT_TRUE(grants.has(HostCapability::none));
  for (const auto c : {HostCapability::log, HostCapability::http_request, HostCapability::fs_read,
                       HostCapability::fs_write, HostCapability::env}) {
    EXPECT_FALSE(grants.has(c)) << to_string(c);
  }
}

TEST(GrantsSet, IntersectionKeepsOnlyWhatBothGrant) {
  policy::Policy policy;
  policy.log.enabled = true;
  policy.env.enabled = true;
  const std::string named[] = {"log", "filesystem.read", "no.such"};
  const Grants both = enabled_by(policy) & named_by(named);
  EXPECT_TRUE(both.has(HostCapability::log));
  EXPECT_FALSE(both.has(HostCapability::env));
  EXPECT_FALSE(both.has(HostCapability::fs_read));
  EXPECT_TRUE(both.has(HostCapability::none));
}

TEST(Gate, DisabledHostFunctionIsRefusedByName) {
  const Ruling ruling = gate::host_function(HostCapability::fs_write, Grants::none());
  EXPECT_EQ(ruling.decision, Decision::denied_capability_disabled);
  EXPECT_EQ(ruling.code, HostCode::capability_disabled);
  EXPECT_EQ(ruling.reason, "fs.write is not enabled for this module");
  EXPECT_TRUE(gate::host_function(HostCapability::none, Grants::none()).authorized());
}

TEST(Gate, HostCallsAreAllowedUpToTheLimit) {
  policy::Limits limits;
  limits.host_calls = 2;
  Counters counters;
  counters.host_calls = 2;
  EXPECT_TRUE(gate::host_calls(limits, counters).authorized());
  counters.host_calls = 3;
  const Ruling ruling = gate::host_calls(limits, counters);
  EXPECT_EQ(ruling.decision, Decision::denied_policy_violation);
  EXPECT_EQ(ruling.code, HostCode::limit);
  EXPECT_EQ(ruling.reason, "limits.host_calls allows 2 host calls in one execution");
}

TEST(Gate, LogFloodIsRefusedByCountAndByBytes) {
  policy::LogRules rules;
  rules.max_messages = 2;
  rules.max_total_bytes = 10;
  Counters counters{.log_messages = 1, .log_bytes = 4};
  EXPECT_TRUE(gate::log_message(rules, counters, 6).authorized());
  EXPECT_EQ(gate::log_message(rules, counters, 7).reason,
            "log.max_total_bytes allows 10 bytes of messages in one execution");
  counters.log_messages = 2;
  EXPECT_EQ(gate::log_message(rules, counters, 0).reason, "log.max_messages allows 2 messages in one execution");
  EXPECT_EQ(gate::log_message(rules, {}, ~0ull).code, HostCode::limit);
}

TEST(Gate, EnvironmentNamesAreChecked) {
  EXPECT_TRUE(gate::environment_name("HOME").authorized());
  EXPECT_TRUE(gate::environment_name(std::string(255, 'x')).authorized());
  for (const std::string& bad : {std::string(), std::string(256, 'x'), std::string("a=b"), std::string("a\0b", 3)}) {
    const Ruling ruling = gate::environment_name(bad);
    EXPECT_EQ(ruling.decision, Decision::denied_argument_invalid);
    EXPECT_EQ(ruling.code, HostCode::argument_invalid);
  }
}

TEST(Gate, InvocationNeedsRegistrationThenEnabling) {
  policy::Policy policy;
  EXPECT_EQ(gate::invocation("math.sum", false, policy).decision, Decision::denied_capability_not_found);
  EXPECT_EQ(gate::invocation("math.sum", false, policy).reason, "no capability \"math.sum\" is registered");
  EXPECT_EQ(gate::invocation("math.sum", true, policy).decision, Decision::denied_capability_disabled);
  policy.registered["math.sum"].enabled = false;
  EXPECT_EQ(gate::invocation("math.sum", true, policy).reason, "the policy does not enable \"math.sum\"");
  policy.registered["math.sum"].enabled = true;
  EXPECT_TRUE(gate::invocation("math.sum", true, policy).authorized());
}

}  // namespace
}  // namespace fusebox::capability
