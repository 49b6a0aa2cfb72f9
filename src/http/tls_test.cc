// TLS on both sides: who is trusted, what is offered, certificates that change while the server runs.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "http/async/client_test_support.h"
#include "support/certificates.h"

namespace fusebox::http {
namespace {

using namespace test;
using base::Task;
using testing::Certificate;
using testing::CertificateAuthority;

Task<void> hello(Exchange& exchange) {
  ServerResponse response;
  response.body = exchange.request().tls ? "over TLS" : "plain";
  (void)co_await exchange.respond(std::move(response));
}

class Files {
 public:
  Files() : folder_(std::filesystem::temp_directory_path() / ("fusebox_tls_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Files() { std::filesystem::remove_all(folder_); }
  std::string put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return path(name);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_;
};

class Tls : public ::testing::Test {
 protected:
  ServerOptions options(const Certificate& certificate) {
    ServerOptions made;
    made.tls =
        ServerTls{files_.put("cert.pem", certificate.certificate_pem), files_.put("key.pem", certificate.key_pem), ""};
    return made;
  }
  static std::string url(const Served& served) { return "https://127.0.0.1:" + std::to_string(served.port()) + "/"; }
  static std::string command(const std::string& line) {
    std::string all;
    FILE* const pipe = ::popen((line + " 2>&1").c_str(), "r");
    std::array<char, 4096> bytes{};
    while (const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), pipe)) all.append(bytes.data(), got);
    ::pclose(pipe);
    return all;
  }

  Files files_;
  CertificateAuthority authority_{"test authority"};
  Certificate certificate_ = authority_.issue("DNS:localhost,IP:127.0.0.1");
};

TEST_F(Tls, CarriesRequestsAndKeepsConnections) {
  Served served(hello, options(certificate_));
  Caller caller({.tls = {.ca_pem = authority_.pem()}});
  for (int i = 0; i < 3; ++i) {
    const auto reply = caller.get_url(url(served));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "over TLS");
  }
  EXPECT_EQ(served.server().connections(), 1u);
}

TEST_F(Tls, CarriesLargeBodiesBothWays) {
  Served served(
      [](Exchange& exchange) -> Task<void> {
        auto body = co_await exchange.read_body(8u << 20);
        ServerResponse response;
        response.body = body.value_or("");
        (void)co_await exchange.respond(std::move(response));
      },
      options(certificate_));
  Caller caller({.tls = {.ca_pem = authority_.pem()}});
  AsyncRequest request;
  request.method = "POST";
  request.url = url(served);
  for (int i = 0; i < 1'000'000; ++i) request.body += std::to_string(i % 10'000);
  const std::string sent = request.body;
  const auto reply = caller.send(std::move(request));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(reply->body == sent);
}

TEST_F(Tls, DeniesWhoItDoesNotTrust) {
  Served served(hello, options(certificate_));
  const CertificateAuthority other("another authority");
  Caller stranger({.tls = {.ca_pem = other.pem()}});
  Caller system;
  Caller good({.tls = {.ca_pem = authority_.pem()}});
  for (Caller* const caller : {&stranger, &system}) {
    const auto reply = caller->get_url(url(served));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, base::Errc::denied) << reply.error().message;
    EXPECT_FALSE(failure_of(reply.error()).sent);
  }
  EXPECT_TRUE(good.get_url("https://localhost:" + std::to_string(served.port()) + "/"));
}

TEST_F(Tls, DeniesAnotherNameAndAnOldCertificate) {
  Served misnamed(hello, options(authority_.issue("DNS:elsewhere.test")));
  Caller caller({.tls = {.ca_pem = authority_.pem()}});
  EXPECT_EQ(caller.get_url(url(misnamed)).error().code, base::Errc::denied);
  Served old(hello, options(authority_.issue("IP:127.0.0.1", -7200, -3600)));
  EXPECT_EQ(caller.get_url(url(old)).error().code, base::Errc::denied);
}

std::string fingerprint(const std::string& pem_file) {
  std::string line;
  FILE* const pipe = ::popen(("openssl x509 -noout -fingerprint -sha256 -in " + pem_file).c_str(), "r");
  std::array<char, 256> bytes{};
  while (std::fgets(bytes.data(), bytes.size(), pipe) != nullptr) line += bytes.data();
  ::pclose(pipe);
  line.erase(0, line.find('=') + 1);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

TEST_F(Tls, TrustsExactlyThePinnedCertificate) {
  Served served(hello, options(authority_.issue("DNS:elsewhere.test", -7200, -3600)));
  const std::string print = fingerprint(files_.path("cert.pem"));
  Caller pinned({.tls = {.fingerprint_sha256 = print}});
  const auto reply = pinned.get_url(url(served));
  ASSERT_TRUE(reply) << reply.error().message;
  std::string wrong = print;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  Caller other({.tls = {.fingerprint_sha256 = wrong}});
  EXPECT_EQ(other.get_url(url(served)).error().code, base::Errc::denied);
  Caller broken({.tls = {.fingerprint_sha256 = "abc"}});
  EXPECT_EQ(broken.get_url(url(served)).error().code, base::Errc::invalid);
}

TEST_F(Tls, WantsClientsCertificatesWhereToldTo) {
  ServerOptions strict = options(certificate_);
  strict.tls->client_ca_file = files_.put("ca.pem", authority_.pem());
  Served served(hello, strict);
  const Certificate own = authority_.issue("DNS:client");
  Caller known(
      {.tls = {.ca_pem = authority_.pem(), .client_cert_pem = own.certificate_pem, .client_key_pem = own.key_pem}});
  const auto reply = known.get_url(url(served));
  ASSERT_TRUE(reply) << reply.error().message;
  Caller unknown({.tls = {.ca_pem = authority_.pem()}});
  EXPECT_FALSE(unknown.get_url(url(served)));
  const CertificateAuthority other("another authority");
  const Certificate foreign = other.issue("DNS:client");
  Caller stranger(
      {.tls = {
           .ca_pem = authority_.pem(), .client_cert_pem = foreign.certificate_pem, .client_key_pem = foreign.key_pem}});
  EXPECT_FALSE(stranger.get_url(url(served)));
}

TEST_F(Tls, OffersHttp11AndNothingOld) {
  Served served(hello, options(certificate_));
  const std::string at = "openssl s_client -connect 127.0.0.1:" + std::to_string(served.port()) + " </dev/null ";
  EXPECT_NE(command(at + "-alpn h2,http/1.1").find("ALPN protocol: http/1.1"), std::string::npos);
  EXPECT_EQ(command(at + "-alpn h2").find("ALPN protocol: h2"), std::string::npos);
  EXPECT_NE(command(at + "-tls1_2").find("Protocol  : TLSv1.2"), std::string::npos);
  EXPECT_EQ(command(at + "-tls1_1 -cipher DEFAULT@SECLEVEL=0").find("Cipher is ECDHE"), std::string::npos);
}

TEST_F(Tls, UsesNewFilesAfterAReloadAndKeepsTheOldWhenTheyAreBroken) {
  Served served(hello, options(certificate_));
  Caller caller({.tls = {.ca_pem = authority_.pem()}, .idle_max = 0});
  EXPECT_TRUE(caller.get_url(url(served)));
  files_.put("cert.pem", "nothing");
  const auto broken = served.server().reload_tls();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, base::Errc::invalid);
  EXPECT_TRUE(caller.get_url(url(served)));
  const CertificateAuthority other("another authority");
  (void)options(other.issue("IP:127.0.0.1"));
  ASSERT_TRUE(served.server().reload_tls());
  EXPECT_EQ(caller.get_url(url(served)).error().code, base::Errc::denied);
}

TEST_F(Tls, SaysWhichFilesAreMissing) {
  base::RealClock clock;
  Loop loop(clock);
  Loop* const loops[] = {&loop};
  ServerOptions missing;
  missing.listen = "127.0.0.1:0";
  missing.tls = ServerTls{"/nowhere/cert.pem", "/nowhere/key.pem", ""};
  const auto server = Server::listen(loops, missing, hello);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, base::Errc::not_found);
}

TEST_F(Tls, EndsAHandshakeThatDoesNotComeToAnEnd) {
  ServerOptions short_limit = options(certificate_);
  short_limit.header_limit = 60ms;
  Served served(hello, short_limit);
  RawClient silent(served.port());
  EXPECT_EQ(silent.until_closed(), "");
  EXPECT_TRUE(silent.ended());
  RawClient plain(served.port());
  plain.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  (void)plain.until_closed();
  EXPECT_TRUE(plain.ended());
}

}  // namespace
}  // namespace fusebox::http
