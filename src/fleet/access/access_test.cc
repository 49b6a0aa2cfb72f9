#include <gtest/gtest.h>

#include "fleet/access/cidr.h"
#include "fleet/access/rate_limits.h"
#include "fleet/access/scopes.h"

namespace fusebox::fleet {
namespace {

using http::IpAddress;
using namespace std::chrono_literals;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

TEST(Scopes, DefaultsAreThoseOfAReferenceKey) {
  EXPECT_EQ(Scopes::defaults().texts(), (std::vector<std::string>{"env:read", "env:write", "computer", "snapshot:read",
                                                                  "snapshot:write", "host:read"}));
  EXPECT_EQ(Scopes::all().texts(), std::vector<std::string>{"*"});
  for (unsigned i = 0; i < kScopes; ++i) EXPECT_TRUE(Scopes::all().has(static_cast<Scope>(i)));
}

TEST(Scopes, ListsAreReadAndUnknownTextsNamed) {
  const std::vector<std::string> good = {"env:exec", "env:read", "env:exec"};
  EXPECT_EQ(Scopes::parse(good).value().texts(), (std::vector<std::string>{"env:read", "env:exec"}));
  const std::vector<std::string> star = {"env:read", "*"};
  EXPECT_EQ(Scopes::parse(star).value(), Scopes::all());
  EXPECT_TRUE(Scopes::parse({}).value().texts().empty());
  for (const char* bad : {"env", "ENV:READ", "", "env:read "}) {
    const std::vector<std::string> list = {"env:read", bad};
    EXPECT_TRUE(Scopes::parse(list).error().message.starts_with("scopes: unknown scope ")) << bad;
  }
}

TEST(Scopes, AKeyMintsNothingWiderThanItself) {
  const std::vector<std::string> list = {"env:read", "env:write"};
  const Scopes some = Scopes::parse(list).value();
  EXPECT_TRUE(Scopes::all().includes(some));
  EXPECT_TRUE(some.includes(some));
  EXPECT_TRUE(Scopes::defaults().includes(some));
  EXPECT_FALSE(some.includes(Scopes::defaults()));
  EXPECT_FALSE(some.includes(Scopes::all()));
}

TEST(Scopes, RefusalsSayWhatWouldDo) {
  EXPECT_EQ(refusal_text(Action::exec), "exec requires the master token, or a key with scope env:exec");
  EXPECT_EQ(refusal_text(Action::attach), "attach requires the master token, or a key with scope env:exec");
  EXPECT_EQ(refusal_text(Action::api_keys),
            "API key management requires the master token, or a key with scope key:admin");
  EXPECT_EQ(refusal_text(Action::create), "this call requires a key with scope env:write");
  EXPECT_EQ(rule_of(Action::heartbeat).scope, Scope::host_agent);
}

struct CidrCase {
  const char* block;
  const char* address;
  bool inside;
};

TEST(Cidr, MatchesByPrefix) {
  const CidrCase cases[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.1.2.3/8", "10.9.9.9", true},
      {"192.168.1.128/25", "192.168.1.127", false},
      {"192.168.1.128/25", "192.168.1.128", true},
      {"1.2.3.4/32", "1.2.3.4", true},
      {"1.2.3.4/32", "1.2.3.5", false},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "1.2.3.4", false},
      {"::/0", "fe80::1", true},
      {"10.0.0.0/8", "::ffff:10.1.1.1", true},
      {"::ffff:10.0.0.0/104", "10.1.1.1", true},
      {"::ffff:10.0.0.0/104", "11.1.1.1", false},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fc00::1", false},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1/128", "::1", true},
  };
  for (const CidrCase& c : cases) {
    EXPECT_EQ(CidrList::parse(c.block).value().contains(ip(c.address)), c.inside) << c.block << " " << c.address;
  }
}

TEST(Cidr, ListsAreTrimmedAndBadTextNamed) {
  const CidrList list = CidrList::parse(" 10.0.0.0/8 ,\tfd00::/8,, ").value();
  EXPECT_TRUE(list.contains(ip("10.0.0.1")));
  EXPECT_TRUE(list.contains(ip("fd00::1")));
  EXPECT_TRUE(CidrList::parse("").value().empty());
  EXPECT_TRUE(CidrList::parse(" , ").value().empty());
  for (const char* bad : {"10.0.0.1", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/", "/8", "fd00::/129",
                          "10.0.0/8", "10.0.0.0/8/8", "10.0.0.0/ 8", "[fd00::]/8", "a/8", "10.0.0.0/+8"}) {
    EXPECT_FALSE(CidrList::parse(bad)) << bad;
  }
  EXPECT_EQ(CidrList::parse("10.0.0.0/8,x").error().message, "invalid CIDR \"x\"");
}

TEST(EffectiveAddress, IsTheRightMostEntryNoProxyOfOursWrote) {
  const CidrList none;
  const CidrList trusted = CidrList::parse("10.0.0.0/8,::1/128").value();
  const auto of = [](const char* peer, const char* header, const CidrList& list) {
    return effective_address(ip(peer), header, list).text();
  };
  EXPECT_EQ(of("9.9.9.9", "1.1.1.1", none), "9.9.9.9");
  EXPECT_EQ(of("9.9.9.9", "1.1.1.1", trusted), "9.9.9.9");  // whoever it is, it is no proxy of ours
  EXPECT_EQ(of("10.0.0.1", "", trusted), "10.0.0.1");
  EXPECT_EQ(of("10.0.0.1", "1.1.1.1", trusted), "1.1.1.1");
  EXPECT_EQ(of("10.0.0.1", "6.6.6.6, 1.1.1.1", trusted), "1.1.1.1");  // the left one is the client's own claim
  EXPECT_EQ(of("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", trusted), "1.1.1.1");
  EXPECT_EQ(of("10.0.0.1", "10.0.0.3, 10.0.0.2", trusted), "10.0.0.3");
  EXPECT_EQ(of("10.0.0.1", "1.1.1.1, junk", trusted), "10.0.0.1");
  EXPECT_EQ(of("10.0.0.1", "1.1.1.1, junk, 10.0.0.2", trusted), "10.0.0.2");
  EXPECT_EQ(of("10.0.0.1", "1.1.1.1,", trusted), "10.0.0.1");
  EXPECT_EQ(of("::ffff:10.0.0.1", "1.1.1.1:5000", trusted), "1.1.1.1");
  EXPECT_EQ(of("::1", "[2001:db8::1]:443", trusted), "2001:db8::1");
  EXPECT_EQ(of("::1", "2001:db8::1", trusted), "2001:db8::1");
  EXPECT_EQ(of("::1", "[2001:db8::1", trusted), "::1");
  EXPECT_EQ(of("::ffff:9.9.9.9", "", none), "9.9.9.9");
}

TEST(EventWindows, ShutOutAfterTheLimitAndForgetLater) {
  base::ManualClock clock;
  EventWindows windows(clock, {3, 60s, 60s});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(windows.record("a"), 0);
  EXPECT_EQ(windows.shut_out("a"), 0);
  EXPECT_EQ(windows.record("a"), 60);
  EXPECT_EQ(windows.record("b"), 0);
  clock.advance(59s);
  EXPECT_EQ(windows.shut_out("a"), 1);
  clock.advance(1s);
  EXPECT_EQ(windows.shut_out("a"), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(windows.record("a"), 0);
  clock.advance(60s);
  EXPECT_EQ(windows.record("a"), 0);  // a new window
}

TEST(EventWindows, WithoutAPenaltyTheWindowsEndIsAwaited) {
  base::ManualClock clock;
  EventWindows windows(clock, {1, 60s, 0s});
  EXPECT_EQ(windows.record("a"), 0);
  clock.advance(10s);
  EXPECT_EQ(windows.record("a"), 50);
  clock.advance(50s);
  EXPECT_EQ(windows.record("a"), 0);
}

TEST(EventWindows, NeverGrowBeyondTheirBound) {
  base::ManualClock clock;
  EventWindows windows(clock, {1, 60s, 60s}, 100);
  for (int i = 0; i < 1000; ++i) {
    windows.record(std::to_string(i));
    clock.advance(10ms);
  }
  EXPECT_EQ(windows.size(), 100u);
  clock.advance(200s);
  windows.record("new");
  EXPECT_EQ(windows.size(), 1u);
}

TEST(RequestRates, OneSecondsWorthAtOnceThenEvenly) {
  base::ManualClock clock;
  RequestRates rates(clock, 10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rates.take("a"), 0) << i;
  EXPECT_EQ(rates.take("a"), 1);
  EXPECT_EQ(rates.take("b"), 0);
  clock.advance(100ms);
  EXPECT_EQ(rates.take("a"), 0);
  EXPECT_EQ(rates.take("a"), 1);
  RequestRates off(clock, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(off.take("a"), 0);
}

TEST(AccessLimits, AreThoseOfTheContractAndSpareLoopback) {
  base::ManualClock clock;
  AccessLimits limits(clock, 0);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(limits.failed_credentials(ip("1.2.3.4")), 0);
  EXPECT_EQ(limits.failed_credentials(ip("1.2.3.4")), 60);
  EXPECT_EQ(limits.shut_out(ip("::ffff:1.2.3.4")), 60);
  EXPECT_EQ(limits.shut_out(ip("1.2.3.5")), 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(limits.login(ip("2001:db8::1")), 0);
  EXPECT_EQ(limits.login(ip("2001:db8::2")), 60);  // the same /64
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limits.failed_credentials(ip("127.0.0.1")), 0);
    EXPECT_EQ(limits.login(ip("::1")), 0);
  }
}

}  // namespace
}  // namespace fusebox::fleet
