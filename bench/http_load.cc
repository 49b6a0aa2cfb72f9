#include "http_load.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/files.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kPieceBytes = 64u << 10;
constexpr int kEventsMax = 64;

base::Result<base::Fd> connect_to(std::uint16_t port) {
  base::Fd socket = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail(base::errno_error("connect", errno));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

base::Result<void> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return base::fail(base::errno_error("send", errno));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

struct Line {
  base::Fd socket;
  std::string in;
  base::Nanos began{0};
  bool busy = false;
};

class Load {
 public:
  Load(const base::Clock& clock, const LoadOptions& options) : clock_(clock), options_(options) {}

  base::Result<LoadResult> run() {
    epoll_ = base::Fd::adopt(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return base::fail(base::errno_error("epoll", errno));
    for (std::size_t i = 0; i < options_.connections; ++i) FB_CHECK(add());
    result_.latencies_us.reserve(options_.requests);
    began_ = clock_.monotonic();
    FB_CHECK(feed());
    while (answered_ < options_.requests) FB_CHECK(wait());
    result_.span = clock_.monotonic() - began_;
    return std::move(result_);
  }

 private:
  base::Result<void> add() {
    lines_.emplace_back();
    FB_TRY(lines_.back().socket, connect_to(options_.port));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = lines_.size() - 1;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, lines_.back().socket.get(), &event) != 0)
      return base::fail(base::errno_error("epoll", errno));
    return {};
  }
  base::Nanos turn_of(std::uint64_t n) const {
    return began_ + base::Nanos{static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / options_.per_second)};
  }
  // Gives idle connections what is due.
  base::Result<void> feed() {
    for (Line& line : lines_) {
      if (line.busy || sent_ == options_.requests) continue;
      const base::Nanos now = clock_.monotonic();
      if (options_.per_second > 0 && turn_of(sent_) > now) return {};
      line.began = options_.per_second > 0 ? turn_of(sent_) : now;
      line.busy = true;
      FB_CHECK(send_all(line.socket.get(), options_.request(sent_++)));
    }
    return {};
  }
  base::Result<void> wait() {
    std::array<epoll_event, kEventsMax> events{};
    const int timeout = options_.per_second > 0 && sent_ < options_.requests ? 1 : 1000;
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, timeout);
    for (int i = 0; i < count; ++i) FB_CHECK(read(lines_[events[static_cast<std::size_t>(i)].data.u64]));
    return feed();
  }
  base::Result<void> read(Line& line) {
    std::array<char, kPieceBytes> piece;
    const ssize_t got = ::recv(line.socket.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return {};
    if (got <= 0) return base::fail(base::Errc::io, "the server closed a connection");
    line.in.append(piece.data(), static_cast<std::size_t>(got));
    const auto frame = first_answer(line.in);
    if (!frame) return {};
    if (frame->status != options_.status && ++result_.unexpected == 1) result_.first_unexpected = line.in;
    line.in.erase(0, frame->size);
    line.busy = false;
    ++answered_;
    result_.latencies_us.push_back(static_cast<double>((clock_.monotonic() - line.began).count()) / 1e3);
    return {};
  }

  const base::Clock& clock_;
  const LoadOptions& options_;
  base::Fd epoll_;
  std::vector<Line> lines_;
  LoadResult result_;
  base::Nanos began_{0};
  std::uint64_t sent_ = 0, answered_ = 0;
};

}  // namespace

double LoadResult::per_second() const noexcept {
  return static_cast<double>(latencies_us.size()) * 1e9 / static_cast<double>(std::max<std::int64_t>(1, span.count()));
}

std::optional<HttpFrame> first_answer(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == bytes.npos || bytes.size() < 12) return {};
  HttpFrame frame;
  frame.head = end + 4;
  std::from_chars(bytes.data() + 9, bytes.data() + 12, frame.status);
  std::size_t length = 0;
  for (const std::string_view name : {"Content-Length: ", "content-length: "}) {
    const std::size_t at = bytes.substr(0, end).find(name);
    if (at != bytes.npos) std::from_chars(bytes.data() + at + name.size(), bytes.data() + end, length);
  }
  frame.size = frame.head + length;
  if (bytes.size() < frame.size) return {};
  return frame;
}

base::Result<LoadResult> run_load(const base::Clock& clock, const LoadOptions& options) {
  return Load(clock, options).run();
}

std::string http_request(std::string_view method, std::string_view target, std::string_view token,
                         std::optional<std::string_view> body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: bench\r\n");
  if (!token.empty()) text.append("Authorization: Bearer ").append(token).append("\r\n");
  if (body)
    text.append("Content-Type: application/json\r\nContent-Length: ")
        .append(std::to_string(body->size()))
        .append("\r\n");
  text.append("\r\n");
  if (body) text.append(*body);
  return text;
}

base::Result<HttpConnection> HttpConnection::open(std::uint16_t port) {
  FB_TRY(base::Fd socket, connect_to(port));
  return HttpConnection(socket.release());
}
HttpConnection::HttpConnection(HttpConnection&& from) noexcept : fd_(std::exchange(from.fd_, -1)) {}
HttpConnection& HttpConnection::operator=(HttpConnection&& from) noexcept {
  std::swap(fd_, from.fd_);
  return *this;
}
HttpConnection::~HttpConnection() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<HttpConnection::Answer> HttpConnection::call(std::string_view request) {
  FB_CHECK(send_all(fd_, request));
  std::string in;
  for (;;) {
    std::array<char, kPieceBytes> piece;
    const ssize_t got = ::recv(fd_, piece.data(), piece.size(), 0);
    if (got <= 0) return base::fail(base::Errc::io, "the server closed the connection");
    in.append(piece.data(), static_cast<std::size_t>(got));
    if (const auto frame = first_answer(in))
      return Answer{frame->status, in.substr(frame->head, frame->size - frame->head)};
  }
}

}  // namespace fusebox::cli::bench
