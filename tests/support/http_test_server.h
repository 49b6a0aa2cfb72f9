// A real HTTP/1.1 server on the loopback, plain or TLS, that says exactly the bytes a test wants to be said.
//
// Owner    The server owns its threads; the destructor closes every connection and joins them.
// Threads  The handler runs on the thread of its connection; everything else: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/certificates.h"

namespace fusebox::testing {

struct SeenRequest {
  std::string method;
  std::string target;
  std::string head;  // request line and headers as they arrived
  std::string body;
  // The value of the first header of that name (any case), or "".
  std::string header(std::string_view name) const;
};

// One connection as the handler sees it.
class TestConnection {
 public:
  virtual ~TestConnection() = default;
  virtual bool write(std::string_view bytes) = 0;  // false: the client has gone
  virtual void wait_for_client_to_close() = 0;
  virtual std::string read_some() = 0;  // what came behind the request; "": the client sends no more
};

// Writes the whole response. Returns whether the connection may carry another request.
using TestHandler = std::function<bool(const SeenRequest&, TestConnection&)>;

class HttpTestServer {
 public:
  struct Options {
    const Certificate* certificate = nullptr;  // null: plain HTTP
    std::string address = "127.0.0.1";
    int requests_before_hanging_up = -1;  // -1: never; 0: as soon as the connection stands
  };
  HttpTestServer(TestHandler handler, Options options);
  explicit HttpTestServer(TestHandler handler) : HttpTestServer(std::move(handler), Options()) {}
  ~HttpTestServer();
  HttpTestServer(const HttpTestServer&) = delete;
  HttpTestServer& operator=(const HttpTestServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::vector<SeenRequest> seen() const;
  std::size_t connections() const { return connections_.load(); }

 private:
  class Connection;
  void accept_all();
  void serve(Connection& connection);

  TestHandler handler_;
  int requests_before_hanging_up_;
  void* tls_ = nullptr;  // SSL_CTX
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;                  // guarded by mutex_
  std::vector<std::shared_ptr<Connection>> open_;  // guarded by mutex_
  std::vector<std::thread> threads_;               // guarded by mutex_
  std::thread acceptor_;
};

// A complete response with Content-Length.
std::string response(int status, std::string_view headers, std::string_view body);

}  // namespace fusebox::testing
