// Writes the head of an answer into a buffer.
//
// Threads  pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/server/exchange.h"

namespace fusebox::http {

std::string_view reason_of(int status) noexcept;  // "Not Found"; "" for statuses nobody named

struct ResponseFrame {
  std::optional<std::uint64_t> length;  // Content-Length; nothing: no such header
  bool chunked = false;
  bool head_request = false;  // the handler's own Content-Length stands
  bool keep_alive = true;
  int minor = 1;  // of the request: HTTP/1.0 must be told that the connection stays
  std::string_view date;
  std::string_view server_name;
};

// Control characters in header values become spaces: no value can end its line. Headers that say how the body is framed
// are the server's, and a handler's are left out.
void append_response_head(std::string& out, int status, const std::vector<Header>& headers, const ResponseFrame& frame);

// Statuses whose answers never have a body.
constexpr bool has_no_body(int status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace fusebox::http
