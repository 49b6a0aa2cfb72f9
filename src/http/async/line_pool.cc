#include "http/async/line_pool.h"

#include <array>

namespace fusebox::http {

// Nothing to read: the server neither closed nor sent what nobody asked for. (TLS may have had something to itself.)
bool LinePool::Line::is_quiet() {
  std::array<char, 1> unasked{};
  return wire->receive(unasked) == Socket::kAgain;
}

LinePool::~LinePool() {
  while (!lines_.empty()) drop(lines_.front());
}

std::unique_ptr<Wire> LinePool::take(const std::string& origin) {
  for (auto at = lines_.begin(); at != lines_.end();) {
    Line& line = *at++;
    if (line.origin != origin) continue;
    if (!line.is_quiet()) {
      drop(line);
      continue;
    }
    std::unique_ptr<Wire> wire = std::move(line.wire);
    wire->socket().forget_readable();
    wire->read_bound().clear();
    lines_.erase(line.self);
    return wire;
  }
  return nullptr;
}

void LinePool::keep(const std::string& origin, std::unique_ptr<Wire> wire) {
  if (!wire->is_open() || !wire->in.empty() || idle_max_ == 0) return;
  if (lines_.size() >= idle_max_) drop(lines_.back());
  wire->in.shrink(0);
  wire->read_bound().set_after(idle_limit_);
  lines_.push_front({this, origin, std::move(wire), {}});
  lines_.front().self = lines_.begin();
  watch(lines_.front());
}

void LinePool::watch(Line& line) {
  line.wire->socket().when_readable(
      [](void* context, bool ok) {
        Line& ready = *static_cast<Line*>(context);
        if (ok && ready.is_quiet()) return ready.pool->watch(ready);
        ready.pool->drop(ready);
      },
      &line);
}

void LinePool::drop(Line& line) noexcept {
  if (line.wire->is_open()) line.wire->socket().forget_readable();
  lines_.erase(line.self);
}

}  // namespace fusebox::http
