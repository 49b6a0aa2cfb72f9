#include "fleet/engine/boot_material.h"
#include "fleet/engine/reconcile_test_support.h"

namespace fusebox::fleet {
namespace {

class Reseal : public TickTest {
 protected:
  void SetUp() override {
    TickTest::SetUp();
    add_host("h1");
    ASSERT_TRUE(create("a"));
    // No token, but a key for TLS.
    HostRequest other;
    other.id = "h2";
    other.url = "http://h2.test:8090";
    other.vm_count = 1;
    other.client_cert_pem = "certificate";
    other.client_key_pem = "key";
    const auto added = await(engine->register_host(executor, {}, other));
    ASSERT_TRUE(added) << added.error().message;
  }
  // 'a' made what is stored.
  Vault with_keys(char present, std::string_view former) {
    std::vector<VaultKey> old;
    for (const char digit : former) old.push_back(*VaultKey::from_hex(std::string(64, digit)));
    return *Vault::create(*VaultKey::from_hex(std::string(64, present)), std::move(old), random);
  }
  bool opens_all(char key) {
    Vault alone = with_keys(key, "");
    const auto token = open_host_token(alone, host_row("h1"));
    const auto tls = open_host_tls(alone, host_row("h2"));
    return open_material(alone, *row("fuse-a")) && token && *token == "token-of-h1" && tls &&
           tls->client_key_pem == "key";
  }
};

TEST_F(Reseal, WhatAFormerKeySealedIsSealedUnderThePresentOne) {
  *vault = with_keys('b', "a");
  ASSERT_TRUE(opens_all('a'));
  const EnvironmentRow before = *row("fuse-a");
  begin_ticks();
  tick();
  EXPECT_TRUE(opens_all('b'));
  EXPECT_FALSE(opens_all('a'));
  EXPECT_EQ(times_of("resealed"), 3);
  const EnvironmentRow after = *row("fuse-a");
  EXPECT_EQ(after.generation, before.generation);
  EXPECT_EQ(after.state, before.state);
  EXPECT_EQ(after.view_json, before.view_json);
  tick();
  EXPECT_EQ(times_of("resealed"), 3);
}

TEST_F(Reseal, WhatThePresentKeySealedIsLeftAlone) {
  *vault = with_keys('a', "b");
  const EnvironmentRow before = *row("fuse-a");
  begin_ticks();
  tick();
  EXPECT_EQ(times_of("resealed"), 0);
  EXPECT_EQ(row("fuse-a")->boot_sealed, before.boot_sealed);
  EXPECT_TRUE(opens_all('a'));
}

TEST_F(Reseal, AnEnvironmentUnderAnOperationIsSealedAfterIt) {
  *vault = with_keys('b', "a");
  EnvironmentRow busy = *row("fuse-a");
  const auto put = [&] {
    write([&busy](Tx& tx) -> base::Result<void> {
      tx.update_environment(busy, busy.generation);
      return {};
    });
  };
  busy.op_id = "op_1";
  put();
  begin_ticks();
  tick();
  EXPECT_EQ(times_of("resealed"), 2);  // the hosts
  EXPECT_EQ(row("fuse-a")->boot_sealed, busy.boot_sealed);
  busy.op_id.clear();
  put();
  tick();
  EXPECT_TRUE(opens_all('b'));
}

TEST_F(Reseal, WhatNoKeyOpensStaysAsItIsAndHoldsNothingUp) {
  ASSERT_TRUE(create("b"));
  EnvironmentRow strange = *row("fuse-b");
  strange.boot_sealed = *with_keys('c', "").seal(base::as_bytes("x"), {"orchestrator_vms", "fuse-b", "boot_encrypted"});
  write([&strange](Tx& tx) -> base::Result<void> {
    tx.update_environment(strange, strange.generation);
    return {};
  });
  *vault = with_keys('b', "a");
  begin_ticks();
  tick();
  EXPECT_TRUE(opens_all('b'));
  EXPECT_EQ(row("fuse-b")->boot_sealed, strange.boot_sealed);
  const auto times = times_of("resealed");
  tick();
  EXPECT_EQ(times_of("resealed"), times);
}

}  // namespace
}  // namespace fusebox::fleet
