// Heads and chunks, apart from any connection. The hostile ones are in server/server_hostile_test.cc.
#include <gtest/gtest.h>

#include "http/chunked.h"
#include "http/http_date.h"
#include "http/limits.h"
#include "http/message_head.h"

namespace fusebox::http {
namespace {

TEST(HeadScanner, FindsTheEndWhereverTheBytesAreCut) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\n";
  const std::size_t end = text.find("body");
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    HeadScanner scanner;
    const auto first = scanner.scan(std::string_view(text).substr(0, cut));
    EXPECT_EQ(first == HeadScanner::State::complete, cut >= end) << cut;
    if (first == HeadScanner::State::incomplete) {
      EXPECT_EQ(scanner.scan(text), HeadScanner::State::complete) << cut;
    }
    EXPECT_EQ(scanner.bytes(), end);
  }
}

TEST(RequestHead, SaysWhatFollows) {
  RequestHead head;
  ASSERT_EQ(parse_request_head(
                "PUT /a?b HTTP/1.1\r\nHOST: h\r\nX-Y:  z \r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n", head)
                .status,
            0);
  EXPECT_EQ(head.method, "PUT");
  EXPECT_EQ(head.target, "/a?b");
  EXPECT_EQ(head.headers[0], (Header{"host", "h"}));
  EXPECT_EQ(head.headers[1], (Header{"x-y", "z"}));
  EXPECT_EQ(head.framing.length, 12u);
  EXPECT_TRUE(head.framing.keep_alive);
  EXPECT_TRUE(head.expects_continue);
}

struct KeepAlive {
  const char* version;
  const char* connection;
  bool keeps;
};
TEST(RequestHead, SaysWhetherTheConnectionStays) {
  for (const KeepAlive& c : std::vector<KeepAlive>{{"1.1", "", true},
                                                   {"1.1", "Connection: close\r\n", false},
                                                   {"1.1", "Connection: x, CLOSE\r\n", false},
                                                   {"1.1", "Connection: closed\r\n", true},
                                                   {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
                                                   {"1.0", "", false},
                                                   {"1.0", "Connection: Keep-Alive\r\n", true}}) {
    RequestHead head;
    const std::string text = std::string("GET / HTTP/") + c.version + "\r\nHost: a\r\n" + c.connection + "\r\n";
    ASSERT_EQ(parse_request_head(text, head).status, 0) << text;
    EXPECT_EQ(head.framing.keep_alive, c.keeps) << text;
  }
}

TEST(RequestHead, BoundsTheMethod) {
  RequestHead head;
  EXPECT_EQ(parse_request_head(std::string(32, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", head).status, 0);
  RequestHead longer;
  EXPECT_EQ(parse_request_head(std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", longer).status, 400);
}

TEST(ResponseHead, SaysWhatFollows) {
  ResponseHead head;
  ASSERT_TRUE(parse_response_head(
      "HTTP/1.0 404 Not Found\r\nServer: BaseHTTP/0.6 Python/3.11\r\nContent-Length: 3\r\n\r\n", head));
  EXPECT_EQ(head.status, 404);
  EXPECT_FALSE(head.framing.keep_alive);
  EXPECT_EQ(head.framing.length, 3u);
  ResponseHead no_reason;
  EXPECT_TRUE(parse_response_head("HTTP/1.1 200 \r\n\r\n", no_reason));
  for (const char* bad : {"HTTP/2 200 OK\r\n\r\n", "hello\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"}) {
    ResponseHead refused;
    EXPECT_FALSE(parse_response_head(bad, refused)) << bad;
  }
}

// Decodes in steps of that many bytes into blocks of that many.
std::string decode(std::string_view bytes, std::size_t step, std::size_t block, ChunkDecoder& decoder) {
  std::string out;
  std::string into(block, ' ');
  while (!bytes.empty() && !decoder.done() && !decoder.broken()) {
    const auto took = decoder.decode(bytes.substr(0, step), into);
    bytes.remove_prefix(took.used);
    out.append(into, 0, took.given);
  }
  return out;
}

TEST(ChunkDecoder, ReadsWhateverTheCuts) {
  constexpr std::string_view kText = "5\r\nhello\r\n0A;ext=\"v\"\r\n, world!!!\r\n000\r\nTrailer: x\r\n\r\n";
  for (std::size_t step = 1; step < 12; ++step) {
    for (std::size_t block = 1; block < 8; ++block) {
      ChunkDecoder decoder;
      EXPECT_EQ(decode(kText, step, block, decoder), "hello, world!!!");
      EXPECT_TRUE(decoder.done());
    }
  }
}

TEST(ChunkDecoder, LeavesWhatFollows) {
  ChunkDecoder decoder;
  char into[8];
  const auto took = decoder.decode("1\r\na\r\n0\r\n\r\nGET", into);
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(took.used, 11u);
  EXPECT_EQ(took.given, 1u);
}

TEST(ChunkDecoder, BoundsWhatItThrowsAway) {
  const auto broken = [](const std::string& text) {
    ChunkDecoder decoder;
    (void)decode(text, 4096, 64, decoder);
    return decoder.broken();
  };
  EXPECT_FALSE(broken("1;" + std::string(kChunkExtensionBytesMax, 'x') + "\r\na"));
  EXPECT_TRUE(broken("1;" + std::string(kChunkExtensionBytesMax + 1, 'x') + "\r\na"));
  EXPECT_FALSE(broken("0\r\n" + std::string(kTrailerBytesMax, 'x') + "\r\n"));
  EXPECT_TRUE(broken("0\r\n" + std::string(kTrailerBytesMax + 1, 'x') + "\r\n"));
  std::string lines;
  for (int i = 0; i < 20'000; ++i) lines += "a\r\n";
  EXPECT_TRUE(broken("0\r\n" + lines));
  EXPECT_FALSE(broken("ffffffffffffffff\r\na"));
  EXPECT_TRUE(broken("0ffffffffffffffff\r\na"));
}

TEST(ChunkHead, WritesWhatTheDecoderReads) {
  EXPECT_EQ(ChunkHead(0).text(), "0\r\n");
  EXPECT_EQ(ChunkHead(0x1a2b).text(), "1a2b\r\n");
  EXPECT_EQ(ChunkHead(~std::uint64_t{0}).text(), "ffffffffffffffff\r\n");
}

TEST(HttpDate, IsTheFixedForm) {
  HttpDate date;
  EXPECT_EQ(date.at(std::chrono::seconds{784111777}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(std::chrono::seconds{784111777} + std::chrono::milliseconds{999}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(std::chrono::seconds{1709251200}), "Fri, 01 Mar 2024 00:00:00 GMT");
}

}  // namespace
}  // namespace fusebox::http
