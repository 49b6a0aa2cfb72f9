#include "policy/write.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "policy/load.h"
#include "policy/pretty.h"
#include "policy/random_policy.h"

namespace fusebox::policy {
namespace {

std::optional<Policy> read(std::string_view text) {
  base::json::Problems problems;
  auto policy = parse(text, "p.json", "", problems);
  EXPECT_TRUE(policy) << problems.to_error().message << "\n" << text;
  return policy;
}

TEST(Write, WhatIsWrittenIsReadAgain) {
  constexpr std::uint64_t kSeed = 20;
  SCOPED_TRACE(kSeed);
  base::SeededRandom random(kSeed);
  RandomPolicy policies(random);
  for (int i = 0; i < 300; ++i) {
    const Policy policy = policies.next();
    const auto again = read(write(policy));
    ASSERT_TRUE(again);
    EXPECT_TRUE(same_rules(policy, *again)) << write(policy) << "\n" << write(*again);
    const auto indented = read(write_pretty(policy));
    ASSERT_TRUE(indented);
    EXPECT_EQ(indented->hash_hex, again->hash_hex) << "indentation is not part of the identity";
  }
}

TEST(Write, TheDefaultPolicyIsTheEmptyDocument) {
  const auto empty = read(R"({"version":1})");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(same_rules(*empty, Policy{}));
  EXPECT_EQ(write(*empty), write(Policy{}));
}

TEST(Write, NanosecondsOfAKeysLastMomentAreKept) {
  Policy policy;
  TrustedKey& key = policy.integrity.trusted_keys.emplace_back();
  key.id = "k";
  key.not_after_unix_ns = 1'700'000'000'000'000'001;
  EXPECT_NE(write(policy).find("2023-11-14T22:13:20.000000001Z"), std::string::npos) << write(policy);
}

TEST(SameRules, LooksAtEverythingButTheOrigin) {
  Policy a;
  Policy b;
  b.base_dir = "/elsewhere";
  b.hash_hex = "00";
  EXPECT_TRUE(same_rules(a, b));
  b.limits.concurrent = 1;
  EXPECT_FALSE(same_rules(a, b));
}

TEST(Pretty, KeepsListsOfPlainValuesOnOneLine) {
  EXPECT_EQ(pretty_json(R"({"a":[1,"x,]",true],"b":{},"c":[{"d":[]}],"e":"{:,\""})"),
            "{\n  \"a\": [1, \"x,]\", true],\n  \"b\": {},\n  \"c\": [\n    {\n      \"d\": []\n    }\n  ],\n"
            "  \"e\": \"{:,\\\"\"\n}\n");
}

}  // namespace
}  // namespace fusebox::policy
