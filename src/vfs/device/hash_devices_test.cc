// sha256 and ed25519.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/crypto.h"
#include "vfs/device/devices.h"
#include "vfs/device/ed25519_strict.h"
#include "vfs/device/limits.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using testing::error_of;
using testing::Guest;

constexpr const char* kAbcDigest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kEmptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Sha256Device : ::testing::Test {
  Guest guest;
  std::shared_ptr<Mount> mount = make_device_mount("/dev/sha256", sha256_device());
  std::unique_ptr<File> open() { return std::move(*guest.open(*mount, "")); }
};

TEST_F(Sha256Device, HashesAnyChunkingAndYieldsTheDigestInPieces) {
  const auto file = open();
  EXPECT_EQ(guest.write(*file, "a"), 1u);
  EXPECT_EQ(guest.write(*file, "bc"), 2u);
  EXPECT_EQ(guest.read(*file, 10), std::string(kAbcDigest).substr(0, 10));
  EXPECT_EQ(guest.read(*file), std::string(kAbcDigest).substr(10));
  EXPECT_EQ(guest.read(*file), "");
}

TEST_F(Sha256Device, SeveralBuffersAreOneMessage) {
  const auto file = open();
  const std::span<const std::byte> pieces[] = {base::as_bytes("a"), base::as_bytes(""), base::as_bytes("bc")};
  EXPECT_EQ(file->write(guest.fresh(), pieces), 3u);
  EXPECT_EQ(guest.read(*file), kAbcDigest);
}

TEST_F(Sha256Device, TheFirstReadSeals) {
  const auto file = open();
  EXPECT_EQ(guest.read(*file, 1), "e");
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::inval);
  EXPECT_EQ(guest.read(*file), std::string(kEmptyDigest).substr(1));
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::inval);
}

TEST_F(Sha256Device, TwoStreamsAtOnceTheThirdIsBusyUntilOneCloses) {
  auto first = open();
  auto second = open();
  EXPECT_EQ(error_of(guest.open(*mount, "")), Errno::busy);
  EXPECT_EQ(guest.write(*first, "abc"), 3u);
  EXPECT_EQ(guest.read(*second), kEmptyDigest);
  EXPECT_EQ(guest.read(*first), kAbcDigest);
  second.reset();
  EXPECT_TRUE(guest.open(*mount, ""));
}

TEST_F(Sha256Device, StatSaysWhatItIsWithoutTakingAStream) {
  for (int i = 0; i < 5; ++i) {
    const auto stat = mount->stat(guest.fresh(), "", true);
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->size, 64u);
    EXPECT_EQ(stat->device, device_code("Sha2"));
  }
  const auto file = open();
  EXPECT_EQ(file->stat()->size, 64u);
  EXPECT_EQ(error_of(file->seek(0, Whence::set)), Errno::spipe);
  EXPECT_TRUE(file->poll(guest.fresh(), false).ready);
  EXPECT_TRUE(file->poll(guest.fresh(), true).ready);
}

std::string text_of(base::ByteView bytes) {
  return std::string(base::as_text(bytes));
}

struct Ed25519Device : ::testing::Test {
  Guest guest;
  std::shared_ptr<Mount> mount = make_device_mount("/dev/ed25519", ed25519_device());
  base::Ed25519Key key = std::move(*base::Ed25519Key::from_seed(base::Bytes(32, std::byte{7})));
  std::unique_ptr<File> open() { return std::move(*guest.open(*mount, "")); }
  std::string signed_message(const std::string& message) {
    return text_of(key.public_key().bytes) + text_of(key.sign(base::as_bytes(message))->bytes) + message;
  }
  std::string verdict_on(const std::string& input) {
    const auto file = open();
    EXPECT_EQ(guest.write(*file, input), input.size());
    const auto verdict = guest.read(*file);
    return verdict ? *verdict : std::string(to_string(verdict.error()));
  }
};

TEST_F(Ed25519Device, SaysOkForASignatureAndFailForAnyChange) {
  const std::string good = signed_message("hello");
  EXPECT_EQ(verdict_on(good), "ok");
  EXPECT_EQ(verdict_on(signed_message("")), "ok");
  for (const std::size_t at : {std::size_t{0}, std::size_t{40}, std::size_t{70}, good.size() - 1}) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(verdict_on(changed), "fail") << at;
  }
  EXPECT_EQ(verdict_on(good + "x"), "fail");
}

TEST_F(Ed25519Device, AnyChunkingAndThenEndOfFile) {
  const std::string input = signed_message("hello");
  const auto file = open();
  EXPECT_EQ(file->stat()->size, 0u);
  for (const char c : input) EXPECT_EQ(guest.write(*file, std::string(1, c)), 1u);
  EXPECT_EQ(guest.read(*file, 1), "o");
  EXPECT_EQ(guest.read(*file, 1), "k");
  EXPECT_EQ(guest.read(*file, 1), "");
  EXPECT_EQ(file->stat()->size, 2u);
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::inval);
}

TEST_F(Ed25519Device, NeedsKeyAndSignature) {
  const auto file = open();
  EXPECT_EQ(error_of(guest.read(*file)), Errno::inval);
  const std::string input = signed_message("");
  EXPECT_EQ(guest.write(*file, input.substr(0, 95)), 95u);
  EXPECT_EQ(error_of(guest.read(*file)), Errno::inval);
  EXPECT_EQ(guest.write(*file, input.substr(95)), 1u);
  EXPECT_EQ(guest.read(*file), "ok");
}

TEST_F(Ed25519Device, TheLongestMessageVerifiesAndOneByteMoreIsTooBig) {
  const std::string input = signed_message(std::string(kEd25519MessageBytesMax, 'm'));
  auto file = open();
  EXPECT_EQ(guest.write(*file, input), input.size());
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::fbig);
  EXPECT_EQ(guest.read(*file), "ok");
  file.reset();
  file = open();
  EXPECT_EQ(guest.write(*file, input + "xy"), input.size());
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::fbig);
}

TEST_F(Ed25519Device, OneStreamAtOnceAndCloseResets) {
  auto file = open();
  EXPECT_EQ(error_of(guest.open(*mount, "")), Errno::busy);
  EXPECT_EQ(guest.write(*file, "junk"), 4u);
  file.reset();
  EXPECT_EQ(verdict_on(signed_message("again")), "ok");
}

TEST_F(Ed25519Device, ASignatureWhoseNumberIsNotReducedIsAForgery) {
  const std::string good = signed_message("hello");
  const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                   0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  std::string malleable = good;
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += static_cast<unsigned char>(good[64 + i]) + order[i];
    malleable[64 + i] = static_cast<char>(carry & 0xff);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0u);
  EXPECT_EQ(verdict_on(malleable), "fail");
}

// With the neutral point as key and as R, and S = 0, the equation holds for every message.
TEST_F(Ed25519Device, PointsOfSmallOrderSignNothing) {
  base::Ed25519PublicKey neutral;
  neutral.bytes[0] = std::byte{1};
  base::Ed25519Signature signature;
  signature.bytes[0] = std::byte{1};
  ASSERT_TRUE(base::ed25519_verify(neutral, base::as_bytes("anything"), signature))
      << "the library refuses it by itself: this test proves nothing";
  EXPECT_FALSE(ed25519_verify_strict(neutral, base::as_bytes("anything"), signature));
}

TEST_F(Ed25519Device, EveryPointOfSmallOrderAndEveryNonCanonicalOneIsRefusedAsKeyAndAsR) {
  const std::string hex_of_points[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // p = 0
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // p + 1
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // p + 18
  };
  const std::string good = signed_message("m");
  for (const std::string& hex : hex_of_points) {
    for (const bool negative : {false, true}) {
      std::string point = text_of(*base::from_hex(hex));
      if (negative) point[31] = static_cast<char>(point[31] | 0x80);
      EXPECT_EQ(verdict_on(point + good.substr(32)), "fail") << hex;
      EXPECT_EQ(verdict_on(good.substr(0, 32) + point + good.substr(64)), "fail") << hex;
      base::Ed25519PublicKey key_point;
      std::ranges::copy(base::as_bytes(point), key_point.bytes.begin());
      base::Ed25519Signature zero;  // R = the point, S = 0
      std::ranges::copy(base::as_bytes(point), zero.bytes.begin());
      EXPECT_FALSE(ed25519_verify_strict(key_point, base::as_bytes("m"), zero)) << hex;
    }
  }
}

}  // namespace
}  // namespace fusebox::vfs
