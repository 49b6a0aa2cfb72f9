// Many keep-alive connections to a server on this machine, driven by one thread: each sends its next request when its
// answer has come, or when its turn in a given pace is.
//
// Threads  one thread.
// Errors   `io`: a connection could not be made or broke. A status nobody expected is counted, not an error.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace fusebox::cli::bench {

struct LoadOptions {
  std::uint16_t port = 0;
  std::size_t connections = 32;
  std::uint64_t requests = 0;  // in all
  double per_second = 0;       // 0 = as fast as answers come
  int status = 200;            // what an answer should have
  // The n-th request, whole: head and body.
  std::function<std::string(std::uint64_t n)> request;
};
struct LoadResult {
  base::Nanos span{0};
  std::vector<double> latencies_us;  // of each request, from its turn to its last byte
  std::uint64_t unexpected = 0;      // answers with another status
  std::string first_unexpected;
  double per_second() const noexcept;
};
base::Result<LoadResult> run_load(const base::Clock& clock, const LoadOptions& options);

// One request on a connection of its own for the next: for what is measured one at a time.
class HttpConnection {
 public:
  static base::Result<HttpConnection> open(std::uint16_t port);
  HttpConnection(HttpConnection&&) noexcept;
  HttpConnection& operator=(HttpConnection&&) noexcept;
  ~HttpConnection();
  struct Answer {
    int status = 0;
    std::string body;
  };
  base::Result<Answer> call(std::string_view request);
  int descriptor() const noexcept { return fd_; }

 private:
  explicit HttpConnection(int fd) noexcept : fd_(fd) {}
  int fd_ = -1;
};

std::string http_request(std::string_view method, std::string_view target, std::string_view token,
                         std::optional<std::string_view> body = {});

// The first answer in `bytes`: its status and how many bytes it takes; nothing while it is not whole.
struct HttpFrame {
  int status = 0;
  std::size_t head = 0, size = 0;
};
std::optional<HttpFrame> first_answer(std::string_view bytes);

}  // namespace fusebox::cli::bench
