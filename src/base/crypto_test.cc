#include "base/crypto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace fusebox::base {
namespace {

Bytes hex(std::string_view digits) {
  return from_hex(digits).value();
}

template <class Fixed>
Fixed fixed(std::string_view digits) {
  Fixed out;
  std::ranges::copy(hex(digits), out.bytes.begin());
  return out;
}

// FIPS 180-4, the example of one block.
TEST(Sha512, AgreesWithThePublishedExample) {
  EXPECT_EQ(to_hex(sha512(as_bytes("abc"))),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Sha256, MatchesNistExamples) {
  constexpr std::pair<std::string_view, std::string_view> kExamples[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  for (const auto& [text, want] : kExamples) EXPECT_EQ(sha256(as_bytes(text)).hex(), want);
  EXPECT_EQ(sha256(as_bytes(std::string(1'000'000, 'a'))).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, ReadsExactlySixtyFourDigits) {
  const Sha256 abc = sha256(as_bytes("abc"));
  EXPECT_EQ(sha256_from_hex(abc.hex()).value(), abc);
  EXPECT_EQ(sha256_from_hex(abc.hex().substr(1)).error().message,
            "SHA-256 has 63 characters; allowed are 64 hexadecimal digits");
  EXPECT_EQ(sha256_from_hex(abc.hex() + "0").error().code, Errc::invalid);
  EXPECT_EQ(sha256_from_hex(std::string(64, 'x')).error().message,
            "SHA-256: character 1 is no hexadecimal digit; allowed are 0-9, a-f and A-F");
}

TEST(Sha256Stream, EqualsOneCallAndStartsAfresh) {
  Sha256Stream stream;
  stream.update(as_bytes("a"));
  stream.update({});
  stream.update(as_bytes("bc"));
  EXPECT_EQ(stream.finish(), sha256(as_bytes("abc")));
  EXPECT_EQ(stream.finish(), sha256({}));
  stream.update(as_bytes("abc"));
  Sha256Stream moved = std::move(stream);
  EXPECT_EQ(moved.finish(), sha256(as_bytes("abc")));
}

TEST(HmacSha256, MatchesRfc4231) {
  EXPECT_EQ(hmac_sha256(Bytes(20, std::byte{0x0b}), as_bytes("Hi There")).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(Bytes(20, std::byte{0xaa}), Bytes(50, std::byte{0xdd})).hex(),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(hmac_sha256(Bytes(131, std::byte{0xaa}), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))
                .hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, TakesAnEmptyKeyAndNoData) {
  EXPECT_EQ(hmac_sha256({}, {}).hex(), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

struct SignatureCase {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};
// RFC 8032 section 7.1, tests 1 to 3.
constexpr SignatureCase kSignatures[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "027beceea1ec40a"},
};

TEST(Ed25519, MatchesRfc8032) {
  for (const SignatureCase& c : kSignatures) {
    SCOPED_TRACE(c.message);
    const Ed25519Key key = Ed25519Key::from_seed(hex(c.seed)).value();
    EXPECT_EQ(to_hex(key.public_key().bytes), c.public_key);
    EXPECT_EQ(to_hex(key.seed()), c.seed);
    const Ed25519Signature signature = key.sign(hex(c.message)).value();
    EXPECT_EQ(to_hex(signature.bytes), c.signature);
    EXPECT_TRUE(ed25519_verify(key.public_key(), hex(c.message), signature));
  }
}

TEST(Ed25519, RefusesAnythingChanged) {
  const SignatureCase& c = kSignatures[1];
  const auto key = fixed<Ed25519PublicKey>(c.public_key);
  const auto signature = fixed<Ed25519Signature>(c.signature);
  const auto expect_denied = [](const Result<void>& got) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::denied);
  };
  ASSERT_TRUE(ed25519_verify(key, hex("72"), signature));
  expect_denied(ed25519_verify(key, hex("73"), signature));
  expect_denied(ed25519_verify(key, {}, signature));
  expect_denied(ed25519_verify(fixed<Ed25519PublicKey>(kSignatures[0].public_key), hex("72"), signature));
  for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{32}, std::size_t{63}}) {
    Ed25519Signature changed = signature;
    changed.bytes[at] ^= std::byte{1};
    expect_denied(ed25519_verify(key, hex("72"), changed));
  }
  EXPECT_EQ(ed25519_verify(key, hex("73"), signature).error().message,
            "Ed25519 signature does not match the message under key " + key.id());
}

TEST(Ed25519, ATextThatIsNoKeyVerifiesNothing) {
  Ed25519PublicKey no_point;
  no_point.bytes.fill(std::byte{0xff});
  EXPECT_FALSE(ed25519_verify(no_point, hex("72"), fixed<Ed25519Signature>(kSignatures[1].signature)));
}

TEST(Ed25519, KeyIdIsTheStartOfTheHash) {
  const auto key = fixed<Ed25519PublicKey>(kSignatures[0].public_key);
  EXPECT_EQ(key.id(), sha256(key.bytes).hex().substr(0, 16));
  EXPECT_EQ(key.id().size(), 16u);
}

TEST(Ed25519, RefusesSeedsOfOtherSizes) {
  for (const std::size_t size : {0u, 31u, 33u, 64u}) {
    const auto key = Ed25519Key::from_seed(Bytes(size));
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::invalid);
    EXPECT_EQ(key.error().message, "Ed25519 private key is " + std::to_string(size) + " bytes; allowed are 32 bytes");
  }
}

TEST(Ed25519, MovingWipesTheSource) {
  SeededRandom random(5);
  Ed25519Key first = Ed25519Key::generate(random).value();
  const Bytes seed(first.seed().begin(), first.seed().end());
  const Ed25519Key second = std::move(first);
  EXPECT_TRUE(std::ranges::equal(second.seed(), seed));
  EXPECT_TRUE(std::ranges::equal(first.seed(), Bytes(32)));  // NOLINT(bugprone-use-after-move): that is the point
  Ed25519Key third = Ed25519Key::generate(random).value();
  EXPECT_FALSE(std::ranges::equal(third.seed(), seed));
  third = Ed25519Key::from_seed(seed).value();
  EXPECT_EQ(third.public_key(), second.public_key());
}

// NIST GCM test vectors for 256-bit keys (the GCM specification's cases 13, 14 and 16).
struct SealCase {
  const char* key;
  const char* nonce;
  const char* plain;
  const char* associated;
  const char* sealed;
};
constexpr const char* kZeroKey = "0000000000000000000000000000000000000000000000000000000000000000";
constexpr const char* kZeroNonce = "000000000000000000000000";
constexpr SealCase kSeals[] = {
    {kZeroKey, kZeroNonce, "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {kZeroKey, kZeroNonce, "00000000000000000000000000000000", "",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(Aes256Gcm, MatchesNistVectors) {
  for (const SealCase& c : kSeals) {
    SCOPED_TRACE(c.sealed);
    EXPECT_EQ(to_hex(aes256gcm_seal(hex(c.key), hex(c.nonce), hex(c.plain), hex(c.associated)).value()), c.sealed);
    EXPECT_EQ(to_hex(aes256gcm_open(hex(c.key), hex(c.nonce), hex(c.sealed), hex(c.associated)).value()), c.plain);
  }
}

TEST(Aes256Gcm, RefusesEveryChangedByte) {
  const SealCase& c = kSeals[2];
  const auto expect_denied = [](const Result<Bytes>& got) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::denied);
    EXPECT_EQ(got.error().message,
              "AES-256-GCM tag does not match: wrong key, nonce or associated data, or changed bytes");
  };
  for (std::size_t i = 0; i < hex(c.sealed).size(); ++i) {
    Bytes changed = hex(c.sealed);
    changed[i] ^= std::byte{0x80};
    expect_denied(aes256gcm_open(hex(c.key), hex(c.nonce), changed, hex(c.associated)));
  }
  expect_denied(aes256gcm_open(hex(c.key), hex(c.nonce), hex(c.sealed), {}));
  expect_denied(aes256gcm_open(hex(c.key), hex(kZeroNonce), hex(c.sealed), hex(c.associated)));
  expect_denied(aes256gcm_open(hex(kZeroKey), hex(c.nonce), hex(c.sealed), hex(c.associated)));
}

TEST(Aes256Gcm, RefusesWrongSizes) {
  const Bytes key(32);
  const Bytes nonce(12);
  EXPECT_EQ(aes256gcm_seal(Bytes(16), nonce, {}, {}).error().message,
            "AES-256-GCM key is 16 bytes; allowed are 32 bytes");
  EXPECT_EQ(aes256gcm_seal(Bytes(33), nonce, {}, {}).error().code, Errc::invalid);
  EXPECT_EQ(aes256gcm_open(key, Bytes(16), Bytes(16), {}).error().message,
            "AES-256-GCM nonce is 16 bytes; allowed are 12 bytes");
  EXPECT_EQ(aes256gcm_open(key, nonce, Bytes(15), {}).error().code, Errc::denied);
  EXPECT_EQ(aes256gcm_open(key, nonce, Bytes(15), {}).error().message,
            "AES-256-GCM text is 15 bytes; its tag alone is 16 bytes");
}

}  // namespace
}  // namespace fusebox::base
