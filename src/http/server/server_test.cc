// A real server on the loopback, spoken to byte by byte.
#include "http/server/server.h"

#include <atomic>

#include "base/wait.h"
#include "http/server/server_test_support.h"

namespace fusebox::http {
namespace {

using namespace test;
using base::Task;

// Answers with what it saw: method, target, body.
Task<void> echo(Exchange& exchange) {
  auto body = co_await exchange.read_body(1 << 20);
  const ServerRequest& request = exchange.request();
  ServerResponse response;
  if (!body) {
    response.status = body.error().code == base::Errc::exhausted ? 413 : 400;
    response.body = body.error().message;
  } else {
    response.body = request.method + " " + request.target + " [" + *body + "]";
  }
  (void)co_await exchange.respond(std::move(response));
}

ServerResponse text(std::string body) {
  return {.headers = {{"Content-Type", "text/plain"}}, .body = std::move(body)};
}

Task<void> hello(Exchange& exchange) {
  (void)co_await exchange.respond(text("hello"));
}

std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "no head in: " + answer : answer.substr(end + 4);
}
std::string status_of(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}

TEST(Server, AnswersAndKeepsTheConnection) {
  Served served(hello, {.server_name = "fusebox-test"});
  RawClient client(served.port());
  for (int i = 0; i < 3; ++i) {
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.until("hello");
    EXPECT_EQ(status_of(answer), "HTTP/1.1 200 OK");
    EXPECT_NE(answer.find("\r\nContent-Type: text/plain\r\n"), std::string::npos);
    EXPECT_NE(answer.find("\r\nContent-Length: 5\r\n"), std::string::npos);
    EXPECT_NE(answer.find("\r\nDate: "), std::string::npos);
    EXPECT_NE(answer.find("\r\nServer: fusebox-test\r\n"), std::string::npos);
    EXPECT_EQ(answer.find("Connection:"), std::string::npos);
  }
  EXPECT_EQ(served.server().connections(), 1u);
}

TEST(Server, ReadsBodiesByLengthAndByChunks) {
  Served served(echo);
  RawClient client(served.port());
  client.say("POST /a?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
  client.say("cd");
  EXPECT_EQ(body_of(client.until("]")), "POST /a?x=1 [abcd]");
  client.say("PUT /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n");
  client.say("A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n");
  EXPECT_EQ(body_of(client.until("]")), "PUT /b [abc0123456789]");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  Served served(echo);
  RawClient client(served.port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  client.say(all);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(body_of(client.until("]")), "GET /" + std::to_string(i) + " []");
}

TEST(Server, TellsHttp10WhetherTheConnectionStays) {
  Served served(hello);
  EXPECT_NE(served.talk("GET / HTTP/1.0\r\n\r\n").find("Connection: close\r\n"), std::string::npos);
  RawClient client(served.port());
  client.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(client.until("hello").find("Connection: keep-alive\r\n"), std::string::npos);
  client.say("GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(client.until_closed().find("hello"), std::string::npos);
}

TEST(Server, GivesHeadTheLengthAndNoBody) {
  Served served(hello);
  const std::string answer = served.talk("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(body_of(answer), "");
}

TEST(Server, AsksForABodyThatWaitsToBeAskedFor) {
  Served served(echo);
  RawClient client(served.port());
  client.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("ok");
  EXPECT_EQ(body_of(client.until("]")), "POST / [ok]");
}

TEST(Server, AnswersAHandlerThatDoesNot) {
  Served served([](Exchange&) -> Task<void> { co_return; });
  EXPECT_EQ(status_of(served.talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")),
            "HTTP/1.1 500 Internal Server Error");
}

TEST(Server, SpreadsConnectionsOverItsLoops) {
  std::atomic<base::Executor*> seen[2] = {nullptr, nullptr};
  std::atomic<int> next{0};
  Served served(
      [&](Exchange& exchange) -> Task<void> {
        seen[next.fetch_add(1)] = &exchange.executor();
        return hello(exchange);
      },
      {}, 2);
  RawClient first(served.port());
  first.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(first.until("hello"), "");
  RawClient second(served.port());
  second.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(second.until("hello"), "");
  EXPECT_NE(seen[0].load(), seen[1].load());
}

Task<void> count_to_three(Exchange& exchange) {
  auto stream = co_await exchange.respond_streaming(text(""));
  if (!stream) co_return;
  for (const char* piece : {"one", "two", "three"}) (void)co_await (*stream)->write(piece);
  (void)co_await (*stream)->finish();
}

Task<void> say_length(Exchange& exchange) {
  ServerResponse head = text("");
  head.headers.push_back({"content-length", exchange.request().path() == "/short" ? "7" : "6"});
  auto stream = co_await exchange.respond_streaming(std::move(head));
  if (!stream) co_return;
  for (const char* piece : {"one", "two"}) (void)co_await (*stream)->write(piece);
  EXPECT_FALSE((co_await (*stream)->write("and more")).has_value());
  (void)co_await (*stream)->finish();
}

TEST(Server, AStreamOfADeclaredLengthHasNoChunksAndIsBrokenWhenItIsShorter) {
  Served served(say_length);
  RawClient client(served.port());
  for (int i = 0; i < 2; ++i) {
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.until("onetwo");
    EXPECT_NE(answer.find("Content-Length: 6\r\n"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("Transfer-Encoding"), std::string::npos);
  }
  client.say("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string broken = client.until_closed();
  EXPECT_NE(broken.find("Content-Length: 7\r\n"), std::string::npos) << broken;
  EXPECT_TRUE(broken.ends_with("onetwo"));
}

TEST(Server, StreamsInChunks) {
  Served served(count_to_three);
  RawClient client(served.port());
  for (int i = 0; i < 2; ++i) {
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.until("0\r\n\r\n");
    EXPECT_NE(answer.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_EQ(body_of(answer), "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
  }
}

TEST(Server, StreamsToHttp10UntilTheEnd) {
  Served served(count_to_three);
  const std::string answer = served.talk("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer.find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(body_of(answer), "onetwothree");
}

Task<void> relay_back(Exchange& exchange) {
  auto stream = co_await exchange.upgrade(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: fuse-attach/1\r\nConnection: Upgrade\r\n\r\n");
  if (!stream) co_return;
  char bytes[64];
  for (;;) {
    auto got = co_await (*stream)->read_some(bytes);
    if (!got || *got == 0) co_return;
    auto sent = co_await (*stream)->write(std::string_view(bytes, *got));
    if (!sent) co_return;
  }
}

TEST(Server, GivesAnUpgradedConnectionAwayWithWhatCameEarly) {
  Served served(relay_back);
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: fuse-attach/1\r\n\r\nearly");
  EXPECT_EQ(client.until("\r\n\r\n").size(), 81u);
  EXPECT_EQ(client.until("early"), "early");
  client.say("late");
  EXPECT_EQ(client.until("late"), "late");
  client.end_sending();
  EXPECT_EQ(client.until_closed(), "");
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 0; }));
}

TEST(Server, TellsAHandlerAtWorkThatThePeerIsGone) {
  std::atomic<bool> noticed{false};
  Served served([&noticed](Exchange& exchange) -> Task<void> {
    return [](Exchange& of, std::atomic<bool>& told) -> Task<void> {
      base::Completion<int> gone;
      const std::stop_callback callback(of.gone(), [gone] { gone.set(1); });
      (void)co_await gone.wait(of.executor());
      told = true;
    }(exchange, noticed);
  });
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 1; }));
  client.vanish();
  EXPECT_TRUE(comes_true([&] { return noticed.load(); }));
}

TEST(Server, RefusesAnAddressInUse) {
  Served served(hello);
  base::RealClock clock;
  Loop loop(clock);
  Loop* const loops[] = {&loop};
  const auto second = Server::listen(loops, {.listen = "127.0.0.1:" + std::to_string(served.port())}, hello);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::Errc::unavailable);
}

TEST(Server, AnswersAPeerThatSaysItSendsNothingMore) {
  Served served(echo);
  RawClient client(served.port());
  client.say("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
  client.end_sending();
  EXPECT_EQ(body_of(client.until_closed()), "GET /half []");
}

Task<void> wait_for(Exchange& exchange, base::Completion<int> until) {
  (void)co_await until.wait(exchange.executor());
  (void)co_await exchange.respond(text("late"));
}

TEST(Server, DoesNotHoldAnAnswerUpByTheNextRequest) {
  base::Completion<int> go_on;
  Served served([&](Exchange& exchange) {
    return exchange.request().target == "/slow" ? wait_for(exchange, go_on) : hello(exchange);
  });
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(client.until("hello")), "hello");
  go_on.set(1);
  EXPECT_EQ(body_of(client.until("late")), "late");
  EXPECT_EQ(body_of(client.until("hello")), "hello");
}

TEST(Server, ClosesEverythingAtItsEnd) {
  base::Completion<int> go_on;
  std::atomic<int> ended{0};
  Served served([&](Exchange& exchange) -> Task<void> {
    return [](Exchange& of, base::Completion<int> until, std::atomic<int>& count) -> Task<void> {
      const std::stop_callback callback(of.gone(), [until] { until.set(1); });
      co_await wait_for(of, until);
      ++count;
    }(exchange, go_on, ended);
  });
  RawClient busy(served.port());
  busy.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  RawClient idle(served.port());
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 2; }));
  served.close();
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(busy.until_closed(), "");
  EXPECT_EQ(idle.until_closed(), "");
}

TEST(Server, DestroysHandlersOfALoopThatStopped) {
  base::RealClock clock;
  const auto owned = std::make_shared<int>(1);
  Loop loop(clock);
  Loop* const loops[] = {&loop};
  base::Completion<int> never;
  bool begun = false;
  auto server = Server::listen(loops, {.listen = "127.0.0.1:0"}, [&](Exchange& exchange) -> Task<void> {
    return [](Exchange& of, base::Completion<int> until, std::shared_ptr<int> holds, bool& told) -> Task<void> {
      told = true;
      (void)co_await until.wait(of.executor());
      ++*holds;
    }(exchange, never, owned, begun);
  });
  ASSERT_TRUE(server);
  RawClient client((*server)->port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  loop.run_until([&] { return begun; });
  EXPECT_EQ(owned.use_count(), 2);
  server->reset();
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(client.until_closed(), "");
}

TEST(Server, RefusesAddressesThatAreNone) {
  base::RealClock clock;
  Loop loop(clock);
  Loop* const loops[] = {&loop};
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:", ":x", ":99999", "::1:0", "[::1]", "no-such-host.invalid:0"}) {
    SCOPED_TRACE(address);
    const auto server = Server::listen(loops, {.listen = address}, hello);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, base::Errc::invalid);
  }
  for (const char* address : {":0", "[::1]:0", "0.0.0.0:0"}) {
    SCOPED_TRACE(address);
    EXPECT_TRUE(Server::listen(loops, {.listen = address}, hello));
  }
}

TEST(Server, SeesMappedAddressesAsIpv4) {
  Served served(
      [](Exchange& exchange) -> Task<void> { (void)co_await exchange.respond(text(exchange.request().peer + "!")); },
      {.listen = ":0"});
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(client.until("!")), "127.0.0.1!");
}

TEST(Server, SendsASharedBodyWithoutCopyingIt) {
  const auto shared = std::make_shared<const std::string>(std::string(200'000, 'x') + "!");
  Served served([shared](Exchange& exchange) -> Task<void> {
    return [](Exchange& of, std::shared_ptr<const std::string> body) -> Task<void> {
      ServerResponse response;
      response.shared_body = std::move(body);
      (void)co_await of.respond(std::move(response));
    }(exchange, shared);
  });
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(client.until("!")), *shared);
}

}  // namespace
}  // namespace fusebox::http
