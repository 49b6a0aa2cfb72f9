#include "http/async/talk.h"

#include <algorithm>

#include "http/limits.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

Task<void> write_request(Wire& wire, std::shared_ptr<Call> call, std::string_view head, std::string_view body) {
  while (!(head.empty() && body.empty()) && !call->ended()) {
    const std::ptrdiff_t went = wire.socket().send(head, body);
    if (went == Socket::kBroken) co_return;
    if (went == Socket::kAgain) {
      const bool ready = co_await wire.socket().writable();
      if (!ready) co_return;
      continue;
    }
    call->sent = true;
    auto left = static_cast<std::size_t>(went);
    const std::size_t of_head = std::min(left, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(left - of_head);
  }
}

Task<Result<ResponseHead>> read_head(Wire& wire, std::shared_ptr<Call> call, bool upgrading, bool& came) {
  HeadScanner scanner;
  std::size_t skipped = 0;
  for (;;) {
    const HeadScanner::State state = scanner.scan(wire.in.view());
    if (state == HeadScanner::State::bad_line_end)
      co_return call->failure(Errc::unavailable, "the reply is not HTTP/1.1");
    if (skipped + std::max(scanner.bytes(), wire.in.size()) > kResponseHeaderBytesMax &&
        state == HeadScanner::State::incomplete) {
      co_return call->failure(Errc::exhausted, "the reply's headers are too large");
    }
    if (state == HeadScanner::State::complete) {
      ResponseHead head;
      const bool good = parse_response_head(wire.in.view().substr(0, scanner.bytes()), head);
      if (!good) co_return call->failure(Errc::unavailable, "the reply is not HTTP/1.1");
      wire.in.consume(scanner.bytes());
      skipped += scanner.bytes();
      if (skipped > kResponseHeaderBytesMax)
        co_return call->failure(Errc::exhausted, "the reply's headers are too large");
      if (head.status >= 200 || (head.status == 101 && upgrading)) co_return std::move(head);
      if (head.status == 101) co_return call->failure(Errc::unavailable, "the server changed the protocol unasked");
      scanner.reset();
      continue;
    }
    const bool more = co_await wire.fill(kResponseHeaderBytesMax + 1);
    if (!more)
      co_return call->failure(Errc::unavailable, came ? "the reply ended within its headers"
                                                      : "the server closed the connection without a reply");
    came = true;
  }
}

}  // namespace fusebox::http
