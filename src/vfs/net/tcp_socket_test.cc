#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "vfs/net/limits.h"
#include "vfs/net/socket_test_support.h"

namespace fusebox::vfs {
namespace {

using namespace testing;
using ::testing::ElementsAre;

void reset(base::Fd fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
}

TEST(TcpSocket, NothingIsDialledBeforeTheFirstUse) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  EXPECT_THAT(net.guest.names(*net.mount), ElementsAre("s"));
  const auto file = net.open();
  const auto stat = net.mount->stat(net.guest.fresh(), "s", true);
  EXPECT_EQ(stat->type, FileType::socket_stream);
  EXPECT_EQ(stat->inode, server.port);
  EXPECT_EQ(stat->device, device_code("Sock"));
  EXPECT_EQ(stat->size, 0u);
  pollfd asked{.fd = server.fd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&asked, 1, 0), 0) << "somebody dialled";
  EXPECT_EQ(write_settled(net.guest, *file, "hi"), 2u);
  const base::Fd peer = server.accept();
  EXPECT_EQ(get(peer), "hi");
  EXPECT_EQ(file->stat()->size, 1u);
  EXPECT_EQ(net.mount->stat(net.guest.fresh(), "s", true)->size, 1u);
}

TEST(TcpSocket, ReadsWhatIsThereAndTheEndOfAnOrderlyClose) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  ASSERT_EQ(write_settled(net.guest, *file, "x"), 1u);
  base::Fd peer = server.accept();
  EXPECT_EQ(get(peer), "x");
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
  EXPECT_TRUE(net.guest.waits_for_something());
  put(peer, "hello");
  EXPECT_EQ(read_settled(net.guest, *file, 3), "hel");
  EXPECT_EQ(read_settled(net.guest, *file), "lo");
  peer = {};
  EXPECT_EQ(read_settled(net.guest, *file), "");
}

TEST(TcpSocket, NonblockingSaysAgainAndStillConnects) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open(static_cast<FdFlags>(FdFlag::nonblock));
  EXPECT_TRUE(has(file->flags(), FdFlag::nonblock));
  net.guest.nonblocking = true;
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::again);
  const base::Fd peer = server.accept();
  EXPECT_TRUE(poll_settled(net.guest, *file, true).ready);
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::again);
  EXPECT_EQ(net.guest.write(*file, "x"), 1u);
}

TEST(TcpSocket, PollingStartsTheConnectAndKnowsDataAndHangup) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  EXPECT_TRUE(poll_settled(net.guest, *file, true).ready);
  base::Fd peer = server.accept();
  EXPECT_FALSE(file->poll(net.guest.fresh(), false).ready);
  put(peer, "abc");
  EXPECT_EQ(poll_settled(net.guest, *file, false).bytes, 3u);
  peer = {};
  ASSERT_EQ(read_settled(net.guest, *file), "abc");
  EXPECT_TRUE(poll_settled(net.guest, *file, false).hangup);
}

TEST(TcpSocket, ARefusedConnectSaysSoAndTheNextUseDialsAgain) {
  const std::uint16_t port = free_port();
  OneSocket net("tcp://127.0.0.1:" + std::to_string(port));
  const auto file = net.open();
  EXPECT_EQ(error_of(read_settled(net.guest, *file)), Errno::connrefused);
  EXPECT_EQ(error_of(write_settled(net.guest, *file, "x")), Errno::connrefused);
  EXPECT_EQ(poll_settled(net.guest, *file, false).error, Errno::connrefused);
  const base::Fd late = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(late.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = loopback(port);
  ASSERT_EQ(::bind(late.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(late.get(), 1), 0);
  EXPECT_EQ(write_settled(net.guest, *file, "x"), 1u);
}

TEST(TcpSocket, HandlesShareAConnectionThatEndsWithTheLast) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  auto first = net.open();
  ASSERT_EQ(write_settled(net.guest, *first, "a"), 1u);
  auto second = net.open();
  EXPECT_EQ(second->stat()->size, 1u);
  ASSERT_EQ(write_settled(net.guest, *second, "b"), 1u);
  const base::Fd peer = server.accept();
  EXPECT_EQ(get_exactly(peer, 2), "ab");
  first.reset();
  ASSERT_EQ(write_settled(net.guest, *second, "c"), 1u);
  EXPECT_EQ(get(peer), "c");
  second.reset();
  EXPECT_EQ(get(peer), "") << "the connection is still up";
  const auto third = net.open();
  EXPECT_EQ(third->stat()->size, 0u);
  ASSERT_EQ(write_settled(net.guest, *third, "d"), 1u);
  EXPECT_EQ(get(server.accept()), "d");
}

TEST(TcpSocket, AResetIsConnresetForReadersAndPipeForWritersNeverASignal) {
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &before), 0);
  ::signal(SIGPIPE, SIG_DFL);  // would end the test
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  ASSERT_EQ(write_settled(net.guest, *file, "x"), 1u);
  reset(server.accept());
  EXPECT_EQ(error_of(read_settled(net.guest, *file)), Errno::connreset);
  EXPECT_EQ(error_of(write_settled(net.guest, *file, "x")), Errno::pipe);
  EXPECT_EQ(error_of(write_settled(net.guest, *file, "x")), Errno::pipe);
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST(TcpSocket, AWriterWhoseRoomIsGoneWaitsForTheHost) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  ASSERT_EQ(write_settled(net.guest, *file, "x"), 1u);
  const base::Fd peer = server.accept();
  const std::string large(1'000'000, 'x');
  Io<std::size_t> wrote;
  while ((wrote = net.guest.write(*file, large))) {
  }
  EXPECT_EQ(wrote.error(), Errno::would_block);
  ASSERT_EQ(net.guest.waits.ready().size(), 1u);
  EXPECT_EQ(net.guest.waits.ready()[0].events, POLLOUT);
  EXPECT_FALSE(file->poll(net.guest.fresh(), true).ready);
  net.guest.nonblocking = true;
  EXPECT_EQ(error_of(net.guest.write(*file, large)), Errno::again);
}

TEST(TcpSocket, ManyBuffersArriveInOrder) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  std::vector<std::string> pieces;
  std::string all;
  for (int i = 0; i < 50; ++i) all += pieces.emplace_back(std::to_string(i) + ",");
  std::vector<std::span<const std::byte>> buffers;
  for (const auto& piece : pieces) buffers.push_back(base::as_bytes(piece));
  EXPECT_EQ(settle(net.guest, [&](Call& call) { return file->write(call, buffers); }), all.size());
  EXPECT_EQ(get(server.accept()), all);
}

TEST(TcpSocket, ANameIsLookedUpOnTheOffloadSeamAndWaitedFor) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp", "localhost"), {}, 0, true);
  const auto file = net.open();
  EXPECT_EQ(error_of(net.guest.write(*file, "x")), Errno::would_block);
  ASSERT_EQ(net.guest.waits.changes().size(), 1u);
  EXPECT_EQ(net.guest.waits.deadline(), kConnectTime);
  ASSERT_EQ(net.offloaded.size(), 1u);
  const WaitSet::Change change = net.guest.waits.changes()[0];
  (*net.offloaded[0])();
  EXPECT_NE(change.list->version(), change.seen);
  EXPECT_EQ(write_settled(net.guest, *file, "x"), 1u);
}

TEST(TcpSocket, AnAnswerOfTheResolverThatNeverComesIsTimedOut) {
  OneSocket net("tcp://localhost:9", {}, 0, true);
  const auto file = net.open();
  ASSERT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
  net.guest.clock.advance(kConnectTime - base::Nanos{1});
  EXPECT_EQ(error_of(net.guest.read_again(*file)), Errno::would_block);
  net.guest.clock.advance(base::Nanos{1});
  EXPECT_EQ(error_of(net.guest.read_again(*file)), Errno::timedout);
  EXPECT_EQ(net.offloaded.size(), 1u);
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block) << "the next use did not dial again";
  EXPECT_EQ(net.guest.waits.deadline(), net.guest.clock.monotonic() + kConnectTime);
}

TEST(TcpSocket, OpeningAndClosingOverAndOverFillsNothing) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp", "localhost"), {}, 0, true);
  for (std::size_t i = 0; i < 2 * kLookupsWaitingMax; ++i) {
    const auto file = net.open();
    ASSERT_EQ(error_of(net.guest.write(*file, "x")), Errno::would_block);
  }
  EXPECT_EQ(net.offloaded.size(), kLookupsAtOnce);
  const auto file = net.open();
  ASSERT_EQ(error_of(net.guest.write(*file, "x")), Errno::would_block);
  (*net.offloaded[0])();
  EXPECT_EQ(write_settled(net.guest, *file, "x"), 1u);
}

TEST(TcpSocket, ALookUpThatOutlivesTheSocketHarmsNobody) {
  std::unique_ptr<std::function<void()>> work;
  {
    OneSocket net("tcp://localhost:9", {}, 0, true);
    const auto file = net.open();
    ASSERT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
    work = std::move(net.offloaded[0]);
  }
  (*work)();
}

TEST(TcpSocket, AnUnknownNameIsHostunreach) {
  OneSocket net("tcp://name.invalid:80");
  EXPECT_EQ(error_of(read_settled(net.guest, *net.open())), Errno::hostunreach);
}

TEST(TcpSocket, IPv6LiteralsAreDialled) {
  const base::Fd server = base::Fd::adopt(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  if (!server || ::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  ASSERT_EQ(::listen(server.get(), 1), 0);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  OneSocket net("tcp://[::1]:" + std::to_string(ntohs(address.sin6_port)));
  EXPECT_EQ(write_settled(net.guest, *net.open(), "x"), 1u);
}

TEST(TcpSocket, PeekLeavesTheDataAndWaitAllWaitsForAll) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  ASSERT_EQ(write_settled(net.guest, *file, "x"), 1u);
  base::Fd peer = server.accept();
  net.guest.clock.advance(std::chrono::seconds(1));
  put(peer, "abc");
  std::string a(2, '.'), b(4, '.');
  const std::span<std::byte> both[] = {std::as_writable_bytes(std::span(a)), std::as_writable_bytes(std::span(b))};
  const auto receive = [&](RecvFlags flags) {
    return settle(net.guest, [&](Call& call) { return file->receive(call, both, flags); });
  };
  EXPECT_EQ(receive({.peek = true})->bytes, 3u);
  EXPECT_EQ(a + b.substr(0, 1), "abc");
  auto first = file->receive(net.guest.fresh(), both, {.wait_all = true});
  EXPECT_EQ(error_of(first), Errno::would_block);
  put(peer, "def");
  Io<Received> rest = fail(Errno::would_block);
  while (!rest && rest.error() == Errno::would_block) {
    ASSERT_TRUE(wait_for_host(net.guest.waits));
    rest = file->receive(net.guest.again(), both, {.wait_all = true});
  }
  EXPECT_EQ(rest->bytes, 6u);
  EXPECT_EQ(a + b, "abcdef");
  put(peer, "gh");
  peer = {};
  EXPECT_EQ(receive({.wait_all = true})->bytes, 2u) << "the end of the stream ends the waiting";
}

TEST(TcpSocket, ShutdownNeedsAConnectionAndEndsOneDirection) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  EXPECT_EQ(error_of(file->shutdown(net.guest.fresh(), true, true)), Errno::notconn);
  ASSERT_EQ(write_settled(net.guest, *file, "x"), 1u);
  const base::Fd peer = server.accept();
  EXPECT_TRUE(file->shutdown(net.guest.fresh(), false, true));
  EXPECT_EQ(get(peer), "x");
  EXPECT_EQ(get(peer), "");
  EXPECT_EQ(error_of(write_settled(net.guest, *file, "x")), Errno::pipe);
  put(peer, "still");
  EXPECT_EQ(read_settled(net.guest, *file), "still");
  EXPECT_TRUE(file->shutdown(net.guest.fresh(), true, false));
  EXPECT_EQ(read_settled(net.guest, *file), "");
}

TEST(TcpSocket, AcceptIsForListeners) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"));
  const auto file = net.open();
  EXPECT_EQ(error_of(file->accept(net.guest.fresh(), 0)), Errno::inval);
  EXPECT_EQ(error_of(file->seek(0, Whence::current)), Errno::spipe);
}

TEST(SocketMount, NamesMatchExactlyAndAreUnique) {
  OneSocket net("tcp://127.0.0.1:9");
  EXPECT_EQ(error_of(net.guest.open(*net.mount, "t")), Errno::noent);
  EXPECT_EQ(error_of(net.guest.open(*net.mount, "s/x")), Errno::noent);
  EXPECT_EQ(error_of(net.guest.open(*net.mount, "s", {.directory = true})), Errno::notdir);
  EXPECT_EQ(net.mount->stat(net.guest.fresh(), "", true)->device, device_code("NetF"));
  const auto address = *parse_socket_address("tcp://127.0.0.1:9");
  const auto shared = make_net({.lookups = {}, .clock = &net.guest.clock, .bytes_per_s = 0, .report = {}});
  const auto twice = make_socket_mount(shared, {{"a", address, {}}, {"a", address, {}}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, base::Errc::exists);
  EXPECT_EQ(twice.error().message, "socket \"a\" is configured twice");
  EXPECT_EQ(socket_device(shared, {"a", address, {}})->name, "socket");
}

TEST(SocketRate, BytesBeyondTheRateWaitForTheClock) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(server.address("tcp"), {}, 1000);
  const auto file = net.open();
  ASSERT_EQ(write_settled(net.guest, *file, std::string(600, 'a')), 600u);
  const base::Fd peer = server.accept();
  EXPECT_EQ(net.guest.write(*file, std::string(600, 'b')), 400u);
  EXPECT_EQ(error_of(net.guest.write(*file, "c")), Errno::would_block);
  EXPECT_EQ(net.guest.waits.deadline(), std::chrono::milliseconds(50));
  EXPECT_FALSE(file->poll(net.guest.fresh(), true).ready);
  EXPECT_TRUE(net.guest.waits_for_something());
  put(peer, "reply");
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block) << "reading is moving bytes too";
  net.guest.clock.advance(std::chrono::milliseconds(3));
  EXPECT_EQ(read_settled(net.guest, *file), "rep");
  net.guest.clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(net.guest.write(*file, std::string(5000, 'd')), 1000u) << "the bucket holds one second's worth";
  net.guest.nonblocking = true;
  EXPECT_EQ(error_of(net.guest.write(*file, "e")), Errno::again);
}

}  // namespace
}  // namespace fusebox::vfs
