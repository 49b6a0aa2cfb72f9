// Peers that lie, stall, flood and vanish.
#include <atomic>

#include "base/wait.h"
#include "http/server/server.h"
#include "http/server/server_test_support.h"

namespace fusebox::http {
namespace {

using namespace test;
using base::Task;

Task<void> echo(Exchange& exchange) {
  auto body = co_await exchange.read_body(1024);
  ServerResponse response;
  if (!body) {
    response.status = body.error().code == base::Errc::exhausted ? 413 : 400;
    response.body = body.error().message;
  } else {
    response.body = exchange.request().method + " " + exchange.request().target + " [" + *body + "]";
  }
  (void)co_await exchange.respond(std::move(response));
}

Task<void> ignore_body(Exchange& exchange) {
  ServerResponse response;
  response.body = "ignored " + exchange.request().target;
  (void)co_await exchange.respond(std::move(response));
}

std::string status_of(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}

struct Hostile {
  const char* name;
  std::string_view bytes;
  const char* status;
};
using namespace std::string_view_literals;
const Hostile kRefused[] = {
    {"both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "400"},
    {"both lengths, other order",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "400"},
    {"a length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400"},
    {"the same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
    {"a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", "400"},
    {"a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", "400"},
    {"a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
    {"a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", "400"},
    {"a length beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", "400"},
    {"an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "400"},
    {"bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", "400"},
    {"one bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "400"},
    {"a bare carriage return in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "400"},
    {"a zero byte in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"sv, "400"},
    {"a space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc", "400"},
    {"a space before a name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"},
    {"folding", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "400"},
    {"folding with a tab", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n", "400"},
    {"an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "400"},
    {"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "400"},
    {"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "400"},
    {"a coding with odd space",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     "400"},
    {"chunks to HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
    {"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
    {"no version", "GET /\r\n\r\n", "400"},
    {"another version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"},
    {"a target that is no path", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"a tunnel", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "400"},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"a byte beyond ASCII in the target", "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"a name that is no token", "GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n", "400"},
    {"no colon", "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", "400"},
    {"TLS to a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\n"sv, "400"},
    {"an unknown expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", "417"},
};

TEST(HostileServer, RefusesWhatTwoReadersCouldReadDifferently) {
  Served served(echo);
  for (const Hostile& c : kRefused) {
    SCOPED_TRACE(c.name);
    RawClient client(served.port());
    client.say(c.bytes);
    client.say("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.until_closed();
    EXPECT_EQ(status_of(answer).substr(0, 12), std::string("HTTP/1.1 ") + c.status);
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(answer.find("smuggled"), std::string::npos);
    EXPECT_TRUE(client.ended());
  }
}

const Hostile kBrokenChunks[] = {
    {"no size", "\r\nabc\r\n", ""},
    {"a sign", "+3\r\nabc\r\n0\r\n\r\n", ""},
    {"a prefix", "0x3\r\nabc\r\n0\r\n\r\n", ""},
    {"a space", "3 \r\nabc\r\n0\r\n\r\n", ""},
    {"a bare line feed", "3\nabc\r\n0\r\n\r\n", ""},
    {"no line end behind the data", "3\r\nabcd\r\n0\r\n\r\n", ""},
    {"a size beyond 64 bits", "fffffffffffffffff\r\nabc", ""},
    {"a control character in an extension", "3;a=\x01\r\nabc\r\n0\r\n\r\n", ""},
};

TEST(HostileServer, RefusesBrokenChunks) {
  Served served(echo);
  for (const Hostile& c : kBrokenChunks) {
    SCOPED_TRACE(c.name);
    RawClient client(served.port());
    client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.say(c.bytes);
    const std::string answer = client.until_closed();
    EXPECT_EQ(status_of(answer), "HTTP/1.1 400 Bad Request");
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  }
}

TEST(HostileServer, AcceptsWhatOnlyLooksOdd) {
  Served served(echo);
  RawClient client(served.port());
  client.say("\r\n\r\nGET http://h/abs?q HTTP/1.1\r\nhOsT:a\r\nX:\t y \r\n\r\n");
  EXPECT_NE(client.until("]").find("GET /abs?q []"), std::string::npos);
  client.say("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(client.until("]").find("OPTIONS * []"), std::string::npos);
  client.say("GET /a HTTP/1.1\r\nHost:\r\n\r\n");
  EXPECT_NE(client.until("]").find("GET /a []"), std::string::npos);
  client.say("POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n00000\r\n\r\n");
  EXPECT_NE(client.until("]").find("POST /b []"), std::string::npos);
}

TEST(HostileServer, BoundsHeaders) {
  Served served(echo, {.header_bytes_max = 1024});
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string end = "\r\n\r\n";
  const auto request = [&](std::size_t bytes) {
    return start + std::string(bytes - start.size() - end.size(), 'x') + end;
  };
  EXPECT_EQ(status_of(served.talk(request(1025))), "HTTP/1.1 431 Request Header Fields Too Large");
  RawClient client(served.port());
  client.say(request(1024));
  EXPECT_EQ(status_of(client.until("]")), "HTTP/1.1 200 OK");
  // Never an empty line, and no line end at all.
  EXPECT_EQ(status_of(served.talk("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'))),
            "HTTP/1.1 431 Request Header Fields Too Large");
  EXPECT_EQ(status_of(served.talk(std::string(100'000, 'x'))), "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST(HostileServer, BoundsHeaderLines) {
  Served served(echo);
  const auto request = [](int lines) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < lines; ++i) text += "x:\r\n";
    return text + "\r\n";
  };
  RawClient client(served.port());
  client.say(request(256));
  EXPECT_EQ(status_of(client.until("]")), "HTTP/1.1 200 OK");
  EXPECT_EQ(status_of(served.talk(request(257))), "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST(HostileServer, BoundsBodiesByWhatIsAnnouncedAndByWhatComes) {
  Served served(echo);
  RawClient announced(served.port());
  announced.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n");
  EXPECT_EQ(status_of(announced.until_closed()), "HTTP/1.1 413 Content Too Large");
  RawClient chunked(served.port());
  chunked.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 5; ++i) chunked.say("100\r\n" + std::string(256, 'x') + "\r\n");
  EXPECT_EQ(status_of(chunked.until_closed()), "HTTP/1.1 413 Content Too Large");
  RawClient allowed(served.port());
  allowed.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n" + std::string(1024, 'x'));
  EXPECT_EQ(status_of(allowed.until("]")), "HTTP/1.1 200 OK");
}

TEST(HostileServer, RefusalReachesAPeerThatGoesOnSending) {
  Served served(echo);
  RawClient client(served.port());
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x'));
  EXPECT_EQ(status_of(client.until_closed()), "HTTP/1.1 413 Content Too Large");
  EXPECT_FALSE(client.reset());
}

TEST(HostileServer, DrainsSmallIgnoredBodiesAndClosesForLargeOnes) {
  Served served(ignore_body);
  RawClient small(served.port());
  small.say("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + std::string(60'000, 'x'));
  EXPECT_NE(small.until("ignored /1"), "");
  small.say("GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(small.until_closed().find("ignored /2"), std::string::npos);
  RawClient large(served.port());
  large.say("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + std::string(70'000, 'x') +
            "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = large.until_closed();
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_EQ(answer.find("ignored /4"), std::string::npos);
  // A body that was asked to wait may never come: nobody knows what the next bytes are.
  RawClient waiting(served.port());
  waiting.say("POST /5 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_NE(waiting.until_closed().find("Connection: close"), std::string::npos);
}

TEST(HostileServer, EndsAHeadThatDripsIn) {
  Served served(echo, {.header_limit = 60ms});
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n");
  std::string answer;
  for (int i = 0; i < 10'000 && !client.ended(); ++i) {
    client.say("X");
    answer += client.piece(10ms);
  }
  EXPECT_EQ(status_of(answer), "HTTP/1.1 408 Request Timeout");
  EXPECT_TRUE(client.ended());
}

TEST(HostileServer, EndsIdleConnectionsAndSlowBodies) {
  Served served(echo, {.idle_limit = 60ms, .body_limit = 60ms});
  RawClient idle(served.port());
  EXPECT_EQ(idle.until_closed(), "");
  EXPECT_TRUE(idle.ended());
  RawClient used(served.port());
  used.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(used.until_closed()), "HTTP/1.1 200 OK");
  EXPECT_TRUE(used.ended());
  RawClient slow(served.port());
  slow.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  std::string answer;
  for (int i = 0; i < 10'000 && !slow.ended(); ++i) {
    slow.say("x");
    answer += slow.piece(10ms);
  }
  EXPECT_NE(answer.find("too slowly"), std::string::npos);
}

Task<void> megabytes(Exchange& exchange) {
  ServerResponse response;
  response.body = std::string(64u << 20, 'x');
  (void)co_await exchange.respond(std::move(response));
}

TEST(HostileServer, GivesUpOnPeersThatTakeNothingOrVanish) {
  Served served(megabytes, {.write_limit = 60ms});
  RawClient stalled(served.port());
  stalled.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  RawClient vanishing(served.port());
  vanishing.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(vanishing.piece(), "");
  vanishing.vanish();
  EXPECT_TRUE(comes_true([&] { return served.server().connections() == 0; }));
}

TEST(HostileServer, EndsAStreamWhoseReaderStalls) {
  std::atomic<bool> failed{false};
  Served served([&failed](Exchange& exchange) -> Task<void> {
    return [](Exchange& of, std::atomic<bool>& told) -> Task<void> {
      auto stream = co_await of.respond_streaming(ServerResponse(), 60ms);
      if (!stream) co_return;
      const std::string piece(1 << 16, 'x');
      for (;;) {
        auto sent = co_await (*stream)->write(piece);
        if (!sent) break;
      }
      told = (*stream)->gone().stop_requested();
    }(exchange, failed);
  });
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(comes_true([&] { return failed.load(); }));
}

TEST(HostileServer, GivesUpOnAPauseThatIsNotWaitedForAnyMore) {
  std::atomic<ResponseStream*> begun{nullptr};
  std::atomic<bool> failed{false};
  Served served([&begun, &failed](Exchange& exchange) -> Task<void> {
    return [](Exchange& of, std::atomic<ResponseStream*>& tell, std::atomic<bool>& told) -> Task<void> {
      auto stream = co_await of.respond_streaming(ServerResponse(), kReaderMayPause);
      if (!stream) co_return;
      tell = stream->get();
      const std::string more_than_is_buffered(64u << 20, 'x');
      const auto sent = co_await (*stream)->write(more_than_is_buffered);
      told = !sent;
    }(exchange, begun, failed);
  });
  RawClient client(served.port());
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(comes_true([&] { return begun.load() != nullptr; }));
  served.loop().post([&] { begun.load()->limit_stalls(60ms); });  // behind the write, which waits
  EXPECT_TRUE(comes_true([&] { return failed.load(); }));
}

TEST(HostileServer, LeavesConnectionsBeyondTheMaximumInTheBacklog) {
  Served served(echo, {.connections_max = 2});
  auto first = std::make_unique<RawClient>(served.port());
  RawClient second(served.port());
  first->say("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  second.say("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(first->until("]"), "");
  EXPECT_NE(second.until("]"), "");
  RawClient third(served.port());
  third.say("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(third.piece(50ms), "");
  EXPECT_EQ(served.server().connections(), 2u);
  first.reset();
  EXPECT_NE(third.until("]").find("GET /3"), std::string::npos);
}

TEST(HostileServer, TellsItsOwnRefusalsInTheCallersWords) {
  Served served(echo, {.error_response = [](int status, std::string_view what) {
                  return ServerResponse{.status = status,
                                        .headers = {{"Content-Type", "application/json"}},
                                        .body = "{\"error\":\"" + std::string(what) + "\"}"};
                }});
  const std::string answer = served.talk("GET / HTTP/1.1\r\n\r\n");
  EXPECT_NE(answer.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(answer.find("{\"error\":\"Host is missing\"}"), std::string::npos);
}

TEST(HostileServer, LetsNoHeaderValueEndItsLine) {
  Served served([](Exchange& exchange) -> Task<void> {
    ServerResponse response;
    response.headers.push_back({"Location", "/a\r\nSet-Cookie: b\r\n\r\n<html>"});
    response.headers.push_back({"Content-Length", "99"});
    response.headers.push_back({"Transfer-Encoding", "chunked"});
    (void)co_await exchange.respond(std::move(response));
  });
  const std::string answer = served.talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Location: /a  Set-Cookie: b    <html>\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("99"), std::string::npos);
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
}

TEST(HostileServer, DrainsByEndingWhatIsUnderWayAndClosingWhatIsIdle) {
  std::atomic<bool> working{false};
  base::Completion<int> go_on;
  Served served([&](Exchange& exchange) -> Task<void> {
    if (exchange.request().target != "/slow") return echo(exchange);
    return [](Exchange& of, std::atomic<bool>& at_work, base::Completion<int> until) -> Task<void> {
      at_work = true;
      (void)co_await until.wait(of.executor());
      co_await echo(of);
    }(exchange, working, go_on);
  });
  RawClient idle(served.port());
  idle.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(idle.until("]"), "");
  RawClient busy(served.port());
  busy.say("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(comes_true([&] { return working.load(); }));
  EXPECT_FALSE(served.server().drain(20ms));
  EXPECT_EQ(idle.until_closed(), "");
  EXPECT_TRUE(idle.ended());
  go_on.set(1);
  EXPECT_TRUE(served.server().drain(kPatience));
  EXPECT_NE(busy.until_closed().find("Connection: close"), std::string::npos);
}

}  // namespace
}  // namespace fusebox::http
