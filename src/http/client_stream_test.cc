// Bodies that are not in memory: given piece by piece, taken piece by piece.
#include <gtest/gtest.h>

#include <cstring>

#include "http/client.h"
#include "support/http_test_server.h"

namespace fusebox::http {
namespace {

using base::Errc;
using testing::HttpTestServer;
using testing::SeenRequest;
using testing::TestConnection;

testing::TestHandler says(int status, std::string body) {
  return [status, body = std::move(body)](const SeenRequest&, TestConnection& connection) {
    return connection.write(testing::response(status, "", body));
  };
}

class ClientStream : public ::testing::Test {
 protected:
  Request request_to(const HttpTestServer& server) {
    Request request;
    request.target = {"http", "registry.test", server.port(), "/"};
    request.addresses = addresses_;
    request.time_limit = std::chrono::seconds(30);
    request.body_bytes_max = 1 << 20;
    request.sink = [this](const Response&, std::string_view piece) -> base::Result<void> {
      taken_ += piece;
      return {};
    };
    return request;
  }
  const std::vector<IpAddress> addresses_ = {*IpAddress::parse("127.0.0.1")};
  Client client_;
  std::string taken_;
};

TEST_F(ClientStream, ASinkGetsTheBodyOfASuccess) {
  const std::string body(300'000, 'x');
  HttpTestServer server(says(206, body));
  const auto response = client_.send(request_to(server));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 206);
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(taken_, body);
}

TEST_F(ClientStream, TheBodyOfAFailureStaysInTheResponse) {
  HttpTestServer server(says(404, "no such blob"));
  const auto response = client_.send(request_to(server));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "no such blob");
  EXPECT_EQ(taken_, "");
}

TEST_F(ClientStream, ASinkIsBoundedToTheByte) {
  HttpTestServer server([](const SeenRequest&, TestConnection& connection) {
    // Without a length, so that only what arrives counts.
    (void)connection.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(1000, 'x'));
    return false;
  });
  Request request = request_to(server);
  request.body_bytes_max = 1000;
  EXPECT_TRUE(client_.send(request));
  request.body_bytes_max = 999;
  const auto response = client_.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().name, "TOO_LARGE");
  EXPECT_EQ(response.error().message, "the response body is larger than 999 bytes");
}

TEST_F(ClientStream, TheErrorOfASinkIsTheErrorOfTheCall) {
  HttpTestServer server(says(200, "body"));
  Request request = request_to(server);
  request.sink = [](const Response&, std::string_view) {
    return base::Result<void>(base::fail(Errc::exhausted, "disk full", "NO_SPACE"));
  };
  const auto response = client_.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "disk full");
  EXPECT_EQ(response.error().name, "NO_SPACE");
}

TEST_F(ClientStream, ASourceGivesTheBodyWithItsLength) {
  HttpTestServer server(says(201, ""));
  std::string body(200'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7);
  std::string_view left = body;
  const BodySource source{body.size(), [&left](std::span<char> into) -> base::Result<std::size_t> {
                            const std::size_t count = std::min({into.size(), left.size(), std::size_t{777}});
                            std::memcpy(into.data(), left.data(), count);
                            left.remove_prefix(count);
                            return count;
                          }};
  for (const char* method : {"PATCH", "PUT"}) {
    left = body;
    Request request = request_to(server);
    request.method = method;
    request.source = &source;
    ASSERT_TRUE(client_.send(request));
    EXPECT_EQ(server.seen().back().method, method);
    EXPECT_EQ(server.seen().back().body, body);
    EXPECT_EQ(server.seen().back().header("content-length"), "200000");
  }
}

TEST_F(ClientStream, TheErrorOfASourceIsTheErrorOfTheCall) {
  HttpTestServer server(says(201, ""));
  const BodySource source{
      10, [](std::span<char>) { return base::Result<std::size_t>(base::fail(Errc::corrupt, "the blob changed")); }};
  Request request = request_to(server);
  request.method = "PUT";
  request.source = &source;
  const auto response = client_.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "the blob changed");
}

}  // namespace
}  // namespace fusebox::http
