#include "host/wasm/egress_map.h"

#include <gtest/gtest.h>

#include "vfs/net/resolution.h"

namespace fusebox::host {
namespace {

EgressRule host_rule(std::string host, std::uint16_t port, std::string proto = "tcp") {
  EgressRule rule;
  rule.host = std::move(host);
  rule.ports = {{port, port}};
  rule.proto = std::move(proto);
  return rule;
}
EgressRule cidr_rule(std::string cidr, std::uint16_t port = 0) {
  EgressRule rule;
  rule.cidr = std::move(cidr);
  if (port != 0) rule.ports = {{port, port}};
  return rule;
}
Egress denies() {
  Egress egress;
  egress.allow_by_default = false;
  return egress;
}
bool may(const EgressMap& map, const std::string& address) {
  return map.may_connect(*vfs::literal_address(address, 80));
}

TEST(EgressMap, GrantsEachHostAndPortAsANode) {
  Egress egress = denies();
  egress.bandwidth_kbps = 80;
  egress.allow = {host_rule("api.example.com", 443), host_rule("time.example.com", 123, "udp"),
                  cidr_rule("192.0.2.7/32", 80), cidr_rule("2001:db8::1", 80)};
  const auto map = map_egress(egress);
  ASSERT_TRUE(map) << map.error().message;
  std::string text;
  for (const auto& socket : map->sockets) text += socket.name + "=" + socket.address + " ";
  EXPECT_EQ(text,
            "api.example.com:443=tcp://api.example.com:443 time.example.com:123.udp=udp://time.example.com:123 "
            "192.0.2.7:80=tcp://192.0.2.7:80 192.0.2.7:80.udp=udp://192.0.2.7:80 "
            "[2001:db8::1]:80=tcp://[2001:db8::1]:80 [2001:db8::1]:80.udp=udp://[2001:db8::1]:80 ");
  EXPECT_EQ(map->bytes_per_s, 10'000u);
}

TEST(EgressMap, NamesMayNotLeadHome) {
  Egress egress = denies();
  egress.allow = {host_rule("rebind.example.com", 80)};
  egress.deny = {cidr_rule("198.51.100.0/24"), cidr_rule("2001:db8:1::/48")};
  const auto map = map_egress(egress);
  ASSERT_TRUE(map) << map.error().message;
  for (const char* bad : {"127.0.0.1", "127.9.9.9", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "::ffff:127.0.0.1",
                          "::ffff:169.254.1.1", "224.0.0.1", "255.255.255.255", "198.51.100.9", "2001:db8:1::9", "::"})
    EXPECT_FALSE(may(*map, bad)) << bad;
  for (const char* good : {"192.0.2.1", "198.51.101.1", "2001:db8:2::1"}) EXPECT_TRUE(may(*map, good)) << good;
}

TEST(EgressMap, RefusesWhatItCannotEnforce) {
  const auto code = [](const Egress& egress) {
    const auto map = map_egress(egress);
    return map ? base::Errc::bug : map.error().code;
  };
  EXPECT_EQ(code(Egress()), base::Errc::unsupported);  // default allow
  const auto with = [](EgressRule rule) {
    Egress egress = denies();
    egress.allow = {std::move(rule)};
    return egress;
  };
  EXPECT_EQ(code(with(cidr_rule("10.0.0.0/8", 80))), base::Errc::unsupported);
  EXPECT_EQ(code(with(cidr_rule("10.0.0.1"))), base::Errc::unsupported);  // all ports
  EgressRule range = host_rule("a.example", 1);
  range.ports = {{1, 2}};
  EXPECT_EQ(code(with(range)), base::Errc::unsupported);
  EXPECT_EQ(code(with(cidr_rule("10.0.0.300", 80))), base::Errc::invalid);
  EXPECT_EQ(code(with(cidr_rule("10.0.0.1/33", 80))), base::Errc::invalid);
  EXPECT_EQ(code(with(host_rule("a b", 80))), base::Errc::invalid);
  EXPECT_EQ(code(with(host_rule("a/b", 80))), base::Errc::invalid);
  EXPECT_EQ(code(with(host_rule("10.0.0.1", 80))), base::Errc::invalid);
  EXPECT_EQ(code(with(cidr_rule(std::string("10.0.0.1\0x/32", 13), 80))), base::Errc::invalid);
  EXPECT_EQ(code(with(host_rule("a.example", 80, "sctp"))), base::Errc::invalid);
  EXPECT_EQ(code(with(EgressRule())), base::Errc::invalid);
  Egress denied = denies();
  denied.deny = {host_rule("a.example", 80)};
  EXPECT_EQ(code(denied), base::Errc::unsupported);
  EXPECT_EQ(code(denies()), base::Errc::bug);  // nothing at all is fine
}

TEST(EgressMap, ADenyRuleBeatsAnAddressThatIsAllowed) {
  Egress egress = denies();
  egress.allow = {cidr_rule("10.1.2.3", 80)};
  egress.deny = {cidr_rule("10.0.0.0/8")};
  EXPECT_TRUE(map_egress(egress)->sockets.empty());
}

TEST(EgressMap, IsReadBackAsItWasWritten) {
  Egress egress = denies();
  egress.bandwidth_kbps = 5;
  egress.allow = {host_rule("a.example", 443), cidr_rule("::1", 80)};
  egress.allow[0].ports.push_back({80, 80});
  egress.deny = {cidr_rule("10.0.0.0/8")};
  EXPECT_EQ(*read_egress(write_egress(egress)), egress);
  EXPECT_EQ(*read_egress(write_egress(denies())), denies());
  EXPECT_FALSE(read_egress(""));
}

}  // namespace
}  // namespace fusebox::host
