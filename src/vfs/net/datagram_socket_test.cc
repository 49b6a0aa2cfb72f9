// udp, udps, listen+udp.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <fstream>
#include <thread>

#include "base/freed.h"
#include "support/certificates.h"
#include "vfs/net/limits.h"
#include "vfs/net/socket_test_support.h"

namespace fusebox::vfs {
namespace {

using namespace testing;
using fusebox::testing::Certificate;
using fusebox::testing::CertificateAuthority;

struct Datagram {
  std::string text;
  sockaddr_in from{};
};
Datagram take(const HostSocket& socket) {
  Datagram datagram;
  datagram.text.resize(70'000);
  socklen_t size = sizeof(datagram.from);
  const ssize_t n = ::recvfrom(socket.fd.get(), datagram.text.data(), datagram.text.size(), 0,
                               reinterpret_cast<sockaddr*>(&datagram.from), &size);
  datagram.text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return datagram;
}
void answer(const HostSocket& socket, const sockaddr_in& to, std::string_view text) {
  EXPECT_EQ(::sendto(socket.fd.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
            static_cast<ssize_t>(text.size()));
}

TEST(UdpSocket, OneWriteIsOneDatagramAndOneReadToo) {
  HostSocket server(SOCK_DGRAM);
  OneSocket net(server.address("udp"));
  const auto file = net.open();
  EXPECT_EQ(file->type(), FileType::socket_datagram);
  const std::span<const std::byte> pieces[] = {base::as_bytes("ab"), base::as_bytes("cd")};
  EXPECT_EQ(file->write(net.guest.fresh(), pieces), 4u);
  EXPECT_EQ(net.guest.write(*file, "second"), 6u);
  const Datagram first = take(server);
  EXPECT_EQ(first.text, "abcd");
  EXPECT_EQ(take(server).text, "second");
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
  EXPECT_TRUE(net.guest.waits_for_something());
  answer(server, first.from, "one");
  answer(server, first.from, "");
  answer(server, first.from, "three");
  EXPECT_EQ(read_settled(net.guest, *file), "one");
  EXPECT_EQ(read_settled(net.guest, *file), "");
  EXPECT_EQ(read_settled(net.guest, *file, 2), "th");
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block) << "the excess is discarded";
}

TEST(UdpSocket, ReceiveReportsWhatWasCut) {
  HostSocket server(SOCK_DGRAM);
  OneSocket net(server.address("udp"));
  const auto file = net.open();
  ASSERT_EQ(net.guest.write(*file, "x"), 1u);
  const Datagram hello = take(server);
  answer(server, hello.from, "12345");
  std::string a(3, '.');
  const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(a))};
  const auto receive = [&](RecvFlags flags) {
    return *settle(net.guest, [&](Call& call) { return file->receive(call, into, flags); });
  };
  const Received peeked = receive({.peek = true});
  EXPECT_TRUE(peeked.bytes == 3 && peeked.truncated);
  const Received received = receive({.wait_all = true});
  EXPECT_TRUE(received.bytes == 3 && received.truncated);
  EXPECT_EQ(a, "123");
  answer(server, hello.from, "67");
  const Received whole = receive({});
  EXPECT_TRUE(whole.bytes == 2 && !whole.truncated);
}

TEST(UdpSocket, TheLargestDatagramGoesAndOneByteMoreIsMsgsize) {
  HostSocket server(SOCK_DGRAM);
  OneSocket net(server.address("udp"));
  const auto file = net.open();
  EXPECT_EQ(error_of(net.guest.write(*file, std::string(kDatagramBytesMax + 1, 'x'))), Errno::msgsize);
  EXPECT_EQ(net.guest.write(*file, std::string(kDatagramBytesMax, 'x')), kDatagramBytesMax);
  EXPECT_EQ(take(server).text.size(), kDatagramBytesMax);
}

TEST(UdpSocket, StrangersAreNotHeard) {
  HostSocket server(SOCK_DGRAM), stranger(SOCK_DGRAM);
  OneSocket net(server.address("udp"));
  const auto file = net.open();
  ASSERT_EQ(net.guest.write(*file, "x"), 1u);
  const Datagram hello = take(server);
  answer(stranger, hello.from, "lies");
  answer(server, hello.from, "truth");
  EXPECT_EQ(read_settled(net.guest, *file), "truth");
}

TEST(UdpSocket, AClosedPortIsConnrefused) {
  OneSocket net("udp://127.0.0.1:" + std::to_string(free_port(SOCK_DGRAM)));
  const auto file = net.open();
  ASSERT_EQ(net.guest.write(*file, "x"), 1u);
  EXPECT_EQ(error_of(read_settled(net.guest, *file)), Errno::connrefused);
}

TEST(UdpListener, AnswersWhoeverItHeardLast) {
  const std::uint16_t port = free_port(SOCK_DGRAM);
  OneSocket net("listen+udp://127.0.0.1:" + std::to_string(port));
  const auto file = net.open();
  EXPECT_EQ(file->type(), FileType::socket_datagram);
  EXPECT_EQ(error_of(net.guest.write(*file, "x")), Errno::destaddrreq);
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
  EXPECT_TRUE(net.guest.waits_for_something());
  EXPECT_FALSE(file->poll(net.guest.fresh(), false).ready);
  HostSocket a(SOCK_DGRAM), b(SOCK_DGRAM);
  answer(a, loopback(port), "from a");
  EXPECT_TRUE(poll_settled(net.guest, *file, false).ready);
  EXPECT_EQ(read_settled(net.guest, *file), "from a");
  EXPECT_EQ(net.guest.write(*file, "to a"), 4u);
  EXPECT_EQ(take(a).text, "to a");
  answer(b, loopback(port), "0123456789");
  std::string x(4, '.'), y(2, '.');
  const std::span<std::byte> both[] = {std::as_writable_bytes(std::span(x)), std::as_writable_bytes(std::span(y))};
  const auto received = settle(net.guest, [&](Call& call) { return file->receive(call, both, {}); });
  EXPECT_TRUE(received->bytes == 6 && received->truncated);
  EXPECT_EQ(x + y, "012345");
  EXPECT_EQ(net.guest.write(*file, "to b"), 4u);
  EXPECT_EQ(take(b).text, "to b");
  EXPECT_EQ(error_of(net.guest.write(*file, std::string(kDatagramBytesMax + 1, 'x'))), Errno::msgsize);
  EXPECT_EQ(error_of(file->accept(net.guest.fresh(), 0)), Errno::inval);
}

// A DTLS server for one client that says every datagram back.
class DtlsEcho {
 public:
  explicit DtlsEcho(const Certificate& certificate) : socket_(SOCK_DGRAM) {
    context_.reset(SSL_CTX_new(DTLS_server_method()));
    BIO* pem = BIO_new_mem_buf(certificate.certificate_pem.data(), -1);
    X509* x509 = PEM_read_bio_X509(pem, nullptr, nullptr, nullptr);
    BIO_free(pem);
    pem = BIO_new_mem_buf(certificate.key_pem.data(), -1);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(pem, nullptr, nullptr, nullptr);
    BIO_free(pem);
    SSL_CTX_use_certificate(context_.get(), x509);
    SSL_CTX_use_PrivateKey(context_.get(), key);
    X509_free(x509);
    EVP_PKEY_free(key);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_.fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    thread_ = std::thread([this] { serve(); });
  }
  ~DtlsEcho() { thread_.join(); }
  std::uint16_t port() const { return socket_.port; }
  std::string server_name;  // what the client asked for

 private:
  void serve() {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    char byte = 0;
    if (::recvfrom(socket_.fd.get(), &byte, 1, MSG_PEEK, reinterpret_cast<sockaddr*>(&peer), &size) < 0) return;
    if (::connect(socket_.fd.get(), reinterpret_cast<sockaddr*>(&peer), size) != 0) return;
    const std::unique_ptr<SSL, base::Freed<SSL_free>> session(SSL_new(context_.get()));
    BIO* bio = BIO_new_dgram(socket_.fd.get(), BIO_NOCLOSE);
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &peer);
    SSL_set_bio(session.get(), bio, bio);
    if (SSL_accept(session.get()) != 1) return;
    if (const char* name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name)) server_name = name;
    char data[20'000];
    while (true) {
      const int n = SSL_read(session.get(), data, sizeof(data));
      if (n <= 0) return;
      SSL_write(session.get(), data, n);
    }
  }
  HostSocket socket_;
  std::unique_ptr<SSL_CTX, base::Freed<SSL_CTX_free>> context_;
  std::thread thread_;
};

struct UdpsSocket : ::testing::Test {
  CertificateAuthority authority{"test authority"};
  base::TempDir folder = std::move(*base::TempDir::create());
  TlsOptions trusting() {
    TlsOptions tls;
    tls.ca = (folder.path() / "ca.pem").string();
    std::ofstream(tls.ca) << authority.pem();
    return tls;
  }
};

TEST_F(UdpsSocket, DatagramsPassOverDtlsWithTheirBounds) {
  DtlsEcho server(authority.issue("DNS:localhost"));
  {
    OneSocket net("udps://localhost:" + std::to_string(server.port()), trusting());
    const auto file = net.open();
    EXPECT_EQ(file->type(), FileType::socket_datagram);
    ASSERT_EQ(write_settled(net.guest, *file, "hello"), 5u);
    EXPECT_EQ(read_settled(net.guest, *file), "hello");
    ASSERT_EQ(write_settled(net.guest, *file, "0123456789"), 10u);
    ASSERT_EQ(write_settled(net.guest, *file, "next"), 4u);
    std::string x(2, '.'), y(2, '.');
    const std::span<std::byte> both[] = {std::as_writable_bytes(std::span(x)), std::as_writable_bytes(std::span(y))};
    const auto received = settle(net.guest, [&](Call& call) { return file->receive(call, both, {}); });
    ASSERT_TRUE(received);
    EXPECT_TRUE(received->bytes == 4 && received->truncated);
    EXPECT_EQ(x + y, "0123");
    EXPECT_EQ(read_settled(net.guest, *file), "next") << "the excess is discarded";
    EXPECT_EQ(error_of(write_settled(net.guest, *file, std::string(kRecordBytesMax + 1, 'x'))), Errno::msgsize);
    EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
    EXPECT_TRUE(net.guest.waits_for_something());
  }
}

TEST_F(UdpsSocket, AnotherNameOrAuthorityIsRefused) {
  for (const bool wrong_name : {true, false}) {
    const CertificateAuthority other("other authority");
    DtlsEcho server(wrong_name ? authority.issue("DNS:elsewhere.test") : other.issue("DNS:localhost"));
    OneSocket net("udps://localhost:" + std::to_string(server.port()), trusting());
    const auto file = net.open();
    EXPECT_EQ(error_of(write_settled(net.guest, *file, "hello")), Errno::connrefused);
    ASSERT_EQ(net.reports.size(), 1u);
    EXPECT_NE(net.reports[0].find(wrong_name ? "hostname mismatch" : "issuer certificate"), std::string::npos)
        << net.reports[0];
  }
}

TEST_F(UdpsSocket, ASilentPeerIsTimedOutAndRetransmissionsHaveATime) {
  HostSocket silent(SOCK_DGRAM);
  OneSocket net("udps://127.0.0.1:" + std::to_string(silent.port), trusting());
  const auto file = net.open();
  EXPECT_EQ(error_of(net.guest.read(*file)), Errno::would_block);
  EXPECT_LE(net.guest.waits.deadline(), std::chrono::seconds(1)) << "nobody would send the hello again";
  EXPECT_FALSE(take(silent).text.empty());
  net.guest.clock.advance(kConnectTime);
  EXPECT_EQ(error_of(net.guest.read_again(*file)), Errno::timedout);
}

}  // namespace
}  // namespace fusebox::vfs
