// The client against a real server and against sockets that say what a test wants said.
#include "http/async/async_client.h"

#include <atomic>

#include "base/wait.h"
#include "http/async/client_test_support.h"
#include "support/http_test_server.h"

namespace fusebox::http {
namespace {

using namespace test;
using base::Result;
using base::Task;

Task<void> echo(Exchange& exchange) {
  auto body = co_await exchange.read_body(1 << 20);
  ServerResponse response;
  response.headers.push_back({"X-Peer", std::to_string(exchange.request().peer_port)});
  response.body = exchange.request().method + " " + exchange.request().target + " [" + body.value_or("?") + "]";
  (void)co_await exchange.respond(std::move(response));
}

TEST(AsyncClient, SendsAndUsesAConnectionAgain) {
  Served served(echo);
  Caller caller;
  std::string port;
  for (int i = 0; i < 3; ++i) {
    AsyncRequest request;
    request.method = "POST";
    request.url = url_of(served.port(), "/a?b=c");
    request.body = "body";
    const auto reply = caller.send(std::move(request));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, "POST /a?b=c [body]");
    ASSERT_NE(reply->find("x-peer"), nullptr);
    if (i > 0) {
      EXPECT_EQ(*reply->find("x-peer"), port);
    }
    port = *reply->find("x-peer");
  }
}

TEST(AsyncClient, SaysThatNothingWasSentWhenRefused) {
  std::uint16_t port = 0;
  {
    Served served(echo);
    port = served.port();
  }
  Caller caller;
  const auto reply = caller.get_url(url_of(port));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, base::Errc::unavailable);
  EXPECT_TRUE(failure_of(reply.error()).refused);
  EXPECT_FALSE(failure_of(reply.error()).sent);
}

TEST(AsyncClient, ReadsChunksUntilCloseAndOneRequestServers) {
  testing::HttpTestServer server([](const testing::SeenRequest& seen, testing::TestConnection& to) {
    if (seen.target == "/chunks") {
      to.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
      return true;
    }
    if (seen.target == "/interim") {
      to.write(
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
      return true;
    }
    to.write("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end");
    return false;
  });
  Caller caller;
  const std::string base = "http://127.0.0.1:" + std::to_string(server.port());
  EXPECT_EQ(caller.get_url(base + "/chunks")->body, "abc");
  EXPECT_EQ(caller.get_url(base + "/old")->body, "until the end");
  EXPECT_EQ(caller.get_url(base + "/interim")->status, 204);
  EXPECT_EQ(caller.get_url(base + "/old")->body, "until the end");
}

TEST(AsyncClient, EndsAtItsDeadlineAndWhenStopped) {
  Served served([](Exchange& exchange) -> Task<void> {
    base::Completion<int> gone;
    const std::stop_callback callback(exchange.gone(), [gone] { gone.set(1); });
    (void)co_await gone.wait(exchange.executor());
  });
  Caller caller;
  AsyncRequest request;
  request.url = url_of(served.port());
  request.limit = 30ms;
  const auto late = caller.send(request);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::Errc::stopped);
  EXPECT_EQ(late.error().name, "TIMEOUT");
  EXPECT_TRUE(failure_of(late.error()).sent);

  std::stop_source stop;
  request.limit = kPatience;
  request.stop = stop.get_token();
  std::thread stopper([&] {
    EXPECT_TRUE(comes_true([&] { return served.server().connections() == 1; }));
    stop.request_stop();
  });
  const auto stopped = caller.send(request);
  stopper.join();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().name, "CANCELLED");
}

Task<Result<std::string>> read_stream(AsyncClient& client, AsyncRequest request) {
  auto opened = co_await client.open(std::move(request));
  if (!opened) co_return base::fail(std::move(opened).error());
  std::string all;
  char bytes[16];
  for (;;) {
    auto got = co_await (*opened)->read_some(bytes);
    if (!got) co_return base::fail(std::move(got).error());
    if (*got == 0) co_return all;
    all.append(bytes, *got);
  }
}

TEST(AsyncClient, ReadsAStreamAsItComes) {
  Served served([](Exchange& exchange) -> Task<void> {
    auto stream = co_await exchange.respond_streaming(ServerResponse());
    if (!stream) co_return;
    for (int i = 0; i < 100; ++i) (void)co_await (*stream)->write("0123456789");
    (void)co_await (*stream)->finish();
  });
  Caller caller;
  AsyncRequest request;
  request.url = url_of(served.port());
  const auto all = caller.get(read_stream(caller.client(), request));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 1000u);
}

TEST(AsyncClient, SeesAStreamThatBroke) {
  Served served([](Exchange& exchange) -> Task<void> {
    auto stream = co_await exchange.respond_streaming(ServerResponse());
    if (stream) (void)co_await (*stream)->write("half");
  });
  Caller caller;
  AsyncRequest request;
  request.url = url_of(served.port());
  const auto all = caller.get(read_stream(caller.client(), request));
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, base::Errc::unavailable);
}

Task<Result<std::string>> shout(AsyncClient& client, AsyncRequest request) {
  auto upgraded = co_await client.upgrade(std::move(request), "fuse-attach/1");
  if (!upgraded) co_return base::fail(std::move(upgraded).error());
  if (!upgraded->stream) co_return std::to_string(upgraded->head.status) + " " + upgraded->head.body;
  FB_CO_CHECK(co_await upgraded->stream->write("hello"));
  std::string all;
  char bytes[16];
  while (all.size() < 5) {
    auto got = co_await upgraded->stream->read_some(bytes);
    if (!got) co_return base::fail(std::move(got).error());
    all.append(bytes, *got);
  }
  co_return all;
}

TEST(AsyncClient, UpgradesAndTellsWhenItMayNot) {
  Served served([](Exchange& exchange) -> Task<void> {
    if (exchange.request().target == "/no") {
      ServerResponse refusal;
      refusal.status = 409;
      refusal.body = "not running";
      (void)co_await exchange.respond(std::move(refusal));
      co_return;
    }
    auto stream = co_await exchange.upgrade("HTTP/1.1 101 Switching Protocols\r\nUpgrade: fuse-attach/1\r\n\r\n");
    char bytes[16];
    auto got = co_await (*stream)->read_some(bytes);
    if (got) (void)co_await (*stream)->write(std::string_view(bytes, *got));
  });
  Caller caller;
  AsyncRequest request;
  request.url = url_of(served.port());
  EXPECT_EQ(caller.get(shout(caller.client(), request)).value(), "hello");
  request.url = url_of(served.port(), "/no");
  EXPECT_EQ(caller.get(shout(caller.client(), request)).value(), "409 not running");
}

TEST(AsyncClient, RefusesWhatCannotBeSent) {
  Caller caller;
  for (const char* url :
       {"", "ftp://a/", "http://", "http://a b/", "http://u:p@h/", "http://h:0/", "http://h:99999/", "http://[::1/"}) {
    SCOPED_TRACE(url);
    const auto reply = caller.get_url(url);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, base::Errc::invalid);
  }
  AsyncRequest request;
  request.url = "http://127.0.0.1:1/";
  request.headers.push_back({"X", "a\r\nB: c"});
  const auto reply = caller.send(request);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, base::Errc::invalid);
  EXPECT_EQ(reply.error().message.find("B: c"), std::string::npos);
}

// Answers every request but the second, on which it closes the connection without a word.
struct SilentOnce {
  std::atomic<int> requests{0};
  testing::HttpTestServer server{[this](const testing::SeenRequest&, testing::TestConnection& to) {
    if (++requests == 2) return false;
    to.write(testing::response(200, "", "ok"));
    return true;
  }};
  std::string url() const { return url_of(server.port()); }
};

TEST(AsyncClient, TriesOnceMoreWhatMayBeRepeatedOnAConnectionThatDied) {
  SilentOnce silent;
  Caller caller;
  EXPECT_TRUE(caller.get_url(silent.url()));
  EXPECT_TRUE(caller.get_url(silent.url()));
  EXPECT_EQ(silent.requests, 3);
}

TEST(AsyncClient, NeverSendsTwiceWhatMayNotBeRepeated) {
  SilentOnce silent;
  Caller caller;
  AsyncRequest request;
  request.method = "POST";
  request.url = silent.url();
  request.body = "x";
  EXPECT_TRUE(caller.send(request));
  const auto lost = caller.send(request);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, base::Errc::unavailable);
  EXPECT_TRUE(failure_of(lost.error()).sent);
  EXPECT_EQ(silent.requests, 2);

  SilentOnce again;
  request.url = again.url();
  request.repeatable = true;
  EXPECT_TRUE(caller.send(request));
  EXPECT_TRUE(caller.send(request));
  EXPECT_EQ(again.requests, 3);
}

TEST(AsyncClient, DoesNotRepeatOnAFreshConnection) {
  SilentOnce silent;
  silent.requests = 1;
  Caller caller;
  EXPECT_FALSE(caller.get_url(silent.url()));
  EXPECT_EQ(silent.requests, 2);
}

TEST(AsyncClient, ForgetsConnectionsThatServersClose) {
  std::atomic<int> requests{0};
  testing::HttpTestServer server([&](const testing::SeenRequest&, testing::TestConnection& to) {
    ++requests;
    to.write(testing::response(200, "", "ok"));  // promises to stay, and goes
    return false;
  });
  Caller caller;
  AsyncRequest request;
  request.method = "POST";
  request.url = url_of(server.port());
  for (int i = 0; i < 20; ++i) {
    const auto reply = caller.send(request);
    if (!reply) {
      // Between the close and its notice a request may be lost; never silently, and never twice.
      EXPECT_EQ(reply.error().code, base::Errc::unavailable);
    }
  }
  EXPECT_LE(requests, 20);
}

TEST(AsyncClient, ClosesIdleConnectionsAfterTheirLimit) {
  Served served(echo);
  Caller caller({.idle_limit = 30ms});
  EXPECT_TRUE(caller.get_url(url_of(served.port())));
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 0; }));
}

TEST(AsyncClient, KeepsNoMoreIdleConnectionsThanAllowed) {
  Served served(echo);
  Caller caller({.idle_max = 2});
  const auto many = [](AsyncClient& client, Loop& loop, std::string url) -> Task<int> {
    base::TaskScope scope(loop);
    int good = 0;
    const auto one = [](AsyncClient& by, std::string to, int& count) -> Task<void> {
      AsyncRequest request;
      request.url = std::move(to);
      const auto reply = co_await by.send(std::move(request));
      if (reply) ++count;
    };
    for (int i = 0; i < 20; ++i) scope.spawn(one(client, url, good));
    co_await scope.all_ended();
    co_return good;
  };
  EXPECT_EQ(caller.get(many(caller.client(), caller.loop(), url_of(served.port()))), 20);
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 2; }));
}

TEST(AsyncClient, BoundsReplies) {
  testing::HttpTestServer server([](const testing::SeenRequest& seen, testing::TestConnection& to) {
    if (seen.target == "/announced") to.write(testing::response(200, "", std::string(1025, 'x')));
    if (seen.target == "/chunks") {
      to.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n" + std::string(1025, 'x') +
               "\r\n0\r\n\r\n");
    }
    if (seen.target == "/exact") to.write(testing::response(200, "", std::string(1024, 'x')));
    if (seen.target == "/headers") to.write("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n");
    if (seen.target == "/interims") {
      for (int i = 0; i < 3000; ++i) to.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return false;
  });
  Caller caller;
  AsyncRequest request;
  request.body_bytes_max = 1024;
  for (const char* path : {"/announced", "/chunks", "/headers", "/interims"}) {
    SCOPED_TRACE(path);
    request.url = url_of(server.port(), path);
    const auto reply = caller.send(request);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, base::Errc::exhausted) << reply.error().message;
  }
  request.url = url_of(server.port(), "/exact");
  EXPECT_EQ(caller.send(request)->body.size(), 1024u);
}

TEST(AsyncClient, RefusesRepliesThatAreNone) {
  testing::HttpTestServer server([](const testing::SeenRequest& seen, testing::TestConnection& to) {
    if (seen.target == "/lengths") to.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    if (seen.target == "/cut") to.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    if (seen.target == "/chunks") to.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    if (seen.target == "/unasked") to.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    if (seen.target == "/else") to.write("SSH-2.0-OpenSSH_9.2\r\n");
    if (seen.target == "/feeds") to.write("HTTP/1.1 200 OK\n\n");
    return false;
  });
  Caller caller;
  for (const char* path : {"/lengths", "/cut", "/chunks", "/unasked", "/else", "/feeds", "/nothing"}) {
    SCOPED_TRACE(path);
    const auto reply = caller.get_url(url_of(server.port(), path));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, base::Errc::unavailable);
    EXPECT_TRUE(failure_of(reply.error()).sent);
  }
}

TEST(AsyncClient, ReadsAnAnswerThatCameBeforeTheBodyWasTaken) {
  Served served([](Exchange& exchange) -> Task<void> {
    ServerResponse refusal;
    refusal.status = 413;
    (void)co_await exchange.respond(std::move(refusal));
  });
  Caller caller;
  AsyncRequest request;
  request.method = "PUT";
  request.url = url_of(served.port());
  request.body = std::string(16u << 20, 'x');
  const auto reply = caller.send(request);
  // The server may reset the connection before its answer is read: then the call fails, but it never hangs.
  if (reply) {
    EXPECT_EQ(reply->status, 413);
  }
}

TEST(AsyncClient, EndsAStreamByItsStopToken) {
  Served served([](Exchange& exchange) -> Task<void> {
    auto stream = co_await exchange.respond_streaming(ServerResponse());
    if (!stream) co_return;
    base::Completion<int> gone;
    const std::stop_callback callback((*stream)->gone(), [gone] { gone.set(1); });
    (void)co_await gone.wait(exchange.executor());
  });
  Caller caller;
  std::stop_source stop;
  AsyncRequest request;
  request.url = url_of(served.port());
  request.stop = stop.get_token();
  request.limit = kPatience;
  std::thread stopper([&] {
    EXPECT_TRUE(comes_true([&] { return served.server().connections() == 1; }));
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  const auto all = caller.get(read_stream(caller.client(), request));
  stopper.join();
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().name, "CANCELLED");
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 0; }));
}

TEST(AsyncClient, ResolvesNames) {
  Served served(echo, {.listen = "localhost:0"});
  Caller caller;
  EXPECT_TRUE(caller.get_url("http://localhost:" + std::to_string(served.port()) + "/"));
  const auto unknown = caller.get_url("http://no-such-host.invalid/");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, base::Errc::unavailable);
  EXPECT_FALSE(failure_of(unknown.error()).sent);
}

}  // namespace
}  // namespace fusebox::http
