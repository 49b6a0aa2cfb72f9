#include "http/server/sse.h"

#include <cstdio>

namespace fusebox::http {

using base::Result;
using base::Task;

namespace {

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < ' ' || byte == 0x7f;
}

// The bytes of a character some readers take for the end of a line, at the front of `text`: U+0080 to U+009F (U+0085
// among them), U+2028, U+2029. 0 = none.
std::size_t line_breaker(std::string_view text) noexcept {
  if (text.size() >= 2 && text[0] == '\xc2' && (static_cast<unsigned char>(text[1]) & 0xe0) == 0x80) return 2;
  if (text.size() >= 3 && text[0] == '\xe2' && text[1] == '\x80' && (text[2] == '\xa8' || text[2] == '\xa9')) return 3;
  return 0;
}

void append_escape(std::string& out, unsigned code_point) {
  char escape[8];
  std::snprintf(escape, sizeof escape, "\\u%04x", code_point);
  out.append(escape, 6);
}

unsigned code_point_of(std::string_view bytes) noexcept {
  const auto at = [bytes](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i]) & 0x3f); };
  return bytes.size() == 2 ? 0x80u | at(1) : 0x2000u | at(1) << 6 | at(2);
}

void append_json(std::string& out, std::string_view json) {
  while (!json.empty()) {
    std::size_t plain = 0;
    while (plain < json.size() && !is_control(json[plain]) && line_breaker(json.substr(plain)) == 0) ++plain;
    out.append(json.substr(0, plain));
    json.remove_prefix(plain);
    if (json.empty()) return;
    if (const std::size_t bytes = line_breaker(json); bytes > 0) {
      append_escape(out, code_point_of(json.substr(0, bytes)));
      json.remove_prefix(bytes);
      continue;
    }
    // Control characters stand in JSON only between its values, as white space.
    if (json[0] == '\n' || json[0] == '\r' || json[0] == '\t') {
      out.push_back(' ');
    } else {
      append_escape(out, static_cast<unsigned char>(json[0]));
    }
    json.remove_prefix(1);
  }
}

void append_plain(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = is_control(text[0]) ? 1 : line_breaker(text);
    if (bytes == 0) out.push_back(text[0]);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
}

}  // namespace

ServerResponse sse_head() {
  ServerResponse head;
  head.headers.push_back({"Content-Type", "text/event-stream"});
  head.headers.push_back({"Cache-Control", "no-cache"});
  head.headers.push_back({"Connection", "keep-alive"});
  head.headers.push_back({"X-Accel-Buffering", "no"});
  return head;
}

void append_sse_event(std::string& out, std::string_view id, std::string_view json) {
  if (!id.empty()) {
    out.append("id: ");
    append_plain(out, id);
    out.push_back('\n');
  }
  out.append("data: ");
  append_json(out, json);
  out.append("\n\n");
}

void append_sse_comment(std::string& out, std::string_view text) {
  out.append(": ");
  append_plain(out, text);
  out.append("\n\n");
}

Task<Result<void>> SseWriter::event(std::string_view id, std::string_view json) {
  std::string frame;
  append_sse_event(frame, id, json);
  Result<void> sent = co_await frames(frame);
  co_return sent;
}

Task<Result<void>> SseWriter::comment(std::string_view text) {
  std::string frame;
  append_sse_comment(frame, text);
  Result<void> sent = co_await frames(frame);
  co_return sent;
}

Task<Result<void>> SseWriter::frames(std::string_view bytes) {
  const base::Places::Place place = co_await turn_.take();
  Result<void> sent = co_await stream_.write(bytes);
  co_return sent;
}

Task<void> keep_alive(SseWriter& writer, base::Executor& executor, base::Nanos interval, std::stop_token until) {
  while (!until.stop_requested()) {
    const base::Completion<bool> woken;
    const auto timer = executor.post_at(executor.clock().monotonic() + interval, [woken] { woken.set(true); });
    {
      const std::stop_callback on_stop(until, [woken] { woken.set(false); });
      (void)co_await woken.wait(executor);
    }
    executor.cancel(timer);
    if (until.stop_requested()) co_return;
    Result<void> sent = co_await writer.comment("keepalive");
    if (!sent) co_return;
  }
}

}  // namespace fusebox::http
