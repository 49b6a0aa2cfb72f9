#include "fleet/api/streams/ndjson.h"

#include <utility>

#include "fleet/api/streams/stream_end.h"

namespace fusebox::fleet {

void LineStream::keep_alive() {
  quiet_ = true;
  arm();
}

void LineStream::hurry() {
  if (stream_ != nullptr) stream_->limit_stalls(kLastStall);
}

void LineStream::arm() {
  timer_ = home_.post_at(home_.clock().monotonic() + kLineKeepAlive, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->finished_) return;
    if (std::exchange(self->quiet_, true)) {
      if (auto place = self->writer_.try_take()) {
        base::spawn(self->home_, say_alive(self, std::move(*place)));
      }
    }
    self->arm();
  });
}

base::Task<void> LineStream::say_alive(std::shared_ptr<LineStream> self, base::Places::Place place) {
  if (!self->finished_) {
    const auto written = co_await self->stream_->write("{\"keepalive\":true}\n");
    (void)written;  // a peer that went is noticed through gone()
  }
  const base::Places::Place given_back = std::move(place);
}

base::Task<base::Result<void>> LineStream::line(std::string json) {
  json += '\n';
  const base::Places::Place place = co_await writer_.take();
  quiet_ = false;
  co_return co_await stream_->write(json);
}

base::Task<base::Result<void>> LineStream::finish() {
  finished_ = true;
  home_.cancel(timer_);
  const base::Places::Place place = co_await writer_.take();
  auto done = co_await stream_->finish();
  stream_.reset();  // it belongs to the exchange, which may end now
  co_return done;
}

}  // namespace fusebox::fleet
