// The HTTP server, on the real engine and a real socket of the loopback.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "vfs/net/socket_mount.h"
#include "wasi_guests/guest_run.h"

namespace fusebox::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kSecondsMax = 20;  // for an answer that never comes; no test waits for it

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    const timeval most{kSecondsMax, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // Until the server closes.
  std::string rest() const {
    std::string all;
    char piece[65536];
    for (ssize_t got; (got = ::recv(fd_.get(), piece, sizeof piece, 0)) != 0;) {
      if (got < 0) return all + "<no end>";
      all.append(piece, static_cast<std::size_t>(got));
    }
    return all;
  }
  // Until `end` has come.
  std::string until(std::string_view end) const {
    std::string all;
    char c;
    while (!std::string_view(all).ends_with(end)) {
      if (::recv(fd_.get(), &c, 1, 0) != 1) return all + "<no more>";
      all += c;
    }
    return all;
  }

 private:
  base::Fd fd_;
};

class Http : public ::testing::Test {
 protected:
  Http() : run_("http", {"-v", "/net/web", "/data"}), port_(free_port()) {
    run_.write("a.txt", "hello\n");
    run_.write("idx/index.html", "<p>index</p>");
    run_.write("sub/b c&d.json", "{}");
    run_.write("sub/.hidden", "x");
    vfs::SocketNode web{"web", must(vfs::parse_socket_address("listen+tcp://127.0.0.1:" + std::to_string(port_))), {}};
    vfs::NetOptions options;
    options.clock = &run_.clock;
    run_.mounts.push_back(
        {.path = "/net", .mount = must(vfs::make_socket_mount(vfs::make_net(std::move(options)), {web}))});
    run_.start();
    server_ = std::thread([this] { run_.finish(); });
  }
  ~Http() override {
    run_.stop();
    server_.join();
    EXPECT_EQ(run_.outcome.kind(), "stopped") << run_.err();
  }
  std::string ask(std::string_view request) const {
    const Client client(port_);
    client.send(request);
    return client.rest();
  }
  std::string get(const std::string& target, const std::string& headers = "") const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n");
  }
  static std::uint16_t free_port() {
    const base::Fd fd = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }

  GuestRun run_;
  std::uint16_t port_;
  std::thread server_;
};

TEST_F(Http, ServesFilesWithTheirTypes) {
  const std::string text = get("/a.txt?query");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\nhello\n"));
  EXPECT_THAT(get("/sub/b%20c%26d.json"), HasSubstr("Content-Type: application/json\r\n"));
  const std::string head = ask("HEAD /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
}

TEST_F(Http, ServesFoldersByIndexOrList) {
  EXPECT_THAT(get("/idx/"), EndsWith("<p>index</p>"));
  EXPECT_THAT(get("/idx"), HasSubstr("\r\nLocation: /idx/\r\n"));
  const std::string list = get("/sub/");
  EXPECT_THAT(list, HasSubstr("<a href=\"./b%20c%26d.json\">b c&amp;d.json</a>"));
  EXPECT_THAT(list, Not(HasSubstr("hidden")));
}

TEST_F(Http, KeepsConnectionsAndTakesRequestsInARow) {
  const Client client(port_);
  client.send("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("hello\n"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(client.until("404 Not Found\n"), StartsWith("HTTP/1.1 404 Not Found"));
  client.send("GET /a.txt HT");
  client.send("TP/1.0\r\n\r\n");
  EXPECT_THAT(client.rest(), EndsWith("hello\n"));
}

TEST_F(Http, ServesRanges) {
  const auto range = [&](const std::string& bytes) { return get("/a.txt", "Range: bytes=" + bytes + "\r\n"); };
  EXPECT_THAT(range("1-3"), StartsWith("HTTP/1.1 206"));
  EXPECT_THAT(range("1-3"), HasSubstr("\r\nContent-Range: bytes 1-3/6\r\n"));
  EXPECT_THAT(range("1-3"), EndsWith("\r\n\r\nell"));
  EXPECT_THAT(range("4-"), EndsWith("\r\n\r\no\n"));
  EXPECT_THAT(range("-2"), EndsWith("\r\n\r\no\n"));
  EXPECT_THAT(range("5-99"), EndsWith("\r\n\r\n\n"));
  EXPECT_THAT(range("6-"), StartsWith("HTTP/1.1 416"));
  EXPECT_THAT(range("-0"), StartsWith("HTTP/1.1 416"));
  EXPECT_THAT(range("3-1"), EndsWith("hello\n"));
  EXPECT_THAT(range("0-0,2-2"), EndsWith("hello\n"));
}

TEST_F(Http, SendsMoreThanASocketTakesAtOnce) {
  std::string large(3'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
  run_.write("large", large);
  const std::string got = get("/large");
  EXPECT_TRUE(got.ends_with(large)) << got.size();
}

TEST_F(Http, AnswersManyConnectionsBeforeAnyHasClosed) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 90; ++i) {
    clients.push_back(std::make_unique<Client>(port_));
    clients.back()->send("GET /a.txt HTTP/1.1\r\n");
  }
  for (const auto& client : clients) client->send("Host: x\r\n\r\n");
  for (const auto& client : clients) EXPECT_THAT(client->until("hello\n"), StartsWith("HTTP/1.1 200"));
}

struct Refusal {
  const char* request;
  const char* status;
};

TEST_F(Http, RefusesWhatItShould) {
  const std::string long_header = "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(5000, 'y') + "\r\n\r\n";
  const std::string long_target = "GET /" + std::string(5000, 'y') + " HTTP/1.1\r\n";
  const Refusal refusals[] = {
      {"POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", "405"},
      {"GET /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", "413"},
      {"GET /a.txt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "413"},
      {"GET /a.txt HTTP/1.1\r\n\r\n", "400"},
      {"GET /a.txt HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
      {"GET /a.txt HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
      {"GET /a.txt HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "400"},
      {"GET /a.txt HTTP/1.1\nHost: x\r\n\r\n", "400"},
      {"GET  /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /a.txt HTTP/2.0\r\nHost: x\r\n\r\n", "505"},
      {"GET /../app.wasm HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /%2e%2e/app.wasm HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /a%00.txt HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /a%4 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /sub%2f.hidden HTTP/1.0\r\n\r\n", "404"},
      {"GET /sub/.hidden HTTP/1.0\r\n\r\n", "404"},
      {"GET //a.txt HTTP/1.0\r\n\r\n", "404"},
      {"GET /a.txt/ HTTP/1.0\r\n\r\n", "404"},
      {long_header.c_str(), "431"},
      {long_target.c_str(), "414"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_THAT(ask(refusal.request), StartsWith("HTTP/1.1 " + std::string(refusal.status))) << refusal.request;
  }
  EXPECT_THAT(get("/a.txt"), EndsWith("hello\n"));
}

TEST_F(Http, PeersThatGoAwayLeaveNothingBehind) {
  run_.write("large", std::string(3'000'000, 'x'));
  for (int i = 0; i < 250; ++i)
    Client(port_).send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");  // more than its descriptors
  EXPECT_THAT(get("/a.txt"), EndsWith("hello\n"));
}

TEST_F(Http, PeersThatOnlyWaitAreSentAway) {
  const Client slow(port_);
  const Client idle(port_);
  slow.send("GET /a.txt HTTP/1.1\r\n");
  EXPECT_THAT(get("/a.txt"), EndsWith("hello\n"));  // both have been taken by now
  run_.clock.advance(std::chrono::seconds(16));
  run_.poke();
  EXPECT_THAT(slow.rest(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(idle.rest(), "");
}

TEST(HttpAlone, SaysHowItIsUsed) {
  GuestRun run("http", {"/net/web"});
  run.finish();
  EXPECT_EQ(run.err(), "usage: http [-v] SOCKET FOLDER\n");
  EXPECT_EQ(run.exit_code, 2);
  GuestRun missing("http", {"/dev/web", "/data"});
  missing.finish();
  EXPECT_EQ(missing.err(), "http: /dev/web: No such file or directory\n");
  EXPECT_EQ(missing.exit_code, 1);
}

}  // namespace
}  // namespace fusebox::testing
