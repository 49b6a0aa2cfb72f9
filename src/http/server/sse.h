// Server-sent events: frames that no reader can take apart in the wrong place.
//
// Lines of an event stream end at LF, CR or CR LF, and some clients' line readers also at U+0085, U+2028, U+2029 and other
// control characters. Data is JSON, where all of them can be written as escapes without changing the meaning: that is what
// append_sse_event() does. An id or a comment that holds one of them loses it.
//
// Owner    an SseWriter keeps a reference to its stream.
// Threads  the executor of the stream. Two tasks may write at one time: frames go out whole, in order.
// Errors   as ResponseStream.
// Contract control-plane.md 7 and 26.11
#pragma once

#include <string>
#include <string_view>

#include "base/wait.h"
#include "http/server/exchange.h"

namespace fusebox::http {

// Content-Type and what keeps proxies from collecting frames.
ServerResponse sse_head();

// Appends "id: ID\ndata: JSON\n\n"; no id line when it is empty.
void append_sse_event(std::string& out, std::string_view id, std::string_view json);
void append_sse_comment(std::string& out, std::string_view text);  // ": text\n\n"

class SseWriter {
 public:
  SseWriter(ResponseStream& stream, base::Executor& executor) noexcept : stream_(stream), turn_(executor, 1) {}
  base::Task<base::Result<void>> event(std::string_view id, std::string_view json);
  base::Task<base::Result<void>> comment(std::string_view text);
  // Frames that were put together before, for many readers at once.
  base::Task<base::Result<void>> frames(std::string_view bytes);

 private:
  ResponseStream& stream_;
  base::Places turn_;
};

// Writes ": keepalive" whenever `interval` has passed, until the stream's peer goes or a write fails. For a task of its
// own beside the one that writes events; `writer` and its stream outlive it.
base::Task<void> keep_alive(SseWriter& writer, base::Executor& executor, base::Nanos interval, std::stop_token until);

}  // namespace fusebox::http
