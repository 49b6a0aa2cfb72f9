#include "host/api/grant.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crypto.h"

namespace fusebox::host {
namespace {

using namespace std::chrono_literals;

const std::string kDigest(64, 'a');
constexpr base::Nanos kNow = std::chrono::seconds{1'700'000'000};

std::string signed_grant(const std::string& key, const std::string& expiry, const std::string& nonce,
                         const std::string& digest = kDigest) {
  const std::string message = "fuse-artifact-grant/v1\n" + digest + "\n" + expiry + "\n" + nonce;
  return "v1." + digest + "." + expiry + "." + nonce + "." +
         base::to_hex(base::hmac_sha256(base::as_bytes(key), base::as_bytes(message)).bytes);
}

TEST(Grant, IsMadeAsTheContractSays) {
  base::SeededRandom random(1);
  const std::string grant = mint_grant("key", kDigest, kNow, random);
  const std::string nonce = grant.substr(3 + 64 + 1 + 10 + 1, 32);
  EXPECT_EQ(grant, signed_grant("key", "1700000300", nonce));
  EXPECT_TRUE(verify_grant("key", kDigest, grant, kNow));
  EXPECT_TRUE(verify_grant("key", kDigest, grant, kNow + 299s));
  EXPECT_FALSE(verify_grant("key", kDigest, grant, kNow + 300s));
  EXPECT_EQ(mint_grant("", kDigest, kNow, random), "");
  EXPECT_EQ(mint_grant("key", "abc", kNow, random), "");
}

struct GrantCase {
  const char* name;
  std::string grant;
  bool good;
};
TEST(Grant, EveryFieldMustBeRight) {
  const std::string nonce(16, '0'), far = "1700000001";
  const std::string good = signed_grant("key", far, nonce);
  const GrantCase cases[] = {
      {"good", good, true},
      {"longest nonce", signed_grant("key", far, std::string(64, 'f')), true},
      {"short nonce", signed_grant("key", far, std::string(15, '0')), false},
      {"long nonce", signed_grant("key", far, std::string(65, '0')), false},
      {"nonce in capitals", signed_grant("key", far, std::string(16, 'A')), false},
      {"other key", signed_grant("kex", far, nonce), false},
      {"other digest", signed_grant("key", far, nonce, std::string(64, 'b')), false},
      {"now is too late", signed_grant("key", "1700000000", nonce), false},
      {"no expiry", signed_grant("key", "", nonce), false},
      {"negative expiry", signed_grant("key", "-1", nonce), false},
      {"expiry beyond any number", signed_grant("key", std::string(19, '9'), nonce), false},
      {"largest expiry", signed_grant("key", std::string(18, '9'), nonce), true},
      {"other version", "v2" + good.substr(2), false},
      {"six fields", good + ".", false},
      {"four fields", good.substr(0, good.rfind('.')), false},
      {"cut mac", good.substr(0, good.size() - 1), false},
      {"too long", good + std::string(400, '0'), false},
      {"nothing", "", false},
  };
  for (const GrantCase& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(verify_grant("key", kDigest, c.grant, kNow), c.good);
    EXPECT_FALSE(verify_grant("", kDigest, c.grant, kNow));
  }
  EXPECT_FALSE(verify_grant("", kDigest, signed_grant("", far, nonce), kNow));  // an empty key verifies nothing
}

}  // namespace
}  // namespace fusebox::host
