#include "http/resolver.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fusebox::http {
namespace {

using base::Errc;
using std::chrono::seconds;

TEST(SystemResolver, FindsTheLoopbackOfThisMachine) {
  const base::RealClock clock;
  SystemResolver resolver(clock);
  const auto addresses = resolver.resolve("localhost", seconds(30), {});
  ASSERT_TRUE(addresses) << addresses.error().message;
  EXPECT_TRUE(std::ranges::all_of(*addresses, [](const IpAddress& a) { return non_public_range(a) == "loopback"; }));
}

TEST(SystemResolver, GivesEachAddressOnce) {
  const base::RealClock clock;
  SystemResolver resolver(clock);
  const auto addresses = resolver.resolve("127.0.0.1", seconds(30), {});
  ASSERT_TRUE(addresses) << addresses.error().message;
  ASSERT_EQ(addresses->size(), 1u);
  EXPECT_EQ(addresses->front().text(), "127.0.0.1");
}

TEST(SystemResolver, SaysThatANameHasNoAddress) {
  const base::RealClock clock;
  SystemResolver resolver(clock);
  // A label of 64 bytes can have none, and no name server is asked.
  const auto addresses = resolver.resolve(std::string(64, 'a'), seconds(30), {});
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::not_found);
  EXPECT_EQ(addresses.error().message, "the name " + std::string(64, 'a') + " has no address");
}

TEST(SystemResolver, EndsAtOnceWhenNoTimeIsLeft) {
  const base::RealClock clock;
  SystemResolver resolver(clock);
  const auto addresses = resolver.resolve("name.invalid", seconds(0), {});
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::stopped);
  EXPECT_EQ(addresses.error().name, "TIMEOUT");
  EXPECT_EQ(addresses.error().message, "resolving name.invalid took too long");
}

TEST(SystemResolver, EndsWhenStopped) {
  const base::RealClock clock;
  SystemResolver resolver(clock);
  const auto addresses = resolver.resolve("name.invalid", seconds(30), [] { return true; });
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::stopped);
  EXPECT_EQ(addresses.error().name, "CANCELLED");
}

}  // namespace
}  // namespace fusebox::http
