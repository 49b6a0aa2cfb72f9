#include "http/address.h"

#include <gtest/gtest.h>

namespace fusebox::http {
namespace {

struct RangeCase {
  const char* address;
  const char* range;  // "" = public
};

// Both sides of every border of contract capability.md 10.1.
constexpr RangeCase kRangeCases[] = {
    {"0.0.0.0", "this network"},
    {"0.255.255.255", "this network"},
    {"1.0.0.0", ""},
    {"9.255.255.255", ""},
    {"10.0.0.0", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", ""},
    {"100.63.255.255", ""},
    {"100.64.0.0", "shared by a provider"},
    {"100.127.255.255", "shared by a provider"},
    {"100.128.0.0", ""},
    {"126.255.255.255", ""},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", ""},
    {"169.253.255.255", ""},
    {"169.254.0.0", "link-local"},
    {"169.254.255.255", "link-local"},
    {"169.255.0.0", ""},
    {"172.15.255.255", ""},
    {"172.16.0.0", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", ""},
    {"191.255.255.255", ""},
    {"192.0.0.0", "protocol assignment"},
    {"192.0.0.255", "protocol assignment"},
    {"192.0.1.0", ""},
    {"192.0.2.0", "documentation"},
    {"192.0.3.0", ""},
    {"192.88.98.255", ""},
    {"192.88.99.0", "6to4 relay"},
    {"192.88.100.0", ""},
    {"192.167.255.255", ""},
    {"192.168.0.0", "private"},
    {"192.168.255.255", "private"},
    {"192.169.0.0", ""},
    {"198.17.255.255", ""},
    {"198.18.0.0", "benchmark"},
    {"198.19.255.255", "benchmark"},
    {"198.20.0.0", ""},
    {"198.51.99.255", ""},
    {"198.51.100.0", "documentation"},
    {"198.51.101.0", ""},
    {"203.0.112.255", ""},
    {"203.0.113.255", "documentation"},
    {"203.0.114.0", ""},
    {"223.255.255.255", ""},
    {"224.0.0.0", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.0", "reserved"},
    {"255.255.255.255", "reserved"},
    {"8.8.8.8", ""},

    {"::", "unspecified or IPv4-compatible"},
    {"::1", "loopback"},
    {"::2", "unspecified or IPv4-compatible"},
    {"::127.0.0.1", "unspecified or IPv4-compatible"},
    {"::1:0:0", "" /* above ::/96 */},
    {"::ffff:8.8.8.8", ""},
    {"::ffff:127.0.0.1", "loopback"},
    {"::ffff:10.1.2.3", "private"},
    {"64:ff9b::8.8.8.8", ""},
    {"64:ff9b::192.168.1.1", "private"},
    {"64:ff9b:1::1", "local NAT64"},
    {"64:ff9b:1:ffff::1", "local NAT64"},
    {"64:ff9b:2::1", ""},
    {"100::1", "discard"},
    {"100:0:0:1::1", ""},
    {"2000:ffff::1", ""},
    {"2001::1", "protocol assignment"},
    {"2001:1ff:ffff::1", "protocol assignment"},
    {"2001:200::1", ""},
    {"2001:db7:ffff::1", ""},
    {"2001:db8::1", "documentation"},
    {"2001:db9::1", ""},
    {"2002:808:808::1", ""},
    {"2002:7f00:1::1", "loopback"},
    {"2002:a9fe:a9fe::", "link-local"},
    {"2003::1", ""},
    {"2606:4700::1111", ""},
    {"fbff::1", ""},
    {"fc00::1", "unique local"},
    {"fdff::1", "unique local"},
    {"fe00::1", ""},
    {"fe7f::1", ""},
    {"fe80::1", "link-local"},
    {"febf::1", "link-local"},
    {"fec0::1", "site-local"},
    {"feff::1", "site-local"},
    {"ff00::1", "multicast"},
    {"ffff::1", "multicast"},
};

TEST(IpAddress, IsPublicExactlyOutsideTheRangesOfTheContract) {
  for (const RangeCase& c : kRangeCases) {
    SCOPED_TRACE(c.address);
    const auto address = IpAddress::parse(c.address);
    ASSERT_TRUE(address);
    EXPECT_EQ(non_public_range(*address), c.range);
    EXPECT_EQ(is_public(*address), std::string_view(c.range).empty());
  }
}

TEST(IpAddress, KnowsTheMetadataServicesInEveryDisguise) {
  for (const char* text : {"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(metadata_literal(*IpAddress::parse(text)), "169.254.169.254");
  }
  EXPECT_EQ(metadata_literal(*IpAddress::parse("fd00:ec2::254")), "fd00:ec2::254");
  for (const char* text : {"169.254.169.253", "169.254.169.255", "fd00:ec2::253", "fd00:ec2::1:254", "8.8.8.8"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(metadata_literal(*IpAddress::parse(text)), "");
  }
}

TEST(IpAddress, ReadsOnlyThePlainForms) {
  for (const char* text : {"", "127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1 ", "1.2.3.4.5", "256.1.1.1", "[::1]",
                           "fe80::1%eth0", "::1::", "12345::", "host", "1.2.3.4.", "::ffff:127.0.0.1.example"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(IpAddress::parse(text));
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("127.0.0.1\0", 10)));
}

TEST(IpAddress, WritesWhatItReads) {
  for (const char* text : {"127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "::ffff:1.2.3.4"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(IpAddress::parse(text)->text(), text);
  }
  EXPECT_EQ(IpAddress::parse("2001:DB8:0:0:0:0:0:1")->text(), "2001:db8::1");
}

}  // namespace
}  // namespace fusebox::http
