#include "cli/fleet/api_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/bytes.h"
#include "base/wait.h"
#include "cli/fleet/exit_status.h"
#include "cli/version.h"
#include "http/server/router.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::size_t kStreamPieceBytes = 64u << 10;
constexpr std::size_t kErrorBytesMax = 64u << 10;
constexpr std::size_t kForeignBodyShown = 200;  // of an answer that is no error envelope

std::string setting(const char* upper, const char* lower) {
  for (const char* name : {lower, upper})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return {};
}

http::AsyncClientOptions client_options(const ServerAddress& server) {
  http::AsyncClientOptions options;
  options.tls.ca_pem = server.ca_pem;
  // As curl has it: HTTP_PROXY in upper case could come from a request's header in a CGI program.
  options.proxies = {setting("", "http_proxy"), setting("HTTPS_PROXY", "https_proxy"), setting("NO_PROXY", "no_proxy")};
  options.user_agent = "fusebox-cli/" + std::string(version());
  return options;
}

bool is_success(int status) noexcept {
  return status >= 200 && status < 300;
}

Errc code_of(int status) noexcept {
  switch (status) {
    case 401:
    case 403:
      return Errc::denied;
    case 404:
      return Errc::not_found;
    case 409:
      return Errc::exists;
    case 429:
    case 503:
      return Errc::unavailable;
    default:
      return Errc::io;
  }
}

std::string foreign_text(const http::AsyncReply& reply) {
  std::string text = "the server answered " + std::to_string(reply.status);
  if (reply.body.empty()) return text;
  const std::string body = base::to_utf8(reply.body);
  return text + ": " + std::string(base::utf8_prefix(body, kForeignBodyShown));
}

// Only whole seconds: the other form of the header, a date, is none of this API's.
std::optional<std::chrono::seconds> retry_after(const http::AsyncReply& reply) {
  const std::string* value = reply.find("retry-after");
  if (reply.status != 503 || value == nullptr) return {};
  int seconds = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  if (error != std::errc() || end != value->data() + value->size() || seconds < 0) return {};
  if (std::chrono::seconds(seconds) > kRepeatDelayMax) return {};
  return std::chrono::seconds(seconds);
}

ApiReply plain(http::AsyncReply reply) {
  return {reply.status, std::move(reply.headers), std::move(reply.body)};
}

// Ends a request when its time is up; the timer is gone with the object.
class StopTimer {
 public:
  explicit StopTimer(base::Executor& executor) noexcept : executor_(executor) {}
  ~StopTimer() { disarm(); }
  StopTimer(const StopTimer&) = delete;
  StopTimer& operator=(const StopTimer&) = delete;
  void arm(base::Nanos at) {
    disarm();
    timer_ = executor_.post_at(at, [this] {
      timer_.reset();
      fired_ = true;
      stop_.request_stop();
    });
  }
  void disarm() noexcept {
    if (timer_) executor_.cancel(*timer_);
    timer_.reset();
  }
  bool fired() const noexcept { return fired_; }
  std::stop_token token() const noexcept { return stop_.get_token(); }

 private:
  base::Executor& executor_;
  std::stop_source stop_;
  std::optional<base::Executor::TimerId> timer_;
  bool fired_ = false;
};

}  // namespace

std::string api_path(std::initializer_list<std::string_view> segments) {
  std::string path;
  for (const std::string_view segment : segments) path += "/" + http::percent_encode(segment);
  return path;
}

std::string target_of(const ApiRequest& request) {
  std::string target = request.path;
  char before = '?';
  for (const auto& [name, value] : request.query) {
    target += before + http::percent_encode(name) + "=" + http::percent_encode(value);
    before = '&';
  }
  return target;
}

std::string ApiReply::header(std::string_view lower_case_name) const {
  const auto found = std::ranges::find(headers, lower_case_name, &http::Header::name);
  return found == headers.end() ? std::string() : found->value;
}

base::Result<json::Document> ApiReply::document() const {
  json::ParseOptions options;
  options.file = "the server's answer";
  options.bytes_max = kReplyBytesMax;
  options.pointers = false;
  auto parsed = json::parse(body, options);
  if (!parsed) parsed.error().code = Errc::io;  // not what the user typed
  return parsed;
}

base::Error api_error(const http::AsyncReply& reply) {
  auto failure = std::make_shared<ApiFailure>();
  failure->status = reply.status;
  if (const std::string* id = reply.find("x-request-id"); id != nullptr) failure->request_id = *id;
  std::string message;
  const auto document = json::parse(reply.body, {.file = "error", .bytes_max = kErrorBytesMax, .pointers = false});
  const json::Node* error = document ? document->root->find("error") : nullptr;
  if (error != nullptr && error->is_object()) {
    failure->code = text_member(*error, "code");
    message = text_member(*error, "message");
    if (const json::Node* details = error->find("details"); details != nullptr)
      for (std::size_t i = 0; i < details->keys().size(); ++i)
        failure->details.emplace_back(details->keys()[i], scalar_text(details->elements()[i]));
  }
  if (failure->code.empty()) failure->code = "no error code";
  if (message.empty()) message = foreign_text(reply);
  return {code_of(reply.status), std::move(message), failure->code, failure};
}

ApiClient::ApiClient(const base::Clock& clock, ServerAddress server)
    : server_(std::move(server)), loop_(clock), http_(loop_, client_options(server_)) {}
ApiClient::~ApiClient() = default;

base::Result<http::AsyncRequest> ApiClient::prepare(ApiRequest request) const {
  http::AsyncRequest made;
  made.method = request.method;
  made.url = server_.base_url + target_of(request);
  made.headers = std::move(request.headers);
  if (!server_.token.empty()) {
    if (server_.token.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return base::fail(Errc::invalid, "the token holds a line break");
    made.headers.push_back({"Authorization", "Bearer " + server_.token});
  }
  if (request.json) {
    made.headers.push_back({"Content-Type", "application/json"});
    made.body = std::move(*request.json);
  } else if (request.bytes) {
    made.headers.push_back({"Content-Type", "application/octet-stream"});
    made.body = std::move(*request.bytes);
  }
  made.send_length = request.method != "GET";
  made.limit = request.limit;
  made.body_bytes_max = kReplyBytesMax;
  return made;
}

base::Task<base::Result<http::AsyncReply>> ApiClient::send(http::AsyncRequest request) {
  for (int repeats = 0;; ++repeats) {
    http::AsyncRequest again = request;
    auto reply = co_await http_.send(std::move(again));
    if (!reply || request.method != "GET" || repeats == kRepeatsMax) co_return reply;
    const auto delay = retry_after(*reply);
    if (!delay) co_return reply;
    co_await base::sleep_for(loop_, *delay);
  }
}

base::Result<ApiReply> ApiClient::call(ApiRequest request) {
  FB_TRY(http::AsyncRequest prepared, prepare(std::move(request)));
  FB_TRY(http::AsyncReply reply, base::within(server_.base_url, run(send(std::move(prepared)))));
  if (!is_success(reply.status)) return base::fail(api_error(reply));
  return plain(std::move(reply));
}

base::Task<base::Result<ApiReply>> ApiClient::run_stream(http::AsyncRequest request, const StreamSink& sink,
                                                         StreamLimits limits) {
  StopTimer deadline(loop_);
  StopTimer quiet(loop_);
  if (limits.until) deadline.arm(*limits.until);
  std::stop_source stop;
  const auto end = [&stop] { stop.request_stop(); };
  const std::stop_callback at_deadline(deadline.token(), end);
  const std::stop_callback when_quiet(quiet.token(), end);
  request.stop = stop.get_token();
  auto opened = co_await http_.open(std::move(request));
  if (!opened) {
    if (deadline.fired()) opened.error() = {Errc::stopped, "the time is up", "", nullptr};
    co_return std::unexpected(opened.error());
  }
  const std::unique_ptr<http::ReplyStream> body = std::move(*opened);
  const bool success = is_success(body->head().status);
  http::AsyncReply refused = body->head();
  const ApiReply head = plain(refused);
  std::array<char, kStreamPieceBytes> buffer;
  for (;;) {
    if (limits.quiet && success) quiet.arm(clock().monotonic() + *limits.quiet);
    auto got = co_await body->read_some(buffer);
    if (!got && quiet.fired()) co_return head;
    if (!got && deadline.fired()) co_return base::fail(Errc::stopped, "the time is up");
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    const std::string_view piece(buffer.data(), *got);
    if (!success) {
      refused.body.append(piece.substr(0, kErrorBytesMax - std::min(refused.body.size(), kErrorBytesMax)));
      continue;
    }
    auto flow = sink(head, piece);
    if (!flow) co_return std::unexpected(flow.error());
    if (*flow == Flow::enough) break;
  }
  if (!success) co_return base::fail(api_error(refused));
  co_return head;
}

base::Result<ApiReply> ApiClient::stream(ApiRequest request, const StreamSink& sink, const StreamLimits& limits) {
  FB_TRY(http::AsyncRequest prepared, prepare(std::move(request)));
  auto ended = run(run_stream(std::move(prepared), sink, limits));
  const bool of_network = !ended && dynamic_cast<const http::SendFailure*>(ended.error().detail.get()) != nullptr;
  return of_network ? base::within(server_.base_url, std::move(ended)) : std::move(ended);
}

base::Result<std::unique_ptr<http::ByteStream>> ApiClient::upgrade(ApiRequest request, const std::string& protocol) {
  FB_TRY(http::AsyncRequest prepared, prepare(std::move(request)));
  FB_TRY(http::Upgraded upgraded, base::within(server_.base_url, run(http_.upgrade(std::move(prepared), protocol))));
  if (upgraded.stream == nullptr) return base::fail(api_error(upgraded.head));
  return std::move(upgraded.stream);
}

void ApiClient::pause(base::Nanos span) {
  bool over = false;
  loop_.post_at(clock().monotonic() + span, [&over] { over = true; });
  loop_.run_until([&over] { return over; });
}

}  // namespace fusebox::cli::fleet
