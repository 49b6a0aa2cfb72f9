#include "vfs/net/socket_address.h"

#include <gtest/gtest.h>

namespace fusebox::vfs {
namespace {

TEST(SocketAddress, EveryFormIsReadAndWrittenBack) {
  struct Case {
    const char* text;
    SocketAddress address;
  };
  const Case cases[] = {
      {"tcp://localhost:8888", {SocketKind::tcp, "localhost", 8888}},
      {"udp://10.0.0.1:1", {SocketKind::udp, "10.0.0.1", 1}},
      {"tcps://ctl.example:65535", {SocketKind::tcps, "ctl.example", 65535}},
      {"udps://a-b_c.example:443", {SocketKind::udps, "a-b_c.example", 443}},
      {"tcp://[::1]:80", {SocketKind::tcp, "::1", 80}},
      {"serial:///dev/ttyS1", {SocketKind::serial, "/dev/ttyS1", 0}},
      {"serial:///dev/a:b:c", {SocketKind::serial, "/dev/a:b:c", 0}},
      {"listen+tcp://0.0.0.0:80", {SocketKind::listen_tcp, "0.0.0.0", 80}},
      {"listen+tcps://[::]:443", {SocketKind::listen_tcps, "::", 443}},
      {"listen+udp://127.0.0.1:53", {SocketKind::listen_udp, "127.0.0.1", 53}},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_socket_address(c.text);
    ASSERT_TRUE(parsed) << c.text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, c.address) << c.text;
    EXPECT_EQ(to_string(*parsed), c.text);
  }
}

TEST(SocketAddress, WhatIsWrongIsSaid) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "no scheme"},
      {"localhost:80", "no scheme"},
      {"http://a:80", "unknown scheme"},
      {"TCP://a:80", "unknown scheme"},
      {"listen+udps://a:80", "unknown scheme"},
      {"tcp://", "no port"},
      {"tcp://a", "no port"},
      {"tcp://:80", "no host"},
      {"tcp://a:", "port"},
      {"tcp://a:0", "port"},
      {"tcp://a:65536", "port"},
      {"tcp://a:99999", "port"},
      {"tcp://a:000080", "port"},
      {"tcp://a:+80", "port"},
      {"tcp://a:8 0", "port"},
      {"tcp://a:80/", "port"},
      {"tcp://::1:80", "brackets"},
      {"tcp://[::1]", "no port"},
      {"tcp://[::1:80", "IPv6"},
      {"tcp://[1.2.3.4]:80", "IPv6"},
      {"tcp://[]:80", "IPv6"},
      {std::string("tcp://[::1\0x]:80", 16), "IPv6"},
      {"tcp://[:80", "IPv6"},
      {"tcp://a b:80", "character"},
      {"tcp://user@a:80", "character"},
      {"tcp://a/b:80", "character"},
      {std::string("tcp://a\0b:80", 12), "character"},
      {"tcp://" + std::string(254, 'a') + ":80", "253"},
      {"serial://", "no device path"},
      {std::string("serial:///dev/\0x", 16), "NUL"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = parse_socket_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, base::Errc::invalid);
    EXPECT_NE(parsed.error().message.find("socket address \""), std::string::npos) << parsed.error().message;
    EXPECT_NE(parsed.error().message.find(why), std::string::npos) << parsed.error().message;
  }
  EXPECT_TRUE(parse_socket_address("tcp://" + std::string(253, 'a') + ":80"));
}

}  // namespace
}  // namespace fusebox::vfs
