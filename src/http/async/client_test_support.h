// A client on a loop of its own, whose calls block the test.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "http/async/async_client.h"
#include "http/server/server_test_support.h"

namespace fusebox::http::test {

class Caller {
 public:
  explicit Caller(AsyncClientOptions options = {}) {
    run([this, &options]() -> base::Task<void> {
      client_ = std::make_unique<AsyncClient>(loop_.loop(), std::move(options));
      co_return;
    });
  }
  ~Caller() {
    run([this]() -> base::Task<void> {
      client_.reset();
      co_return;
    });
  }
  template <class T>
  T get(base::Task<T> task) {
    std::optional<T> got;
    run([&task, &got]() -> base::Task<void> {
      T value = co_await task;
      got.emplace(std::move(value));
    });
    return std::move(*got);
  }
  base::Result<AsyncReply> send(AsyncRequest request) { return get(client_->send(std::move(request))); }
  base::Result<AsyncReply> get_url(std::string url) {
    AsyncRequest request;
    request.url = std::move(url);
    return send(std::move(request));
  }
  AsyncClient& client() noexcept { return *client_; }
  Loop& loop() noexcept { return loop_.loop(); }

 private:
  template <class F>
  void run(F work) {
    std::promise<void> done;
    base::spawn(loop_.loop(), work(), [&done] { done.set_value(); });
    done.get_future().wait();
  }
  LoopThread loop_;
  std::unique_ptr<AsyncClient> client_;
};

inline std::string url_of(std::uint16_t port, std::string_view path = "/") {
  return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
}

inline const SendFailure& failure_of(const base::Error& error) {
  return dynamic_cast<const SendFailure&>(*error.detail);
}

}  // namespace fusebox::http::test
