// Lines of a stream that comes in pieces.
//
// Threads  one thread.
// Limits   a line of more than kLineBytesMax is an error: `exhausted`
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace fusebox::cli::fleet {

inline constexpr std::size_t kLineBytesMax = 4u << 20;  // output arrives in pieces of 1 MiB at most, in base64

class LineSplitter {
 public:
  // Calls `line` for every line that is now complete, without its end (LF or CRLF).
  base::Result<void> feed(std::string_view piece, const std::function<base::Result<void>(std::string_view)>& line) {
    for (std::size_t end = piece.find('\n'); end != piece.npos; end = piece.find('\n')) {
      FB_CHECK(keep(piece.substr(0, end)));
      piece.remove_prefix(end + 1);
      if (rest_.ends_with('\r')) rest_.pop_back();
      const std::string whole = std::exchange(rest_, {});
      FB_CHECK(line(whole));
    }
    return keep(piece);
  }
  const std::string& rest() const noexcept { return rest_; }  // behind the last line end

 private:
  base::Result<void> keep(std::string_view part) {
    if (part.size() > kLineBytesMax - rest_.size())
      return base::fail(base::Errc::exhausted, "the server sent a line of more than 4 MiB");
    rest_ += part;
    return {};
  }
  std::string rest_;
};

}  // namespace fusebox::cli::fleet
