#include "fleet/secrets/tokens.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/wipe.h"

namespace fusebox::fleet {
namespace {

TEST(Tokens, HaveTheFormsOfTheContract) {
  base::SystemRandom random;
  const NewApiKey key = new_api_key(random);
  const std::pair<std::string, const char*> cases[] = {
      {new_vm_token(random), "[0-9a-f]{64}"},
      {new_request_id(random), "req_[0-9a-f]{32}"},
      {new_operation_id(std::chrono::hours{24 * 365 * 56}, random), "op_[0-9a-f]{32}"},
      {new_fork_task_id(random), "fork-[0-9a-f]{32}"},
      {new_fork_seed_id(random), "fork-seed-[0-9a-f]{32}"},
      {new_session_value(random), "[A-Za-z0-9_-]{43}"},
      {key.id, "ak_[0-9a-f]{16}"},
      {key.text, "fuse_sk_[A-Za-z0-9_-]{43}"},
  };
  for (const auto& [text, form] : cases) EXPECT_TRUE(std::regex_match(text, std::regex(form))) << text;
  EXPECT_EQ(key.text.size(), 51u);
  EXPECT_NE(new_vm_token(random), new_vm_token(random));
  EXPECT_EQ(secret_hash(key.text).size(), 32u);
  EXPECT_NE(secret_hash(key.text), secret_hash(key.text + "x"));
}

TEST(Tokens, OperationsOfLaterHaveGreaterIds) {
  base::SystemRandom random;
  const base::Nanos now = std::chrono::hours{24 * 365 * 56};
  const std::string id = new_operation_id(now, random);
  EXPECT_LT(new_operation_id(now - std::chrono::milliseconds{1}, random), id);
  EXPECT_GT(new_operation_id(now + std::chrono::milliseconds{1}, random), id);
  EXPECT_NE(new_operation_id(now, random), id);
}

TEST(Tokens, PlainIds) {
  for (const std::string& good : {std::string("a"), std::string("A-z_9"), std::string(128, 'x')}) {
    EXPECT_TRUE(is_plain_id(good));
  }
  for (const std::string& bad : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\n"),
                                 std::string("\xc3\xa9"), std::string("a.b")}) {
    EXPECT_FALSE(is_plain_id(bad));
  }
}

TEST(Tokens, APullIsNamedByWhatAndWhere) {
  const std::string digest = "sha256:0123456789abcdef0123";
  EXPECT_TRUE(std::regex_match(artifact_snapshot_id(digest, "h1"), std::regex("art-0123456789abcdef-[0-9a-f]{8}")));
  EXPECT_EQ(artifact_snapshot_id(digest, "h1"), artifact_snapshot_id("0123456789abcdef0123", "h1"));
  EXPECT_NE(artifact_snapshot_id(digest, "h1"), artifact_snapshot_id(digest, "h2"));
}

TEST(Wipe, LeavesNothing) {
  std::string text = "secret that is longer than a short string";
  const char* const bytes = text.data();
  const std::size_t size = text.size();
  base::wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string(bytes, size), std::string(size, '\0'));
  base::SecretText a{std::string("abc")};
  base::SecretText b(std::move(a));
  EXPECT_EQ(b.view(), "abc");
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
}

}  // namespace
}  // namespace fusebox::fleet
