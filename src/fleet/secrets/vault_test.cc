#include "fleet/secrets/vault.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/files.h"

namespace fusebox::fleet {
namespace {

using base::as_bytes;
using base::as_text;
using base::Errc;

constexpr SealedPlace kPlace{"orchestrator_hosts", "h1", "token_encrypted"};

VaultKey key(char digit) {
  return VaultKey::from_hex(std::string(64, digit)).value();
}

class VaultTest : public testing::Test {
 protected:
  Vault vault(char digit, std::vector<VaultKey> old = {}) {
    return Vault::create(key(digit), std::move(old), random_).value();
  }
  base::SeededRandom random_{5};
};

TEST_F(VaultTest, WhatIsSealedOpensAtItsPlaceAlone) {
  const Vault a = vault('a');
  const base::Bytes sealed = a.seal(as_bytes("secret"), kPlace).value();
  ASSERT_EQ(sealed.size(), 1 + 4 + 12 + 6 + 16u);
  EXPECT_EQ(sealed[0], std::byte{2});
  EXPECT_EQ(as_text(a.open(sealed, kPlace).value()), "secret");
  for (const SealedPlace& other : {SealedPlace{"orchestrator_vms", "h1", "token_encrypted"},
                                   SealedPlace{"orchestrator_hosts", "h2", "token_encrypted"},
                                   SealedPlace{"orchestrator_hosts", "h1", "secrets_encrypted"},
                                   SealedPlace{"orchestrator_hosts", "h1\x1ftoken_encrypted", ""}}) {
    EXPECT_EQ(a.open(sealed, other).error().code, Errc::denied);
  }
}

TEST_F(VaultTest, EveryChangedByteIsNoticed) {
  const Vault a = vault('a');
  base::Bytes sealed = a.seal(as_bytes("secret"), kPlace).value();
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    sealed[i] ^= std::byte{1};
    EXPECT_FALSE(a.open(sealed, kPlace)) << i;
    sealed[i] ^= std::byte{1};
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(a.open(base::ByteView(sealed).first(size), kPlace)) << size;
  }
}

TEST_F(VaultTest, NothingIsSealedToTheSameBytesTwice) {
  const Vault a = vault('a');
  EXPECT_NE(a.seal(as_bytes(""), kPlace).value(), a.seal(as_bytes(""), kPlace).value());
  EXPECT_EQ(a.open(a.seal(as_bytes(""), kPlace).value(), kPlace).value().size(), 0u);
}

TEST_F(VaultTest, FormerKeysReadAndAreOutdated) {
  const base::Bytes sealed = vault('a').seal(as_bytes("secret"), kPlace).value();
  const Vault b = vault('b', {key('a')});
  EXPECT_EQ(as_text(b.open(sealed, kPlace).value()), "secret");
  EXPECT_TRUE(b.is_outdated(sealed));
  EXPECT_FALSE(b.is_outdated(b.seal(as_bytes("x"), kPlace).value()));
  EXPECT_FALSE(vault('b').open(sealed, kPlace));
  EXPECT_TRUE(b.has_check_value(key('a').check_value()));
  EXPECT_TRUE(b.has_check_value(key('b').check_value()));
  EXPECT_FALSE(b.has_check_value(key('c').check_value()));
  EXPECT_EQ(b.key_ids().size(), 2u);
  EXPECT_EQ(b.key_id(), key('b').id());
  EXPECT_LT(b.key_id(), 0x80000000u);
}

TEST_F(VaultTest, TheReferencesLayoutIsReadEvenWhenItLooksLikeOurs) {
  const Vault a = vault('a');
  base::Bytes nonce(12);
  nonce[0] = std::byte{2};
  for (std::size_t i = 0; i < 4; ++i) nonce[1 + i] = static_cast<std::byte>(a.key_id() >> (24 - 8 * i) & 0xff);
  const base::Bytes body = base::aes256gcm_seal(key('a').bytes(), nonce, as_bytes("old"), {}).value();
  base::Bytes sealed = nonce;
  sealed.insert(sealed.end(), body.begin(), body.end());
  EXPECT_EQ(as_text(a.open(sealed, kPlace).value()), "old");
  sealed[0] = std::byte{9};
  EXPECT_TRUE(a.is_outdated(sealed));
}

TEST_F(VaultTest, KeysThatCannotBeAreRefusedWithoutBeingShown) {
  for (const std::string& text : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g')}) {
    const auto refused = VaultKey::from_hex(text);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message.find("aaaa"), std::string::npos);
  }
  EXPECT_TRUE(VaultKey::from_hex(std::string(64, 'A')) == key('a'));
  EXPECT_EQ(parse_old_keys("").value().size(), 0u);
  EXPECT_EQ(parse_old_keys(std::string(64, 'a') + "," + std::string(64, 'b')).value().size(), 2u);
  EXPECT_FALSE(parse_old_keys(std::string(64, 'a') + ","));
  EXPECT_FALSE(parse_old_keys("," + std::string(64, 'a')));
}

TEST_F(VaultTest, AKeyFileIsMadeOnceForItsOwnerAlone) {
  const base::TempDir folder = base::TempDir::create().value();
  const auto data = folder.path() / "data";
  const VaultKey made = VaultKey::load_or_create(data, random_).value();
  struct stat status{};
  ASSERT_EQ(::stat((data / "token.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_TRUE(VaultKey::load_or_create(data, random_).value() == made);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(data), {}), 1);
  ASSERT_EQ(::chmod((data / "token.key").c_str(), 0644), 0);
  EXPECT_EQ(VaultKey::load_or_create(data, random_).error().code, Errc::denied);
  ASSERT_TRUE(base::write_file_atomic(data / "token.key", as_bytes("damaged"), 0600));
  EXPECT_EQ(VaultKey::load_or_create(data, random_).error().code, Errc::invalid);
}

}  // namespace
}  // namespace fusebox::fleet
