#include "http/client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "http/limits.h"
#include "support/certificates.h"
#include "support/http_test_server.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Certificate;
using testing::CertificateAuthority;
using testing::HttpTestServer;
using testing::SeenRequest;
using testing::TestConnection;
using testing::TestHandler;

const std::vector<IpAddress>& loopback() {
  static const std::vector<IpAddress> addresses = {*IpAddress::parse("127.0.0.1")};
  return addresses;
}

Request get(const HttpTestServer& server, std::string path = "/", std::string host = "api.test") {
  Request request;
  request.target = {"http", std::move(host), server.port(), std::move(path)};
  request.addresses = loopback();
  request.time_limit = seconds(30);
  request.body_bytes_max = 1000;
  return request;
}

// Says the same to every request.
TestHandler says(std::string bytes, bool keep = true) {
  return [bytes = std::move(bytes), keep](const SeenRequest&, TestConnection& connection) {
    return connection.write(bytes) && keep;
  };
}

void expect_failure(const Result<Response>& response, Errc code, std::string_view name, std::string_view message) {
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, code);
  EXPECT_EQ(response.error().name, name);
  EXPECT_EQ(response.error().message, message);
}

TEST(HttpClient, SendsOneRequestToThePinnedAddressUnderTheName) {
  HttpTestServer server(says("HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\nX-Two:  two words \r\n\r\nhi"));
  Client client;
  const auto response = client.send(get(server, "/a%20b?q=%2F"));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hi");
  const std::vector<Header> headers = {{"x-one", "1"}, {"content-length", "2"}, {"x-two", "two words"}};
  EXPECT_EQ(response->headers, headers);
  ASSERT_EQ(server.seen().size(), 1u);
  const SeenRequest seen = server.seen()[0];
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.target, "/a%20b?q=%2F");
  EXPECT_EQ(seen.header("host"), "api.test:" + std::to_string(server.port()));
  EXPECT_EQ(seen.header("accept-encoding"), "");
  EXPECT_EQ(seen.header("cookie"), "");
  EXPECT_EQ(seen.header("authorization"), "");
}

TEST(HttpClient, SendsThePathAsItIs) {
  HttpTestServer server(says(testing::response(200, "", "")));
  Client client;
  ASSERT_TRUE(client.send(get(server, "/a/../b/./c//d")));
  EXPECT_EQ(server.seen()[0].target, "/a/../b/./c//d");
}

TEST(HttpClient, SendsBodiesAndHeadersOfTheCaller) {
  HttpTestServer server(says(testing::response(200, "", "")));
  Client client;
  Request request = get(server);
  request.method = "PUT";
  request.body = std::string_view("a\0b", 3);
  request.headers = {{"content-type", "application/json"}, {"x-empty", ""}};
  ASSERT_TRUE(client.send(request));
  request = get(server);
  request.method = "POST";
  ASSERT_TRUE(client.send(request));
  request.method = "DELETE";
  ASSERT_TRUE(client.send(request));
  const auto seen = server.seen();
  EXPECT_EQ(seen[0].method, "PUT");
  EXPECT_EQ(seen[0].body, std::string("a\0b", 3));
  EXPECT_EQ(seen[0].header("content-type"), "application/json");
  EXPECT_NE(seen[0].head.find("\r\nx-empty:\r\n"), std::string::npos);
  EXPECT_EQ(seen[0].header("expect"), "");
  EXPECT_EQ(seen[1].method, "POST");
  EXPECT_EQ(seen[1].header("content-length"), "0");
  EXPECT_EQ(seen[1].header("content-type"), "");
  EXPECT_EQ(seen[2].method, "DELETE");
}

TEST(HttpClient, AHeadResponseHasNoBodyWhateverItAnnounces) {
  HttpTestServer server(says("HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"));
  Client client;
  Request request = get(server);
  request.method = "HEAD";
  const auto response = client.send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "");
}

TEST(HttpClient, FollowsNoRedirect) {
  HttpTestServer server(says(testing::response(302, "Location: /elsewhere\r\n", "moved")));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(response->body, "moved");
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(HttpClient, DropsTheBodyOfARedirectOnRequest) {
  HttpTestServer server([](const SeenRequest&, TestConnection& connection) {
    connection.write("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 999999\r\n\r\npart");
    connection.wait_for_client_to_close();
    return false;
  });
  Client client;
  Request request = get(server);
  request.drop_redirect_body = true;
  const auto response = client.send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(*response->find("location"), "/x");
}

TEST(HttpClient, IgnoresProxiesOfTheEnvironment) {
  HttpTestServer proxy(says(testing::response(200, "", "from the proxy")));
  HttpTestServer server(says(testing::response(200, "", "direct")));
  const std::string url = "http://127.0.0.1:" + std::to_string(proxy.port());
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"})
    setenv(name, url.c_str(), 1);
  Client client;
  const auto response = client.send(get(server));
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) unsetenv(name);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "direct");
  EXPECT_EQ(proxy.connections(), 0u);
}

TEST(HttpClient, DeliversACompressedBodyAsReceived) {
  HttpTestServer server(says(testing::response(200, "Content-Encoding: gzip\r\n", "not really gzip")));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "not really gzip");
}

TEST(HttpClient, SkipsInterimResponses) {
  HttpTestServer server(
      says("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->find("x-early"), nullptr);
}

TEST(HttpClient, ReadsHeaderValuesThatAreNotUtf8AsLatin1) {
  HttpTestServer server(says("HTTP/1.1 200 OK\r\nX-Name: caf\xE9\r\nX-Utf8: caf\xC3\xA9\r\nContent-Length: 0\r\n\r\n"));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_TRUE(response);
  EXPECT_EQ(*response->find("x-name"), "caf\xC3\xA9");
  EXPECT_EQ(*response->find("x-utf8"), "caf\xC3\xA9");
}

TEST(HttpClient, TakesABodyOfExactlyTheLimit) {
  HttpTestServer server(says(testing::response(200, "", std::string(1000, 'x'))));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body.size(), 1000u);
}

TEST(HttpClient, RefusesAnAnnouncedBodyAboveTheLimitBeforeReadingIt) {
  HttpTestServer server([](const SeenRequest&, TestConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
    connection.wait_for_client_to_close();  // no byte of the body is ever sent
    return false;
  });
  Client client;
  expect_failure(client.send(get(server)), Errc::exhausted, "TOO_LARGE", "the response body is larger than 1000 bytes");
}

TEST(HttpClient, RefusesAnAnnouncedBodyBeyondAnyNumber) {
  HttpTestServer server(says("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", false));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().name, "TOO_LARGE");
}

TEST(HttpClient, StopsReadingAnUnannouncedBodyAboveTheLimit) {
  std::atomic<bool> client_left = false;
  {
    HttpTestServer server([&](const SeenRequest&, TestConnection& connection) {
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      while (connection.write("64\r\n" + std::string(100, 'x') + "\r\n")) {
      }
      client_left = true;
      return false;
    });
    Client client;
    expect_failure(client.send(get(server)), Errc::exhausted, "TOO_LARGE",
                   "the response body is larger than 1000 bytes");
  }
  EXPECT_TRUE(client_left);
}

std::string header_lines(std::size_t count) {
  std::string lines;
  for (std::size_t i = 0; i < count; ++i) lines += "X-" + std::to_string(i) + ": v\r\n";
  return lines;
}

TEST(HttpClient, TakesHeadersOfExactlyTheLimits) {
  // Content-Length counts too.
  HttpTestServer server(says(testing::response(200, header_lines(kResponseHeaderLinesMax - 1), "")));
  Client client;
  const auto response = client.send(get(server));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->headers.size(), kResponseHeaderLinesMax);
}

TEST(HttpClient, RefusesHeadersAboveTheLimits) {
  const std::string filler(1000, 'x');
  std::string many_bytes;
  for (int i = 0; i < 66; ++i) many_bytes += "X-" + std::to_string(i) + ": " + filler + "\r\n";
  const std::string early = "HTTP/1.1 103 Early Hints\r\n" + header_lines(60) + "\r\n";
  const std::pair<const char*, std::string> cases[] = {
      {"one line too many", testing::response(200, header_lines(kResponseHeaderLinesMax), "")},
      {"too many bytes", testing::response(200, many_bytes, "")},
      {"one line above curl's own bound", testing::response(200, "X: " + std::string(200'000, 'x') + "\r\n", "")},
      {"spread over interim responses", early + early + testing::response(200, "", "")},
      {"in the trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + header_lines(101) + "\r\n"},
  };
  for (const auto& [name, bytes] : cases) {
    SCOPED_TRACE(name);
    HttpTestServer server(says(bytes, false));
    Client client;
    const auto response = client.send(get(server));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::exhausted);
    EXPECT_EQ(response.error().name, "TOO_LARGE");
    EXPECT_TRUE(response.error().message.starts_with("the response headers are larger than "))
        << response.error().message;
  }
}

TEST(HttpClient, TimesOutAServerThatSaysNothing) {
  HttpTestServer server([](const SeenRequest&, TestConnection& connection) {
    connection.wait_for_client_to_close();
    return false;
  });
  Client client;
  Request request = get(server);
  request.time_limit = milliseconds(50);
  expect_failure(client.send(request), Errc::stopped, "TIMEOUT", "the server did not answer in time");
}

TEST(HttpClient, TimesOutABodyThatNeverEnds) {
  HttpTestServer server([](const SeenRequest&, TestConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx");
    connection.wait_for_client_to_close();
    return false;
  });
  Client client;
  Request request = get(server);
  request.time_limit = milliseconds(50);
  expect_failure(client.send(request), Errc::stopped, "TIMEOUT", "the server did not answer in time");
}

TEST(HttpClient, AStopEndsAWaitingRequest) {
  std::atomic<bool> waiting = false;
  HttpTestServer server([&](const SeenRequest&, TestConnection& connection) {
    waiting = true;
    connection.wait_for_client_to_close();
    return false;
  });
  Client client;
  Request request = get(server);
  request.stop = [&] { return waiting.load(); };
  expect_failure(client.send(request), Errc::stopped, "CANCELLED", "stopped during an HTTP request");
}

TEST(HttpClient, ReportsConnectionFailuresWithoutTheAddress) {
  std::uint16_t free_port = 0;
  {
    free_port = HttpTestServer(says("")).port();
  }
  Client client;
  Request request;
  request.target = {"http", "api.test", free_port, "/"};
  request.addresses = loopback();
  request.time_limit = seconds(30);
  expect_failure(client.send(request), Errc::unavailable, "NETWORK", "no connection to the server");
}

TEST(HttpClient, ReportsProtocolFailures) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "the server closed the connection without an answer"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "the connection broke off"},
      {"this is not HTTP\r\n\r\n", "the exchange with the server failed"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the connection broke off"},
  };
  for (const auto& [bytes, message] : cases) {
    SCOPED_TRACE(bytes);
    HttpTestServer server(says(bytes, false));
    Client client;
    expect_failure(client.send(get(server)), Errc::unavailable, "NETWORK", message);
  }
}

TEST(HttpClient, TriesTheNextAddress) {
  HttpTestServer server(says(testing::response(200, "", "here")));
  const std::vector<IpAddress> addresses = {*IpAddress::parse("127.0.0.2"), *IpAddress::parse("127.0.0.1")};
  Client client;
  Request request = get(server);
  request.addresses = addresses;
  const auto response = client.send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "here");
}

TEST(HttpClient, AnAddressInTheTargetDoesNotOverrideThePin) {
  HttpTestServer server(says(testing::response(200, "", "")));
  const std::vector<IpAddress> other = {*IpAddress::parse("127.0.0.2")};
  Client client;
  Request request = get(server, "/", "127.0.0.1");
  request.addresses = other;
  expect_failure(client.send(request), Errc::unavailable, "NETWORK",
                 "the connection would have left the checked addresses");
  EXPECT_EQ(server.connections(), 0u);
}

TEST(HttpClient, LocalhostIsPinnedLikeAnyName) {
  HttpTestServer server(says(testing::response(200, "", "")), {.address = "127.0.0.3"});
  const std::vector<IpAddress> other = {*IpAddress::parse("127.0.0.3")};
  Client client;
  Request request = get(server, "/", "localhost");
  request.addresses = other;
  const auto response = client.send(request);
  ASSERT_TRUE(response) << response.error().message;
}

TEST(HttpClient, UsesAConnectionAgainForTheSameNameAndAddressOnly) {
  HttpTestServer server(says(testing::response(200, "", "")));
  const std::vector<IpAddress> two = {*IpAddress::parse("127.0.0.1"), *IpAddress::parse("127.0.0.2")};
  Client client;
  ASSERT_TRUE(client.send(get(server)));
  ASSERT_TRUE(client.send(get(server)));
  EXPECT_EQ(server.connections(), 1u);
  ASSERT_TRUE(client.send(get(server, "/", "other.test")));
  EXPECT_EQ(server.connections(), 2u);
  Request request = get(server);
  request.addresses = two;
  ASSERT_TRUE(client.send(request));
  EXPECT_EQ(server.connections(), 3u);
}

TEST(HttpClient, NeverSendsAnUnsafeRequestOnAKeptConnection) {
  HttpTestServer server(says(testing::response(200, "", "")));
  Client client;
  ASSERT_TRUE(client.send(get(server)));
  Request request = get(server);
  request.method = "POST";
  request.body = "x";
  ASSERT_TRUE(client.send(request));
  EXPECT_EQ(server.connections(), 2u);
  EXPECT_EQ(server.seen().size(), 2u);
}

TEST(HttpClient, RefusesRequestsThatCouldBeSplit) {
  const auto changed = [](auto change) {
    Request request;
    request.target = {"http", "api.test", 1, "/"};
    request.addresses = loopback();
    request.time_limit = seconds(1);
    change(request);
    return request;
  };
  const std::pair<Request, const char*> cases[] = {
      {changed([](Request& r) { r.target.scheme = "ftp"; }), "only https and http can be sent"},
      {changed([](Request& r) { r.target.scheme = "file"; }), "only https and http can be sent"},
      {changed([](Request& r) { r.target.host = ""; }), "the host cannot be sent"},
      {changed([](Request& r) { r.target.host = "a@b"; }), "the host cannot be sent"},
      {changed([](Request& r) { r.target.host = "a\r\nb"; }), "the host cannot be sent"},
      {changed([](Request& r) { r.target.path_and_query = "x"; }), "the path cannot be sent"},
      {changed([](Request& r) { r.target.path_and_query = "/a b"; }), "the path cannot be sent"},
      {changed([](Request& r) { r.target.path_and_query = "/a\r\nX: y"; }), "the path cannot be sent"},
      {changed([](Request& r) { r.method = "GET /x"; }), "the method cannot be sent"},
      {changed([](Request& r) { r.method = ""; }), "the method cannot be sent"},
      {changed([](Request& r) { r.headers = {{"x", "a\r\nb: c"}}; }), "a request header cannot be sent"},
      {changed([](Request& r) { r.headers = {{"x", std::string("a\0b", 3)}}; }), "a request header cannot be sent"},
      {changed([](Request& r) { r.headers = {{"x: y", "a"}}; }), "a request header cannot be sent"},
      {changed([](Request& r) { r.headers.resize(kRequestHeadersMax + 1, {"x", "a"}); }),
       "there are 65 request headers; the limit is 64"},
      {changed([](Request& r) { r.addresses = {}; }), "there is no address to connect to"},
  };
  Client client;
  for (const auto& [request, message] : cases) {
    SCOPED_TRACE(message);
    expect_failure(client.send(request), Errc::invalid, "", message);
  }
}

TEST(HttpClient, ServesManyThreads) {
  HttpTestServer server(says(testing::response(200, "", "hi")));
  Client client;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k)
        if (const auto response = client.send(get(server)); response && response->body == "hi") ++good;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
  EXPECT_LE(server.connections(), 4u);
}

class HttpsClient : public ::testing::Test {
 protected:
  // TLS with one certificate, trusted or not.
  Result<Response> ask(const Certificate& certificate, const std::string& trusted_pem, std::string host = "api.test") {
    const auto folder = base::TempDir::create();
    const std::string ca_file = folder->path() / "ca.pem";
    std::ofstream(ca_file) << trusted_pem;
    HttpTestServer server(says(testing::response(200, "", "secure")), {.certificate = &certificate});
    Client client({.ca_file = ca_file});
    Request request = get(server, "/", std::move(host));
    request.target.scheme = "https";
    return client.send(request);
  }
  CertificateAuthority authority_{"test authority"};
};

TEST_F(HttpsClient, AcceptsACertificateForTheName) {
  const auto response = ask(authority_.issue("DNS:api.test"), authority_.pem());
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "secure");
}

TEST_F(HttpsClient, AcceptsACertificateForTheAddressOfATarget) {
  const auto response = ask(authority_.issue("IP:127.0.0.1"), authority_.pem(), "127.0.0.1");
  ASSERT_TRUE(response) << response.error().message;
}

TEST_F(HttpsClient, RefusesEveryOtherCertificate) {
  const std::string invalid = "the server's certificate is not valid for this name";
  const CertificateAuthority other("another authority");
  const auto check = [&](const char* name, const Result<Response>& response) {
    SCOPED_TRACE(name);
    expect_failure(response, Errc::unavailable, "NETWORK", invalid);
  };
  check("wrong name", ask(authority_.issue("DNS:other.test"), authority_.pem()));
  check("the pinned address is not the name", ask(authority_.issue("IP:127.0.0.1"), authority_.pem()));
  check("expired", ask(authority_.issue("DNS:api.test", -7200, -60), authority_.pem()));
  check("not yet valid", ask(authority_.issue("DNS:api.test", 3600, 7200), authority_.pem()));
  check("another authority", ask(authority_.issue("DNS:api.test"), other.pem()));
  // One that gives itself the trusted one's name fails at the signature already.
  const CertificateAuthority impostor("test authority");
  expect_failure(ask(authority_.issue("DNS:api.test"), impostor.pem()), Errc::unavailable, "NETWORK",
                 "the TLS handshake with the server failed");
}

TEST_F(HttpsClient, RefusesACertificateTheSystemDoesNotKnow) {
  const Certificate certificate = authority_.issue("DNS:api.test");
  HttpTestServer server(says(testing::response(200, "", "")), {.certificate = &certificate});
  Client client;
  Request request = get(server);
  request.target.scheme = "https";
  const auto response = client.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().name, "NETWORK");
  EXPECT_TRUE(server.seen().empty());
}

TEST_F(HttpsClient, SurvivesAServerThatHangsUpDuringAnUpload) {
  const auto folder = base::TempDir::create();
  const std::string ca_file = folder->path() / "ca.pem";
  std::ofstream(ca_file) << authority_.pem();
  const Certificate certificate = authority_.issue("DNS:api.test");
  HttpTestServer server(says("unused"), {.certificate = &certificate, .requests_before_hanging_up = 0});
  Client client({.ca_file = ca_file});
  const std::string body(32 << 20, 'x');
  Request request = get(server);
  request.target.scheme = "https";
  request.method = "POST";
  request.body = body;
  const auto response = client.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().name, "NETWORK");
}

TEST_F(HttpsClient, PlainHttpFromATlsPortIsAFailure) {
  HttpTestServer server(says(testing::response(200, "", "")));
  Client client;
  Request request = get(server);
  request.target.scheme = "https";
  request.time_limit = milliseconds(200);
  EXPECT_FALSE(client.send(request));
}

}  // namespace
}  // namespace fusebox::http
