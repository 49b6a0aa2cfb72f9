// The head of a request or a response: found in what has arrived, read strictly, with what it says about the body.
//
// Boost.Beast reads the grammar; what could make two readers disagree is refused on top of it: both lengths at once, a
// length twice, codings other than one `chunked`, obsolete folding, bare CR or LF.
//
// Threads  plain values and functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/client.h"

namespace fusebox::http {

// Finds the empty line that ends a head, over bytes that arrive bit by bit; each is looked at once.
class HeadScanner {
 public:
  enum class State : std::uint8_t { incomplete, complete, bad_line_end };
  // `arrived`: everything from the head's first byte; it only grows between calls.
  State scan(std::string_view arrived) noexcept;
  std::size_t bytes() const noexcept { return at_; }  // of a complete head, with its empty line
  void reset() noexcept { at_ = 0; }

 private:
  std::size_t at_ = 0;  // the start of the line being looked for
};

struct Framing {
  int minor = 1;           // of HTTP/1.x
  bool keep_alive = true;  // by version and Connection header
  bool chunked = false;
  bool upgrade = false;                 // Connection names it
  std::optional<std::uint64_t> length;  // Content-Length
};

// What a server says about a head it refuses; status 0 = nothing is wrong.
struct HeadProblem {
  int status = 0;
  const char* what = "";
};

struct RequestHead {
  std::string method;
  std::string target;  // absolute form was made origin form
  std::vector<Header> headers;
  Framing framing;
  bool expects_continue = false;
};
HeadProblem parse_request_head(std::string_view head, RequestHead& into);

struct ResponseHead {
  int status = 0;
  std::vector<Header> headers;
  Framing framing;
};
// False: this is no HTTP/1.x response.
bool parse_response_head(std::string_view head, ResponseHead& into);

// Whether a comma-separated header value names the token (lower case); case does not matter.
bool names_token(std::string_view value, std::string_view token) noexcept;
bool same_text(std::string_view a, std::string_view lower) noexcept;  // without case; `lower` is in lower case

}  // namespace fusebox::http
