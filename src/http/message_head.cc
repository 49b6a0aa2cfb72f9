#include "http/message_head.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <cstring>

#include "http/limits.h"

namespace fusebox::http {
namespace {

namespace beast = boost::beast::http;
using Failure = boost::beast::error_code;

std::string_view view(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string in_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A line that goes on on the next one: readers disagree about where the value ends.
bool has_folding(std::string_view head) noexcept {
  for (std::size_t at = head.find('\n'); at + 1 < head.size(); at = head.find('\n', at + 1)) {
    if (head[at + 1] == ' ' || head[at + 1] == '\t') return true;
  }
  return false;
}

// What both kinds of head share: the header lines.
class Fields {
 public:
  HeadProblem problem;
  int hosts = 0;
  bool transfer_encoding = false;
  bool expects_continue = false;

  void add(std::string_view name, std::string_view value, std::vector<Header>& headers, Framing& framing) {
    if (headers.size() == kHeaderLinesMax) return refuse(431, "too many header lines");
    Header& header = headers.emplace_back(in_lower(name), std::string(trimmed(value)));
    switch (header.name.size()) {
      case 4:
        if (header.name == "host") ++hosts;
        break;
      case 6:
        if (header.name == "expect") expect(header.value);
        break;
      case 10:
        if (header.name == "connection") connection(header.value, framing);
        break;
      case 14:
        if (header.name == "content-length") length(header.value, framing);
        break;
      case 17:
        if (header.name == "transfer-encoding") coding(header.value, framing);
        break;
      default:
        break;
    }
  }
  void refuse(int status, const char* what) noexcept {
    if (problem.status == 0) problem = {status, what};
  }

 private:
  void connection(std::string_view value, Framing& framing) noexcept {
    if (names_token(value, "close")) {
      framing.keep_alive = false;
    } else if (framing.minor == 0 && names_token(value, "keep-alive")) {
      framing.keep_alive = true;
    }
    if (names_token(value, "upgrade")) framing.upgrade = true;
  }
  void length(std::string_view value, Framing& framing) noexcept {
    if (framing.length) return refuse(400, "Content-Length was sent twice");
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bytes);
    if (error != std::errc() || end != value.data() + value.size() || value.empty()) {
      return refuse(400, "Content-Length is not a number");
    }
    framing.length = bytes;
  }
  void coding(std::string_view value, Framing& framing) noexcept {
    if (transfer_encoding) return refuse(400, "Transfer-Encoding was sent twice");
    transfer_encoding = true;
    framing.chunked = same_text(value, "chunked");
    if (!framing.chunked) refuse(400, "the only transfer coding known here is chunked");
  }
  void expect(std::string_view value) noexcept {
    if (same_text(value, "100-continue")) {
      expects_continue = true;
    } else {
      refuse(417, "the only expectation known here is 100-continue");
    }
  }
};

// Beast's parser with nothing behind it: fields go where they belong without a container of its own.
class RequestSink final : public beast::basic_parser<true> {
 public:
  RequestSink(RequestHead& into, Fields& fields) : into_(into), fields_(fields) {}

 private:
  using Text = boost::beast::string_view;
  void on_request_impl(beast::verb, Text method, Text target, int version, Failure&) override {
    into_.method.assign(method.data(), method.size());
    into_.target.assign(target.data(), target.size());
    into_.framing.minor = version % 10;
    into_.framing.keep_alive = version >= 11;
  }
  void on_response_impl(int, Text, int, Failure&) override {}
  void on_field_impl(beast::field, Text name, Text value, Failure&) override {
    fields_.add(view(name), view(value), into_.headers, into_.framing);
  }
  void on_header_impl(Failure&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Failure&) override {}
  std::size_t on_body_impl(Text body, Failure&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, Failure&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, Failure&) override { return body.size(); }
  void on_finish_impl(Failure&) override {}

  RequestHead& into_;
  Fields& fields_;
};

class ResponseSink final : public beast::basic_parser<false> {
 public:
  ResponseSink(ResponseHead& into, Fields& fields) : into_(into), fields_(fields) {}

 private:
  using Text = boost::beast::string_view;
  void on_request_impl(beast::verb, Text, Text, int, Failure&) override {}
  void on_response_impl(int status, Text, int version, Failure&) override {
    into_.status = status;
    into_.framing.minor = version % 10;
    into_.framing.keep_alive = version >= 11;
  }
  void on_field_impl(beast::field, Text name, Text value, Failure&) override {
    fields_.add(view(name), view(value), into_.headers, into_.framing);
  }
  void on_header_impl(Failure&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Failure&) override {}
  std::size_t on_body_impl(Text body, Failure&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, Failure&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, Failure&) override { return body.size(); }
  void on_finish_impl(Failure&) override {}

  ResponseHead& into_;
  Fields& fields_;
};

// Reads the whole head; what Beast leaves over or refuses is the peer's fault.
template <class Sink>
bool read_head(Sink& sink, std::string_view head) {
  sink.header_limit(static_cast<std::uint32_t>(head.size() + 1));  // the size was checked while the head arrived
  sink.body_limit(boost::none);
  sink.skip(true);  // the body is not Beast's business
  Failure failure;
  const std::size_t used = sink.put(boost::asio::const_buffer(head.data(), head.size()), failure);
  return !failure && used == head.size() && sink.is_header_done();
}

// "http://host/path" -> "/path": what RFC 9112 3.2.2 asks every server to accept.
bool make_origin_form(std::string& target) {
  if (target.starts_with('/') || target == "*") return true;
  const std::size_t scheme = target.find("://");
  if (scheme == std::string::npos) return false;
  const std::string_view name = std::string_view(target).substr(0, scheme);
  if (!same_text(name, "http") && !same_text(name, "https")) return false;
  const std::size_t path = target.find_first_of("/?", scheme + 3);
  if (path == std::string::npos) {
    target = "/";
  } else {
    target.erase(0, path);
    if (target.front() == '?') target.insert(0, 1, '/');
  }
  return true;
}

bool is_plain(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

HeadScanner::State HeadScanner::scan(std::string_view arrived) noexcept {
  while (at_ < arrived.size()) {
    const void* const found = std::memchr(arrived.data() + at_, '\n', arrived.size() - at_);
    if (found == nullptr) break;
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - arrived.data());
    if (end == 0 || arrived[end - 1] != '\r') return State::bad_line_end;
    const bool empty = end == at_ + 1;
    at_ = end + 1;
    if (empty) return State::complete;
  }
  return State::incomplete;
}

HeadProblem parse_request_head(std::string_view head, RequestHead& into) {
  if (has_folding(head)) return {400, "header lines may not be folded"};
  Fields fields;
  RequestSink sink(into, fields);
  if (!read_head(sink, head)) {
    if (fields.problem.status != 0) return fields.problem;
    return {400, "this is not an HTTP/1.1 request"};
  }
  if (fields.problem.status != 0) return fields.problem;
  if (into.framing.length && fields.transfer_encoding)
    return {400, "Content-Length and Transfer-Encoding exclude each other"};
  if (into.framing.minor == 0 && fields.transfer_encoding) return {400, "HTTP/1.0 has no transfer codings"};
  if (fields.hosts > 1) return {400, "Host was sent twice"};
  if (fields.hosts == 0 && into.framing.minor > 0) return {400, "Host is missing"};
  if (into.method.size() > kMethodBytesMax) return {400, "the method is too long"};
  if (!is_plain(into.target) || !make_origin_form(into.target)) return {400, "the request target is not a path"};
  into.expects_continue = fields.expects_continue && into.framing.minor > 0;
  return {};
}

bool parse_response_head(std::string_view head, ResponseHead& into) {
  Fields fields;
  ResponseSink sink(into, fields);
  if (!read_head(sink, head) || fields.problem.status == 400) return false;
  return fields.problem.status == 0 && !(into.framing.length && fields.transfer_encoding);
}

bool same_text(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char left, char right) { return lower(left) == right; });
}

bool names_token(std::string_view value, std::string_view token) noexcept {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    if (same_text(trimmed(value.substr(0, comma)), token)) return true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return false;
}

}  // namespace fusebox::http
