// tcps: against a real server, against liars, and against our own listening sockets.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "support/certificates.h"
#include "support/http_test_server.h"
#include "vfs/net/limits.h"
#include "vfs/net/socket_test_support.h"

namespace fusebox::vfs {
namespace {

using namespace testing;
using fusebox::testing::Certificate;
using fusebox::testing::CertificateAuthority;
using fusebox::testing::HttpTestServer;
using fusebox::testing::response;
using fusebox::testing::SeenRequest;
using fusebox::testing::TestConnection;

constexpr const char* kRequest = "GET / HTTP/1.1\r\n\r\n";

struct TlsSocket : ::testing::Test {
  CertificateAuthority authority{"test authority"};
  base::TempDir folder = std::move(*base::TempDir::create());
  std::string ca = file("ca.pem", authority.pem());

  std::string file(const std::string& name, const std::string& text) const {
    const std::string path = (folder.path() / name).string();
    std::ofstream(path) << text;
    return path;
  }
  TlsOptions identity(const Certificate& certificate, const std::string& name) const {
    TlsOptions tls;
    tls.certificate = file(name + ".pem", certificate.certificate_pem);
    tls.key = file(name + ".key", certificate.key_pem);
    return tls;
  }
  TlsOptions trusting() const {
    TlsOptions tls;
    tls.ca = ca;
    return tls;
  }
  static bool answer(const SeenRequest&, TestConnection& to) { return to.write(response(200, "", "hello")); }
  static std::string address(std::uint16_t port, const std::string& host = "localhost") {
    return "tcps://" + host + ":" + std::to_string(port);
  }
  void expect_refused(const std::string& at, const TlsOptions& tls, const std::string& why) {
    OneSocket net(at, tls);
    const auto socket = net.open();
    EXPECT_EQ(error_of(write_settled(net.guest, *socket, kRequest)), Errno::connrefused) << why;
    ASSERT_EQ(net.reports.size(), 1u) << why;
    EXPECT_EQ(net.reports[0].find("socket \"s\" at " + at + ": TLS handshake failed: "), 0u) << net.reports[0];
    EXPECT_NE(net.reports[0].find(why), std::string::npos) << net.reports[0];
    EXPECT_EQ(socket->stat()->size, 0u);
  }
};

TEST_F(TlsSocket, SpeaksWithAServerItTrusts) {
  const Certificate certificate = authority.issue("DNS:localhost");
  HttpTestServer server(answer, {.certificate = &certificate});
  OneSocket net(address(server.port()), trusting());
  const auto socket = net.open();
  EXPECT_TRUE(poll_settled(net.guest, *socket, true).ready);
  EXPECT_FALSE(socket->poll(net.guest.fresh(), false).ready);
  ASSERT_EQ(write_settled(net.guest, *socket, kRequest), 18u);
  const std::string expected = response(200, "", "hello");
  EXPECT_TRUE(poll_settled(net.guest, *socket, false).ready);
  EXPECT_EQ(read_whole(net.guest, *socket, expected.size()), expected);
  EXPECT_TRUE(net.reports.empty());
}

TEST_F(TlsSocket, AnAddressInTheCertificateIsVerifiedToo) {
  const Certificate certificate = authority.issue("IP:127.0.0.1");
  HttpTestServer server(answer, {.certificate = &certificate});
  OneSocket net(address(server.port(), "127.0.0.1"), trusting());
  EXPECT_EQ(write_settled(net.guest, *net.open(), kRequest), 18u);
}

TEST_F(TlsSocket, AnotherNameIsRefused) {
  const Certificate certificate = authority.issue("DNS:elsewhere.test");
  HttpTestServer server(answer, {.certificate = &certificate});
  expect_refused(address(server.port()), trusting(), "hostname mismatch");
  expect_refused(address(server.port(), "127.0.0.1"), trusting(), "IP address mismatch");
  TlsOptions named = trusting();
  named.server_name = "elsewhere.test";
  OneSocket net(address(server.port()), named);
  EXPECT_EQ(write_settled(net.guest, *net.open(), kRequest), 18u);
}

TEST_F(TlsSocket, UnknownAuthoritiesAndExpiredCertificatesAreRefused) {
  const CertificateAuthority other("other authority");
  const Certificate foreign = other.issue("DNS:localhost");
  HttpTestServer foreign_server(answer, {.certificate = &foreign});
  expect_refused(address(foreign_server.port()), trusting(), "unable to get local issuer certificate");
  expect_refused(address(foreign_server.port()), {}, "unable to get local issuer certificate");
  const Certificate expired = authority.issue("DNS:localhost", -3600, -60);
  HttpTestServer expired_server(answer, {.certificate = &expired});
  expect_refused(address(expired_server.port()), trusting(), "certificate has expired");
}

TEST_F(TlsSocket, WithoutVerificationAnyCertificateWillDo) {
  const CertificateAuthority other("other authority");
  const Certificate foreign = other.issue("DNS:elsewhere.test");
  HttpTestServer server(answer, {.certificate = &foreign});
  TlsOptions tls;
  tls.verify = false;
  OneSocket net(address(server.port()), tls);
  EXPECT_EQ(write_settled(net.guest, *net.open(), kRequest), 18u);
}

TEST_F(TlsSocket, AServerThatSpeaksNoTlsIsRefused) {
  HostSocket server(SOCK_STREAM);
  std::thread liar([&] {
    const base::Fd peer = server.accept();
    (void)get(peer, 1);
    put(peer, "HTTP/1.1 400 Bad Request\r\n\r\n");
    (void)get(peer);
  });
  expect_refused(address(server.port, "127.0.0.1"), trusting(), "wrong version number");
  liar.join();
}

TEST_F(TlsSocket, AServerThatHangsUpDuringTheHandshakeIsRefused) {
  HostSocket server(SOCK_STREAM);
  std::thread liar([&] {
    const base::Fd peer = server.accept();
    (void)get(peer, 10);
    put(peer, std::string("\x16\x03\x03\x40\x00", 5));  // a record that never comes
    ::shutdown(peer.get(), SHUT_WR);
    while (!get(peer).empty()) {
    }
  });
  OneSocket net(address(server.port, "127.0.0.1"), trusting());
  {
    const auto socket = net.open();
    EXPECT_EQ(error_of(read_settled(net.guest, *socket)), Errno::connrefused);
  }
  liar.join();
}

TEST_F(TlsSocket, AServerThatSaysNothingIsTimedOut) {
  HostSocket server(SOCK_STREAM);
  OneSocket net(address(server.port, "127.0.0.1"), trusting());
  const auto socket = net.open();
  EXPECT_EQ(error_of(net.guest.read(*socket)), Errno::would_block);
  const base::Fd peer = server.accept();
  EXPECT_EQ(error_of(net.guest.read_again(*socket)), Errno::would_block);
  EXPECT_EQ(net.guest.waits.deadline(), kConnectTime);
  net.guest.clock.advance(kConnectTime);
  EXPECT_EQ(error_of(net.guest.read_again(*socket)), Errno::timedout);
}

TEST_F(TlsSocket, AConnectionCutWithoutCloseNotifyIsAReset) {
  const Certificate certificate = authority.issue("DNS:localhost");
  HttpTestServer server(
      [](const SeenRequest&, TestConnection& to) {
        to.write("cut");
        return false;  // the server drops the connection under TLS
      },
      {.certificate = &certificate});
  OneSocket net(address(server.port()), trusting());
  const auto socket = net.open();
  ASSERT_EQ(write_settled(net.guest, *socket, kRequest), 18u);
  EXPECT_EQ(read_settled(net.guest, *socket), "cut");
  EXPECT_EQ(error_of(read_settled(net.guest, *socket)), Errno::connreset);
  EXPECT_EQ(error_of(write_settled(net.guest, *socket, "x")), Errno::pipe);
}

TEST_F(TlsSocket, ConfiguredFilesThatCannotBeUsedAreALaunchFailure) {
  const Certificate one = authority.issue("DNS:one.test"), two = authority.issue("DNS:two.test");
  TlsOptions no_ca, not_pem, half = identity(one, "one"), mixed = identity(one, "one");
  no_ca.ca = (folder.path() / "missing.pem").string();
  not_pem.ca = file("junk.pem", "junk");
  half.key.clear();
  mixed.key = file("two.key", two.key_pem);
  base::ManualClock clock;
  const auto net = make_net({.lookups = {}, .clock = &clock, .bytes_per_s = 0, .report = {}});
  const std::pair<TlsOptions, std::string> cases[] = {
      {no_ca, "trust anchors"}, {not_pem, "trust anchors"}, {half, "one is given without the other"}, {mixed, "key"}};
  for (const auto& [tls, why] : cases) {
    const auto made = make_socket_mount(net, {{"s", *parse_socket_address("tcps://localhost:1"), tls}});
    ASSERT_FALSE(made) << why;
    EXPECT_EQ(made.error().code, base::Errc::invalid);
    EXPECT_EQ(made.error().message.find("socket \"s\": TLS "), 0u) << made.error().message;
    EXPECT_NE(made.error().message.find(why), std::string::npos) << made.error().message;
  }
  const auto listener = make_socket_mount(net, {{"s", *parse_socket_address("listen+tcps://127.0.0.1:1"), {}}});
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().message, "socket \"s\": a listening TLS socket needs a certificate and a key");
}

// A listening TLS socket and a client, both ours, in one thread.
struct Pair {
  std::unique_ptr<OneSocket> listener, client;
  std::unique_ptr<File> listening, near, far;

  Pair(const TlsOptions& server_tls, const TlsOptions& client_tls) {
    const std::string port = std::to_string(free_port());
    listener = std::make_unique<OneSocket>("listen+tcps://127.0.0.1:" + port, server_tls);
    client = std::make_unique<OneSocket>("tcps://127.0.0.1:" + port, client_tls);
    listening = listener->open();
    near = client->open();
    (void)near->poll(client->guest.fresh(), true);
    auto accepted = settle(listener->guest, [&](Call& call) { return listening->accept(call, FdFlags{0}); });
    EXPECT_TRUE(accepted);
    if (accepted) far = std::move(*accepted);
  }
  // Both sides go on by turns until neither waits for the handshake.
  Errno shake() {
    for (int turn = 0; turn < 200; ++turn) {
      const Readiness there = far->poll(listener->guest.fresh(), true);
      const Readiness here = near->poll(client->guest.fresh(), true);
      if (here.error != Errno::success) return here.error;
      if (there.error != Errno::success) return there.error;
      if (here.ready && there.ready) return Errno::success;
    }
    return Errno::timedout;
  }
};

TEST_F(TlsSocket, AListeningSocketServesClients) {
  Pair pair(identity(authority.issue("IP:127.0.0.1"), "server"), trusting());
  ASSERT_EQ(pair.shake(), Errno::success);
  ASSERT_EQ(write_settled(pair.client->guest, *pair.near, "question"), 8u);
  EXPECT_EQ(read_settled(pair.listener->guest, *pair.far), "question");
  ASSERT_EQ(write_settled(pair.listener->guest, *pair.far, "answer"), 6u);
  EXPECT_EQ(read_settled(pair.client->guest, *pair.near, 3), "ans");
  EXPECT_EQ(pair.near->poll(pair.client->guest.fresh(), false).bytes, 3u);
  EXPECT_EQ(read_settled(pair.client->guest, *pair.near), "wer");
  ASSERT_TRUE(pair.near->shutdown(pair.client->guest.fresh(), false, true));
  EXPECT_EQ(read_settled(pair.listener->guest, *pair.far), "") << "close_notify is an orderly end";
  EXPECT_EQ(error_of(pair.client->guest.write(*pair.near, "x")), Errno::pipe);
  pair.far.reset();
  EXPECT_EQ(read_settled(pair.client->guest, *pair.near), "");
}

TEST_F(TlsSocket, MegabytesPassWhenBothSidesTakeTurnsAndNothingIsLost) {
  Pair pair(identity(authority.issue("IP:127.0.0.1"), "server"), trusting());
  ASSERT_EQ(pair.shake(), Errno::success);
  std::string data(6'000'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7 >> 4);
  std::string arrived;
  bool was_full = false;
  for (std::size_t sent = 0; arrived.size() < data.size();) {
    // The writer first fills everything there is, so that records get stuck half way.
    while (sent < data.size()) {
      const auto wrote = pair.client->guest.write(*pair.near, std::string_view(data).substr(sent, 50'000));
      if (!wrote) {
        ASSERT_EQ(wrote.error(), Errno::would_block);
        EXPECT_TRUE(pair.client->guest.waits_for_something());
        was_full = true;
        break;
      }
      sent += *wrote;
    }
    while (true) {
      const auto piece = pair.listener->guest.read(*pair.far, 40'000);
      if (!piece) {
        ASSERT_EQ(piece.error(), Errno::would_block);
        break;
      }
      arrived += *piece;
    }
    (void)pair.near->poll(pair.client->guest.fresh(), true);
  }
  EXPECT_TRUE(was_full);
  EXPECT_TRUE(arrived == data);
}

TEST_F(TlsSocket, ClientsWithoutACertificateOfTheAuthorityAreTurnedAway) {
  TlsOptions server = identity(authority.issue("IP:127.0.0.1"), "server");
  server.ca = ca;
  TlsOptions known = identity(authority.issue("DNS:client.test"), "client");
  known.ca = ca;
  {
    Pair pair(server, known);
    ASSERT_EQ(pair.shake(), Errno::success);
    ASSERT_EQ(write_settled(pair.client->guest, *pair.near, "hi"), 2u);
    EXPECT_EQ(read_settled(pair.listener->guest, *pair.far), "hi");
  }
  const CertificateAuthority other("other authority");
  TlsOptions stranger = identity(other.issue("DNS:client.test"), "stranger");
  stranger.ca = ca;
  for (const TlsOptions& tls : {trusting(), stranger}) {
    Pair pair(server, tls);
    EXPECT_EQ(pair.shake(), Errno::connrefused);
    ASSERT_FALSE(pair.listener->reports.empty());
    EXPECT_NE(pair.listener->reports[0].find("TLS handshake failed"), std::string::npos);
    EXPECT_EQ(error_of(read_settled(pair.listener->guest, *pair.far)), Errno::connrefused);
  }
}

TEST_F(TlsSocket, APeerThatNeverShakesHandsHoldsUpNobodyElse) {
  const TlsOptions server = identity(authority.issue("IP:127.0.0.1"), "server");
  Pair pair(server, trusting());
  const auto port = static_cast<std::uint16_t>(pair.listening->stat()->inode);
  const base::Fd silent = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = loopback(port);
  ASSERT_EQ(::connect(silent.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  auto stuck = settle(pair.listener->guest, [&](Call& call) { return pair.listening->accept(call, FdFlags{0}); });
  ASSERT_TRUE(stuck);
  EXPECT_EQ(error_of(pair.listener->guest.read(**stuck)), Errno::would_block);
  EXPECT_EQ(pair.listener->guest.waits.deadline(), kConnectTime);
  EXPECT_EQ(pair.shake(), Errno::success);
  pair.listener->guest.clock.advance(kConnectTime);
  EXPECT_EQ(error_of(pair.listener->guest.read(**stuck)), Errno::timedout);
}

TEST_F(TlsSocket, JunkInsteadOfRecordsBreaksTheConnectionAndNothingElse) {
  HostSocket proxy(SOCK_STREAM);
  const Certificate certificate = authority.issue("DNS:localhost");
  HttpTestServer server(answer, {.certificate = &certificate});
  // Passes the handshake through; then answers everything with junk.
  std::atomic<bool> junk{false};
  std::thread between([&] {
    const base::Fd near = proxy.accept();
    const base::Fd far = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = loopback(server.port());
    ASSERT_EQ(::connect(far.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    while (true) {
      pollfd both[2] = {{near.get(), POLLIN, 0}, {far.get(), POLLIN, 0}};
      if (::poll(both, 2, 10'000) <= 0) return;
      if (both[0].revents != 0) {
        const std::string data = get(near);
        if (data.empty()) return;
        if (junk) {
          put(near, std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'j'));
          continue;
        }
        put(far, data);
      } else {
        const std::string data = get(far);
        if (data.empty()) return;
        put(near, data);
      }
    }
  });
  OneSocket net("tcps://localhost:" + std::to_string(proxy.port), trusting());
  {
    const auto socket = net.open();
    ASSERT_TRUE(poll_settled(net.guest, *socket, true).ready);
    junk = true;
    ASSERT_EQ(write_settled(net.guest, *socket, kRequest), 18u);
    Io<std::string> read = read_settled(net.guest, *socket);
    EXPECT_EQ(error_of(read), Errno::io);
    EXPECT_EQ(error_of(read_settled(net.guest, *socket)), Errno::connreset);
  }
  between.join();
}

}  // namespace
}  // namespace fusebox::vfs
