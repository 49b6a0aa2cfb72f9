#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "http/curl_library.h"
#include "http/limits.h"
#include "http/response_reader.h"

namespace fusebox::http {

using base::Errc;
using base::fail;
using base::Nanos;
using base::Result;

namespace {

struct EasyCleanup {
  const CurlLibrary* curl;
  void operator()(CURL* easy) const noexcept { curl->easy_cleanup(easy); }
};
struct MultiCleanup {
  const CurlLibrary* curl;
  void operator()(CURLM* multi) const noexcept { curl->multi_cleanup(multi); }
};
using EasyPtr = std::unique_ptr<CURL, EasyCleanup>;
using MultiPtr = std::unique_ptr<CURLM, MultiCleanup>;

// Owns the list; append copies the text.
class TextList {
 public:
  explicit TextList(const CurlLibrary& curl) noexcept : curl_(curl) {}
  TextList(const TextList&) = delete;
  TextList& operator=(const TextList&) = delete;
  ~TextList() { curl_.slist_free_all(head_); }
  void append(const std::string& text) {
    if (curl_slist* grown = curl_.slist_append(head_, text.c_str()))
      head_ = grown;
    else
      complete_ = false;
  }
  curl_slist* get() const noexcept { return head_; }
  bool complete() const noexcept { return complete_; }

 private:
  const CurlLibrary& curl_;
  curl_slist* head_ = nullptr;
  bool complete_ = true;
};

// A server that hangs up while TLS data is written raises SIGPIPE, which would end the process. It is held back for
// this thread alone; libcurl's own remedy changes the whole process and is not safe with threads.
class SigpipeBlocked {
 public:
  SigpipeBlocked() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;
  ~SigpipeBlocked() {
    const timespec no_wait{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &no_wait) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

std::string bracketed(std::string_view host) {
  const bool bare = host.find(':') == std::string_view::npos;
  std::string out(bare ? "" : "[");
  out += host;
  if (!bare) out += ']';
  return out;
}

std::string url_of(const Target& target) {
  return target.scheme + "://" + bracketed(target.host) + ":" + std::to_string(target.port) + target.path_and_query;
}

// What a kept connection is good for: the same name, asked for in the same way, at the same addresses.
std::string key_of(const Request& request) {
  std::string key = request.target.scheme + "://" + request.target.host + ":" + std::to_string(request.target.port);
  for (const IpAddress& address : request.addresses) key.append(" ").append(address.text());
  return key;
}

// CURLOPT_RESOLVE: "name:port:address,address". The name is then never looked up.
std::string pin_of(const Request& request) {
  std::string pin = request.target.host + ":" + std::to_string(request.target.port) + ":";
  for (const IpAddress& address : request.addresses)
    pin.append(pin.back() == ':' ? "" : ",").append(bracketed(address.text()));
  return pin;
}

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != kOthers.npos;
  });
}

bool is_plain(std::string_view text) noexcept {
  return std::ranges::none_of(text,
                              [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

// The last look before bytes leave: whoever built the request, it cannot be split into two.
Result<void> check(const Request& request) {
  const Target& target = request.target;
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (target.scheme != "https" && target.scheme != "http")
    return fail(Errc::invalid, "only https and http can be sent");
  if (target.host.empty() || !std::ranges::all_of(target.host, is_visible) ||
      target.host.find_first_of("/@?#[]\\") != std::string::npos)
    return fail(Errc::invalid, "the host cannot be sent");
  if (!target.path_and_query.starts_with('/') || !std::ranges::all_of(target.path_and_query, is_visible) ||
      target.path_and_query.find('#') != std::string::npos)
    return fail(Errc::invalid, "the path cannot be sent");
  if (!is_token(request.method)) return fail(Errc::invalid, "the method cannot be sent");
  if (request.headers.size() > kRequestHeadersMax)
    return fail(Errc::invalid, "there are " + std::to_string(request.headers.size()) +
                                   " request headers; the limit is " + std::to_string(kRequestHeadersMax));
  for (const Header& header : request.headers)
    if (!is_token(header.name) || !is_plain(header.value))
      return fail(Errc::invalid, "a request header cannot be sent");
  if (request.addresses.empty()) return fail(Errc::invalid, "there is no address to connect to");
  return {};
}

// The state of one send(), reached from curl's callbacks.
struct Call {
  const Request& request;
  ResponseReader reader;
  bool refused_address = false;
  std::uint64_t sunk_bytes = 0;
  std::optional<base::Error> failure = std::nullopt;  // of the caller's sink or source
};

bool is_success(int status) noexcept {
  return status >= 200 && status < 300;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  const std::size_t bytes = size * count;
  const auto verdict = static_cast<Call*>(user)->reader.header_line({data, bytes});
  return verdict == ResponseReader::Verdict::go_on ? bytes : 0;
}

// Whether the exchange goes on.
bool to_sink(Call& call, std::string_view piece) {
  if (piece.size() > call.request.body_bytes_max - call.sunk_bytes) {
    call.failure = base::Error{
        Errc::exhausted, "the response body is larger than " + std::to_string(call.request.body_bytes_max) + " bytes",
        "TOO_LARGE", nullptr};
    return false;
  }
  call.sunk_bytes += piece.size();
  auto taken = call.request.sink(call.reader.response(), piece);
  if (!taken) call.failure = taken.error();
  return taken.has_value();
}

std::size_t on_read(char* into, std::size_t size, std::size_t count, void* user) {
  auto* call = static_cast<Call*>(user);
  auto got = call->request.source->read(std::span(into, size * count));
  if (got) return *got;
  call->failure = got.error();
  return CURL_READFUNC_ABORT;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  const std::size_t bytes = size * count;
  auto* call = static_cast<Call*>(user);
  if (call->request.sink && is_success(call->reader.status())) return to_sink(*call, {data, bytes}) ? bytes : 0;
  const auto verdict = static_cast<Call*>(user)->reader.body_piece({data, bytes});
  return verdict == ResponseReader::Verdict::go_on || bytes == 0 ? bytes : 0;
}

bool is_pinned(const Request& request, const curl_sockaddr& to) noexcept {
  IpAddress address;
  if (to.family == AF_INET) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in&>(to.addr).sin_addr, 4);
  } else if (to.family == AF_INET6) {
    address.family = IpAddress::Family::v6;
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(to.addr).sin6_addr, 16);
  } else {
    return false;
  }
  return std::ranges::find(request.addresses, address) != request.addresses.end();
}

// The pin of CURLOPT_RESOLVE should suffice. This is where it is enforced: no socket for any other address is ever
// opened.
curl_socket_t on_open(void* user, curlsocktype purpose, curl_sockaddr* to) {
  auto* call = static_cast<Call*>(user);
  if (purpose != CURLSOCKTYPE_IPCXN || !is_pinned(call->request, *to)) {
    call->refused_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

bool is_idempotent(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// Sets options and remembers the first that curl refused: a protection that is not there must not be assumed.
class Options {
 public:
  Options(const CurlLibrary& curl, CURL* easy) noexcept : curl_(curl), easy_(easy) {}
  template <class T>
  void set(CURLoption option, T value) {
    const CURLcode code = curl_.easy_setopt(easy_, option, value);
    if (code != CURLE_OK && failed_ == CURLE_OK) failed_ = code;
  }
  Result<void> result() const {
    if (failed_ == CURLE_OK) return {};
    return fail(Errc::unsupported, std::string("libcurl refuses an option: ") + curl_.easy_strerror(failed_),
                "NETWORK");
  }

 private:
  const CurlLibrary& curl_;
  CURL* easy_;
  CURLcode failed_ = CURLE_OK;
};

void set_protections(Options& options, const ClientOptions& client) {
  options.set(CURLOPT_PROTOCOLS_STR, "http,https");
  options.set(CURLOPT_FOLLOWLOCATION, 0L);
  options.set(CURLOPT_PROXY, "");  // an empty name also shuts out http_proxy and its kin
  options.set(CURLOPT_NOPROXY, "*");
  options.set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  options.set(CURLOPT_NOSIGNAL, 1L);
  options.set(CURLOPT_PATH_AS_IS, 1L);
  options.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  options.set(CURLOPT_HTTP09_ALLOWED, 0L);
  options.set(CURLOPT_ACCEPT_ENCODING, static_cast<const char*>(nullptr));
  options.set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  options.set(CURLOPT_SSL_VERIFYPEER, 1L);
  options.set(CURLOPT_SSL_VERIFYHOST, 2L);
  options.set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  options.set(CURLOPT_MAXAGE_CONN, static_cast<long>(kIdleConnectionAgeMax.count()));
  if (!client.ca_file.empty()) options.set(CURLOPT_CAINFO, client.ca_file.c_str());
}

void set_method(Options& options, const Request& request) {
  if (request.method == "HEAD") {
    options.set(CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.source != nullptr) {
    options.set(CURLOPT_POST, 1L);
    options.set(CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
    options.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.source->bytes));
    options.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    return;
  }
  const bool sends_body =
      !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (sends_body) {
    options.set(CURLOPT_POST, 1L);
    options.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    options.set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  } else {
    options.set(CURLOPT_HTTPGET, 1L);
  }
  options.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void add_headers(TextList& list, const Request& request) {
  bool has_content_type = false;
  for (const Header& header : request.headers) {
    // curl's spelling of a header with an empty value.
    list.append(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
    has_content_type = has_content_type || strcasecmp(header.name.c_str(), "content-type") == 0;
  }
  list.append("Expect:");                               // no "100-continue" round trip
  if (!has_content_type) list.append("Content-Type:");  // curl would call every body a form
}

long milliseconds_of(Nanos time) noexcept {
  // Rounded up: 0 would mean no limit to curl.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<long>(std::clamp<std::int64_t>(ms, 1, 24 * 3600 * 1000));
}

std::unexpected<base::Error> network(std::string message) {
  return fail(Errc::unavailable, std::move(message), "NETWORK");
}

std::unexpected<base::Error> failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return fail(Errc::stopped, "the server did not answer in time", "TIMEOUT");
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return network("no connection to the server");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return network("the server's certificate is not valid for this name");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
      return network("the TLS handshake with the server failed");
    case CURLE_OUT_OF_MEMORY:  // curl's word for one header line that exceeds its own bound of 100 KiB
      return fail(Errc::exhausted, "the response headers are larger than allowed", "TOO_LARGE");
    case CURLE_GOT_NOTHING:
      return network("the server closed the connection without an answer");
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return network("the connection broke off");
    default:
      return network("the exchange with the server failed");
  }
}

}  // namespace

// One curl handle with its connection, used by one call at a time. The order matters: the easy handle leaves the multi
// handle before either goes.
class Client::Line {
 public:
  Line(const CurlLibrary& curl, std::string key, MultiPtr multi, EasyPtr easy) noexcept
      : curl_(curl), key_(std::move(key)), multi_(std::move(multi)), easy_(std::move(easy)) {}
  static Result<std::unique_ptr<Line>> create(const std::string& key) {
    FB_TRY(const CurlLibrary* curl, CurlLibrary::load());
    MultiPtr multi(curl->multi_init(), {curl});
    EasyPtr easy(curl->easy_init(), {curl});
    if (!multi || !easy) return fail(Errc::exhausted, "out of memory for a connection", "NETWORK");
    curl->multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, 1L);
    return std::make_unique<Line>(*curl, key, std::move(multi), std::move(easy));
  }
  const std::string& key() const noexcept { return key_; }
  bool reusable() const noexcept { return reusable_; }
  Result<Response> exchange(const Request& request, const ClientOptions& client);

 private:
  Result<CURLcode> transfer(const StopCheck& stop);
  Result<Response> conclude(Call& call, const Result<CURLcode>& code);

  const CurlLibrary& curl_;
  std::string key_;
  MultiPtr multi_;
  EasyPtr easy_;
  bool reusable_ = false;
};

Result<Response> Client::Line::exchange(const Request& request, const ClientOptions& client) {
  reusable_ = false;
  curl_.easy_reset(easy_.get());
  Options options(curl_, easy_.get());
  set_protections(options, client);
  set_method(options, request);
  TextList headers(curl_);
  add_headers(headers, request);
  TextList pins(curl_);
  if (!IpAddress::parse(request.target.host)) pins.append(pin_of(request));
  if (!headers.complete() || !pins.complete()) return fail(Errc::exhausted, "out of memory for a request", "NETWORK");
  Call call{request, ResponseReader(request.body_bytes_max, request.method == "HEAD", request.drop_redirect_body)};
  options.set(CURLOPT_URL, url_of(request.target).c_str());
  options.set(CURLOPT_RESOLVE, pins.get());
  options.set(CURLOPT_HTTPHEADER, headers.get());
  options.set(CURLOPT_USERAGENT, "fusebox");
  options.set(CURLOPT_TIMEOUT_MS, milliseconds_of(request.time_limit));
  options.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds_of(request.time_limit));
  if (request.stall_limit.count() > 0) {
    options.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    options.set(CURLOPT_LOW_SPEED_TIME,
                static_cast<long>(std::chrono::ceil<std::chrono::seconds>(request.stall_limit).count()));
  }
  // On a kept connection that turns out dead curl sends again; only what may safely arrive twice is sent on one.
  options.set(CURLOPT_FRESH_CONNECT, is_idempotent(request.method) ? 0L : 1L);
  options.set(CURLOPT_OPENSOCKETFUNCTION, &on_open);
  options.set(CURLOPT_OPENSOCKETDATA, &call);
  options.set(CURLOPT_HEADERFUNCTION, &on_header);
  options.set(CURLOPT_HEADERDATA, &call);
  options.set(CURLOPT_WRITEFUNCTION, &on_body);
  options.set(CURLOPT_WRITEDATA, &call);
  if (request.source != nullptr) {
    options.set(CURLOPT_READFUNCTION, &on_read);
    options.set(CURLOPT_READDATA, &call);
  }
  FB_CHECK(options.result());
  if (curl_.multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK)
    return network("the exchange could not be started");
  const Result<CURLcode> code = transfer(request.stop);
  curl_.multi_remove_handle(multi_.get(), easy_.get());
  auto response = conclude(call, code);
  // The lists and the call die here; nothing of them may stay in the handle.
  curl_.easy_reset(easy_.get());
  return response;
}

// Drives the transfer with our own loop instead of curl_easy_perform, which notices a stop only once a second.
Result<CURLcode> Client::Line::transfer(const StopCheck& stop) {
  while (true) {
    if (stop && stop()) return fail(Errc::stopped, "stopped during an HTTP request", "CANCELLED");
    int running = 0;
    if (curl_.multi_perform(multi_.get(), &running) != CURLM_OK) return network("the exchange with the server failed");
    int queued = 0;
    while (const CURLMsg* message = curl_.multi_info_read(multi_.get(), &queued))
      if (message->msg == CURLMSG_DONE) return message->data.result;
    if (running == 0) return network("the exchange with the server failed");
    // curl shortens the wait to its own next deadline.
    const int wait_ms = stop ? static_cast<int>(kStopPollInterval.count()) : 1000;
    if (curl_.multi_poll(multi_.get(), nullptr, 0, wait_ms, nullptr) != CURLM_OK)
      return network("the exchange with the server failed");
  }
}

Result<Response> Client::Line::conclude(Call& call, const Result<CURLcode>& code) {
  if (!code) return base::fail(code.error());
  if (call.failure) return base::fail(*call.failure);
  switch (call.reader.verdict()) {
    case ResponseReader::Verdict::headers_too_large:
      return fail(Errc::exhausted,
                  "the response headers are larger than " + std::to_string(kResponseHeaderBytesMax) + " bytes or " +
                      std::to_string(kResponseHeaderLinesMax) + " lines",
                  "TOO_LARGE");
    case ResponseReader::Verdict::body_too_large:
      return fail(Errc::exhausted,
                  "the response body is larger than " + std::to_string(call.request.body_bytes_max) + " bytes",
                  "TOO_LARGE");
    case ResponseReader::Verdict::complete:
      return call.reader.take();
    case ResponseReader::Verdict::go_on:
      break;
  }
  if (call.refused_address && *code != CURLE_OK) return network("the connection would have left the checked addresses");
  if (*code != CURLE_OK) return failure_of(*code);
  reusable_ = true;
  return call.reader.take();
}

Client::Client(ClientOptions options) : options_(std::move(options)) {}

Client::~Client() {
  const SigpipeBlocked sigpipe_blocked;  // closing a TLS connection writes
  idle_.clear();
}

Result<std::unique_ptr<Client::Line>> Client::take_line(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    // The one used last is the one most likely still open.
    for (std::size_t i = idle_.size(); i-- > 0;) {
      if (idle_[i]->key() != key) continue;
      auto line = std::move(idle_[i]);
      idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
      return line;
    }
  }
  return Line::create(key);
}

void Client::keep_line(std::unique_ptr<Line> line) {
  std::unique_ptr<Line> oldest;  // closed after the lock is released
  const std::lock_guard lock(mutex_);
  if (idle_.size() >= kIdleLinesMax) {
    oldest = std::move(idle_.front());
    idle_.erase(idle_.begin());
  }
  idle_.push_back(std::move(line));
}

Result<Response> Client::send(const Request& request) {
  FB_CHECK(check(request));
  Request pinned = request;
  pinned.addresses = request.addresses.first(std::min(request.addresses.size(), kPinnedAddressesMax));
  const SigpipeBlocked sigpipe_blocked;
  FB_TRY(auto line, take_line(key_of(pinned)));
  auto response = line->exchange(pinned, options_);
  if (line->reusable()) keep_line(std::move(line));
  return response;
}

}  // namespace fusebox::http
