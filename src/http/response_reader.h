// Collects a response as libcurl delivers it, line by line and piece by piece, and refuses what exceeds a bound.
//
// Threads  one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/client.h"

namespace fusebox::http {

class ResponseReader {
 public:
  enum class Verdict : std::uint8_t {
    go_on,
    complete,  // a redirect whose body is not wanted
    headers_too_large,
    body_too_large,
  };

  // `head`: the request was HEAD, so a Content-Length announces no body.
  ResponseReader(std::uint64_t body_bytes_max, bool head, bool drop_redirect_body) noexcept
      : body_bytes_max_(body_bytes_max), head_(head), drop_redirect_body_(drop_redirect_body) {}

  // One header line with its line end: status line, header, empty line, or a trailer after the body. Interim (1xx)
  // responses count towards the bounds like the final one.
  Verdict header_line(std::string_view line);
  Verdict body_piece(std::string_view piece);

  Verdict verdict() const noexcept { return verdict_; }
  int status() const noexcept { return response_.status; }
  const Response& response() const noexcept { return response_; }  // so far
  Response take() { return std::move(response_); }

 private:
  Verdict decide(Verdict verdict) noexcept { return verdict_ = verdict; }
  void begin(std::string_view status_line);
  void add_header(std::string_view line);
  Verdict end_of_headers();

  const std::uint64_t body_bytes_max_;
  const bool head_;
  const bool drop_redirect_body_;
  std::size_t header_bytes_ = 0;
  std::size_t header_lines_ = 0;
  bool in_body_ = false;
  Verdict verdict_ = Verdict::go_on;
  Response response_;
};

}  // namespace fusebox::http
