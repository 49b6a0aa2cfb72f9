// Requests to a control plane, as a program makes them that does one thing after the other.
//
// Each call runs the client's own network loop until it has ended.
//
// Owner    owns its loop and its connections.
// Threads  one thread; loop().post() any.
// Errors   from the API: ApiFailure as detail (exit_status.h), `not_found`, `denied`, `exists`, `unavailable` or `io` by its
//          status. From the network: as http::AsyncClient, with the server's address in front. `stopped`: a time limit.
// Limits   kReplyBytesMax; of GETs, kRepeatsMax repetitions after 503 with Retry-After
// Contract control-plane.md 1.3-1.5
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/fleet/text.h"
#include "http/async/async_client.h"
#include "http/loop.h"

namespace fusebox::cli::fleet {

inline constexpr std::size_t kReplyBytesMax = 80u << 20;  // a file of 64 MiB, and what surrounds it
inline constexpr int kRepeatsMax = 4;
inline constexpr std::chrono::seconds kRepeatDelayMax{10};  // a server that asks for more is told of as it is
inline constexpr std::chrono::seconds kCallLimit{60};
// Boots, snapshots and pulls of layers: the server ends them; a pull may take 1830 s (10.7).
inline constexpr std::chrono::seconds kLongCallLimit{2400};

struct ServerAddress {
  std::string base_url;  // without a slash at its end
  std::string token;     // "" = none is sent
  std::string ca_pem;    // authorities instead of the system's
};

struct ApiRequest {
  std::string method = "GET";
  std::string path{};  // encoded: api_path()
  std::vector<Pair> query{};
  std::optional<std::string> json{};   // a JSON body
  std::optional<std::string> bytes{};  // another body
  std::vector<http::Header> headers{};
  std::chrono::nanoseconds limit = kCallLimit;  // of a stream: until its head
};

// "/v1/environments/a%2Fb" of {"v1", "environments", "a/b"}.
std::string api_path(std::initializer_list<std::string_view> segments);
std::string target_of(const ApiRequest& request);  // path and query

struct ApiReply {
  int status = 0;
  std::vector<http::Header> headers;
  std::string body;
  std::string header(std::string_view lower_case_name) const;
  base::Result<base::json::Document> document() const;
};

// What a reply that is no success says, whether or not its body is an error envelope.
base::Error api_error(const http::AsyncReply& reply);

struct StreamLimits {
  std::optional<base::Nanos> until{};  // monotonic; then `stopped`
  std::optional<base::Nanos> quiet{};  // nothing came for so long: the stream counts as ended
};
enum class Flow : std::uint8_t { go_on, enough };
// Takes the body as it comes.
using StreamSink = std::function<base::Result<Flow>(const ApiReply& head, std::string_view piece)>;

class ApiClient {
 public:
  ApiClient(const base::Clock& clock, ServerAddress server);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  base::Result<ApiReply> call(ApiRequest request);  // 2xx, or an error
  // The head, after the sink had all of the body or enough of it.
  base::Result<ApiReply> stream(ApiRequest request, const StreamSink& sink, const StreamLimits& limits = {});
  base::Result<std::unique_ptr<http::ByteStream>> upgrade(ApiRequest request, const std::string& protocol);

  // Runs a task of loop() until it has ended.
  template <class T>
  T run(base::Task<T> task) {
    std::optional<T> result;
    base::spawn(loop_, keep(std::move(task), result));
    loop_.run_until([&result] { return result.has_value(); });
    return std::move(*result);
  }
  void pause(base::Nanos span);

  http::Loop& loop() noexcept { return loop_; }
  const base::Clock& clock() const noexcept { return loop_.clock(); }
  const ServerAddress& server() const noexcept { return server_; }

 private:
  template <class T>
  static base::Task<void> keep(base::Task<T> task, std::optional<T>& into) {
    T value = co_await std::move(task);
    into.emplace(std::move(value));
  }
  base::Result<http::AsyncRequest> prepare(ApiRequest request) const;
  base::Task<base::Result<http::AsyncReply>> send(http::AsyncRequest request);
  base::Task<base::Result<ApiReply>> run_stream(http::AsyncRequest request, const StreamSink& sink,
                                                StreamLimits limits);

  ServerAddress server_;
  http::Loop loop_;
  http::AsyncClient http_;
};

}  // namespace fusebox::cli::fleet
