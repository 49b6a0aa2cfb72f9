#include "policy/signature.h"

#include <gtest/gtest.h>

namespace fusebox::policy {
namespace {

base::Ed25519Key key_of(char fill) {
  return std::move(*base::Ed25519Key::from_seed(base::as_bytes(std::string(32, fill))));
}

const ModuleHashes kHashes{base::sha256(base::as_bytes("module")), {}};

Integrity trusting(const base::Ed25519Key& key, IntegrityRequire require = IntegrityRequire::signature) {
  Integrity rules;
  rules.require = require;
  rules.trusted_keys.push_back({key.public_key().id(), key.public_key().bytes, std::nullopt});
  return rules;
}

class SignatureTest : public testing::Test {
 protected:
  base::Result<IntegrityVerdict> verify(const Integrity& rules, const SignatureEnvelope* with,
                                        const ModuleHashes& hashes = kHashes,
                                        std::span<const base::Sha256> pinned = {}) {
    return verify_integrity(rules, hashes, with, pinned, clock);
  }
  static void expect_refused(const base::Result<IntegrityVerdict>& verdict, std::string_view message) {
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, base::Errc::denied);
    EXPECT_EQ(verdict.error().name, "INTEGRITY");
    EXPECT_EQ(verdict.error().message, message);
  }
  base::ManualClock clock{std::chrono::seconds{1'000'000}};
  base::Ed25519Key key = key_of('a');
  SignatureEnvelope envelope = *sign_module(key, kHashes);
};

TEST_F(SignatureTest, SignsTheBytesOfTheContract) {
  std::string expected = "FUSEBOX-MODULE-V1";
  expected += '\0';
  expected += base::as_text(kHashes.module.view());
  expected += std::string(32, '\0');
  EXPECT_TRUE(base::ed25519_verify(key.public_key(), base::as_bytes(expected), envelope.signature));
  EXPECT_EQ(envelope.key_id, key.public_key().id());
  EXPECT_EQ(envelope.json(), "{\"alg\":\"ed25519\",\"key_id\":\"" + envelope.key_id + "\",\"module_sha256\":\"" +
                                 kHashes.module.hex() + "\",\"manifest_sha256\":\"" + std::string(64, '0') +
                                 "\",\"signature\":\"" + base::to_base64(envelope.signature.bytes) + "\"}");
}

TEST_F(SignatureTest, ReadsBackWhatItWrote) {
  const auto parsed = SignatureEnvelope::parse(envelope.json());
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->json(), envelope.json());
}

TEST_F(SignatureTest, RefusesEveryFlippedBitOfAnEnvelope) {
  const std::string good = envelope.json();
  const Integrity rules = trusting(key);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = good;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      const auto parsed = SignatureEnvelope::parse(changed);
      if (parsed) {
        EXPECT_FALSE(verify(rules, &*parsed)) << at;
      } else {
        EXPECT_EQ(parsed.error().name, "INTEGRITY");
      }
    }
    EXPECT_FALSE(SignatureEnvelope::parse(good.substr(0, at)));
  }
}

TEST_F(SignatureTest, NamesEveryProblemOfAnEnvelope) {
  const auto parsed = SignatureEnvelope::parse(
      R"({"alg":"rsa","key_id":"XYZ","module_sha256":"00","signature":"AAAA","extra":1})", "m.sig.json");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, base::Errc::invalid);
  const std::string& text = parsed.error().message;
  for (const char* part : {"m.sig.json:1:8: ", "algorithm \"rsa\" is not known; the only one is \"ed25519\"",
                           "must be 16 lower-case hexadecimal digits", "must be 64 lower-case hexadecimal digits",
                           "manifest_sha256", "must be 64 bytes in base64", "extra"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  for (const char* hostile :
       {"", "null", "[]", "{}",
        "{\"alg\":\"\",\"key_id\":\"\",\"module_sha256\":\"\",\"manifest_sha256\":\"\",\"signature\":\"\"}",
        "{\"alg\":1,\"key_id\":[],\"module_sha256\":{},\"manifest_sha256\":null,\"signature\":true}"}) {
    EXPECT_FALSE(SignatureEnvelope::parse(hostile)) << hostile;
  }
  EXPECT_FALSE(SignatureEnvelope::parse(envelope.json() + std::string(5000, ' ')));
}

TEST_F(SignatureTest, SignatureModeNeedsATrustedSignatureOfThisModule) {
  const Integrity rules = trusting(key);
  EXPECT_EQ(verify(rules, &envelope)->signed_by, key.public_key().id());
  expect_refused(verify(rules, nullptr),
                 "module " + kHashes.module.hex() + " is not signed, and integrity.require is \"signature\"");
  const auto other = *sign_module(key_of('b'), kHashes);
  expect_refused(verify(rules, &other),
                 "the module is signed with key " + other.key_id + ", which is not in integrity.trusted_keys");
  const ModuleHashes changed{base::sha256({}), {}};
  expect_refused(verify(rules, &envelope, changed),
                 "the signature envelope is for module " + kHashes.module.hex() + ", not for " + changed.module.hex());
  const ModuleHashes with_manifest{kHashes.module, base::sha256({})};
  expect_refused(verify(rules, &envelope, with_manifest),
                 "the signature envelope is for another manifest than the one beside the module");
  SignatureEnvelope forged = other;
  forged.key_id = envelope.key_id;
  expect_refused(verify(rules, &forged), "the module's signature does not verify under key " + envelope.key_id);
}

TEST_F(SignatureTest, AKeyEndsWhenThePolicySays) {
  Integrity rules = trusting(key);
  rules.trusted_keys[0].not_after_unix_ns = std::chrono::nanoseconds(std::chrono::seconds{1'000'000}).count();
  EXPECT_TRUE(verify(rules, &envelope));
  clock.advance(std::chrono::nanoseconds{1});
  expect_refused(verify(rules, &envelope), "key " + envelope.key_id + " was trusted until 1970-01-12T13:46:40.000000Z");
}

TEST_F(SignatureTest, AnIdLendsNoTrustToAnotherKey) {
  Integrity rules = trusting(key_of('b'));
  rules.trusted_keys[0].id = envelope.key_id;
  const auto verdict = verify(rules, &envelope);
  ASSERT_FALSE(verdict);
  EXPECT_NE(verdict.error().message.find("not in integrity.trusted_keys"), std::string::npos);
}

TEST_F(SignatureTest, HashModeAllowsListedAndPinnedModules) {
  Integrity rules;
  rules.require = IntegrityRequire::hash;
  expect_refused(verify(rules, nullptr), "module " + kHashes.module.hex() + " is not listed in integrity.sha256");
  const base::Sha256 pinned[] = {kHashes.module};
  EXPECT_TRUE(verify(rules, nullptr, kHashes, pinned));
  rules.sha256.push_back(kHashes.module.bytes);
  EXPECT_EQ(verify(rules, nullptr)->signed_by, "");
  EXPECT_EQ(verify(rules, &envelope)->signed_by, "") << "a key nobody trusts signs for nobody";
}

TEST_F(SignatureTest, AWrongSignatureIsRefusedEvenWhereNoneIsNeeded) {
  const Integrity none;
  EXPECT_TRUE(verify(none, nullptr));
  EXPECT_EQ(verify(none, &envelope)->signed_by, "");
  EXPECT_FALSE(verify(none, &envelope, {base::sha256({}), {}}));
  SignatureEnvelope forged = envelope;
  forged.signature.bytes[0] ^= std::byte{1};
  EXPECT_FALSE(verify(trusting(key, IntegrityRequire::none), &forged));
  EXPECT_EQ(verify(trusting(key, IntegrityRequire::none), &envelope)->signed_by, envelope.key_id);
}

}  // namespace
}  // namespace fusebox::policy
