#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>

#include "vfs/net/socket_test_support.h"

namespace fusebox::vfs {
namespace {

using namespace testing;

base::Fd dial(std::uint16_t port) {
  base::Fd fd = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = loopback(port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  return fd;
}

TEST(TcpListener, IsBoundAtOnceAndAcceptsConnectionsOfTheirOwn) {
  const std::uint16_t port = free_port();
  OneSocket net("listen+tcp://127.0.0.1:" + std::to_string(port));
  const auto file = net.open();
  EXPECT_EQ(file->type(), FileType::socket_stream);
  EXPECT_EQ(error_of(file->accept(net.guest.fresh(), 0)), Errno::would_block);
  EXPECT_TRUE(net.guest.waits_for_something());
  EXPECT_FALSE(file->poll(net.guest.fresh(), false).ready);
  EXPECT_TRUE(net.guest.waits_for_something());
  net.guest.nonblocking = true;
  EXPECT_EQ(error_of(file->accept(net.guest.fresh(), 0)), Errno::again);
  net.guest.nonblocking = false;
  base::Fd a = dial(port), b = dial(port);
  EXPECT_TRUE(poll_settled(net.guest, *file, false).ready);
  const auto accept = [&](FdFlags flags) {
    return std::move(*settle(net.guest, [&](Call& call) { return file->accept(call, flags); }));
  };
  const auto first = accept(static_cast<FdFlags>(FdFlag::nonblock));
  const auto second = accept(0);
  EXPECT_TRUE(has(first->flags(), FdFlag::nonblock));
  EXPECT_EQ(second->flags(), 0);
  put(a, "from a");
  put(b, "from b");
  EXPECT_EQ(read_settled(net.guest, *first), "from a");
  EXPECT_EQ(read_settled(net.guest, *second), "from b");
  ASSERT_EQ(write_settled(net.guest, *second, "to b"), 4u);
  EXPECT_EQ(get(b), "to b");
  a = {};
  EXPECT_EQ(read_settled(net.guest, *first), "");
  EXPECT_EQ(error_of(first->accept(net.guest.fresh(), 0)), Errno::inval);
}

TEST(TcpListener, IsNoConnectionItself) {
  OneSocket net("listen+tcp://127.0.0.1:" + std::to_string(free_port()));
  const auto file = net.open();
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::notconn);
  EXPECT_EQ(error_of(net.guest.write(*file, "x")), Errno::notconn);
  EXPECT_EQ(error_of(file->shutdown(net.guest.fresh(), true, true)), Errno::notconn);
  EXPECT_EQ(file->poll(net.guest.fresh(), true).error, Errno::notconn);
}

TEST(TcpListener, AnAddressThatCannotBeBoundIsALaunchFailure) {
  HostSocket taken(SOCK_STREAM);
  base::ManualClock clock;
  const auto net = make_net({.lookups = {}, .clock = &clock, .bytes_per_s = 0, .report = {}});
  const auto at = [&](const std::string& text) { return SocketNode{"s", *parse_socket_address(text), {}}; };
  const auto made = make_socket_mount(net, {at(taken.address("listen+tcp"))});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, base::Errc::io);
  EXPECT_EQ(made.error().message,
            "socket \"s\": listen on " + taken.address("listen+tcp") + ": bind: Address already in use");
  const auto named = make_socket_mount(net, {at("listen+tcp://name.test:80")});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().message, "socket \"s\": listen on listen+tcp://name.test:80: the host is not an address");
}

struct Terminal {
  base::Fd primary, terminal;
  std::string path;
  Terminal() {
    int a = -1, b = -1;
    char name[100] = {};
    EXPECT_EQ(::openpty(&a, &b, name, nullptr, nullptr), 0);
    primary = base::Fd::adopt(a);
    terminal = base::Fd::adopt(b);
    path = name;
  }
};

TEST(SerialSocket, IsRawAndStartsWithAnEmptyBuffer) {
  Terminal line;
  termios before{};
  ASSERT_EQ(::tcgetattr(line.terminal.get(), &before), 0);
  before.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ASSERT_EQ(::tcsetattr(line.terminal.get(), TCSANOW, &before), 0);
  ASSERT_EQ(::write(line.primary.get(), "stale", 5), 5);
  pollfd arrived{.fd = line.terminal.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&arrived, 1, 10'000), 1);
  OneSocket net("serial://" + line.path);
  const auto file = net.open();
  EXPECT_EQ(file->type(), FileType::character);
  EXPECT_NE(file->stat()->inode, 0u);
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
  EXPECT_TRUE(net.guest.waits_for_something());
  termios mode{};
  ASSERT_EQ(::tcgetattr(line.terminal.get(), &mode), 0);
  EXPECT_EQ(mode.c_lflag & (ECHO | ICANON | ISIG), 0u);
  EXPECT_EQ(mode.c_oflag & OPOST, 0u);
  EXPECT_EQ(mode.c_cflag & (CSIZE | PARENB), static_cast<tcflag_t>(CS8));
  EXPECT_EQ(mode.c_cc[VMIN], 1);
  EXPECT_EQ(mode.c_cc[VTIME], 0);
  ASSERT_EQ(::write(line.primary.get(), "a\x03\r", 3), 3);
  EXPECT_EQ(read_settled(net.guest, *file), "a\x03\r");
  ASSERT_EQ(write_settled(net.guest, *file, "out\n"), 4u);
  char out[16] = {};
  EXPECT_EQ(::read(line.primary.get(), out, sizeof(out)), 4);
  EXPECT_STREQ(out, "out\n");
  EXPECT_TRUE(poll_settled(net.guest, *file, true).ready);
  EXPECT_EQ(file->stat()->size, 1u);
}

TEST(SerialSocket, ShutdownDoesNothingAndAcceptIsNotSupported) {
  Terminal line;
  OneSocket net("serial://" + line.path);
  const auto file = net.open();
  EXPECT_TRUE(file->shutdown(net.guest.fresh(), true, true));
  EXPECT_EQ(error_of(file->accept(net.guest.fresh(), 0)), Errno::notsup);
  EXPECT_EQ(write_settled(net.guest, *file, "x"), 1u);
}

TEST(SerialSocket, AMissingOrUnsuitableDeviceIsAnAnswerOfTheFirstUse) {
  OneSocket missing("serial:///nonexistent/tty");
  EXPECT_EQ(error_of(read_settled(missing.guest, *missing.open())), Errno::noent);
  OneSocket null("serial:///dev/null");
  EXPECT_EQ(error_of(read_settled(null.guest, *null.open())), Errno::notty);
}

}  // namespace
}  // namespace fusebox::vfs
