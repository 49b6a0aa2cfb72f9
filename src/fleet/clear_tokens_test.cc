#include "fleet/clear_tokens.h"

#include <gtest/gtest.h>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

struct ClearTokens : EngineTest {
  void put(const std::string& id, base::Bytes token) {
    HostRow row;
    row.host_id = id;
    row.url = "http://" + id + ".test:8090";
    row.token_sealed = std::move(token);
    const auto done = await(store->write(executor, [row](Tx& tx) -> base::Result<void> {
      tx.put_host(row);
      return {};
    }));
    ASSERT_TRUE(done);
  }
  static base::Bytes bytes_of(std::string_view text) {
    const base::ByteView view = base::as_bytes(text);
    return {view.begin(), view.end()};
  }
  std::vector<std::string> sealed() {
    auto done = await(seal_clear_tokens(*store, *vault, executor));
    EXPECT_TRUE(done);
    return done ? *done : std::vector<std::string>();
  }
};

TEST_F(ClearTokens, AreSealedOnceAndOpenToWhatTheyWere) {
  put("clear", bytes_of("secret-of-the-agent"));
  const auto ours = seal_host_token(*vault, "sealed", "already");
  ASSERT_TRUE(ours);
  put("sealed", *ours);
  put("none", {});
  EXPECT_EQ(sealed(), std::vector<std::string>{"clear"});
  const HostRow row = host_row("clear");
  EXPECT_EQ(base::as_text(row.token_sealed).find("secret-of-the-agent"), std::string_view::npos);
  const auto opened = open_host_token(*vault, row);
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, "secret-of-the-agent");
  EXPECT_EQ(host_row("sealed").token_sealed, *ours);
  EXPECT_TRUE(host_row("none").token_sealed.empty());
  EXPECT_TRUE(sealed().empty()) << "a second start finds nothing";
}

TEST_F(ClearTokens, WhatIsNoTextOfATokenStaysUnreadable) {
  put("binary", bytes_of(std::string("\x02\x00\x01garbled", 10)));
  put("spaced", bytes_of("not a token"));
  put("long", base::Bytes(4097, std::byte{'a'}));
  put("longest", base::Bytes(4096, std::byte{'a'}));
  EXPECT_EQ(sealed(), std::vector<std::string>{"longest"});
  EXPECT_FALSE(open_host_token(*vault, host_row("binary")));
}

TEST_F(ClearTokens, OfManyHostsAllAreFound) {
  std::vector<std::string> ids;
  for (int i = 0; i < 405; ++i) {
    ids.push_back("h" + std::to_string(1000 + i));
    put(ids.back(), bytes_of("t" + std::to_string(i)));
  }
  EXPECT_EQ(sealed(), ids);
}

}  // namespace
}  // namespace fusebox::fleet
