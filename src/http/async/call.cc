#include "http/async/call.h"

#include <utility>

namespace fusebox::http {

std::shared_ptr<Call> Call::begin(Loop& loop, base::Nanos limit, std::stop_token stop) {
  std::shared_ptr<Call> call(new Call(loop));
  call->limit_.set_after(limit);
  if (stop.stop_requested()) {
    call->why_ = Why::stopped;
  } else if (stop.stop_possible()) {
    std::function<void()> end = [&loop, weak = call->weak_from_this()] {
      loop.post([weak] {
        if (const auto still = weak.lock()) still->end(Why::stopped);
      });
    };
    call->on_stop_.emplace(std::move(stop), std::move(end));
  }
  return call;
}

void Call::waits_for(std::shared_ptr<Socket> socket) noexcept {
  work_ = nullptr;
  socket_ = std::move(socket);
  if (ended() && socket_) socket_->close();
}

void Call::waits_for(std::function<void()> work) noexcept {
  socket_.reset();
  work_ = std::move(work);
}

void Call::end(Why why) {
  if (ended()) return;
  const auto keep = shared_from_this();
  why_ = why;
  if (socket_) socket_->close();
  if (const auto work = std::exchange(work_, nullptr)) work();
}

std::unexpected<base::Error> Call::failure(base::Errc code, std::string what, bool refused) const {
  auto detail = std::make_shared<SendFailure>();
  detail->sent = sent;
  detail->refused = refused;
  base::Error error{code, std::move(what), {}, std::move(detail)};
  if (why_ == Why::too_late) {
    error.code = base::Errc::stopped;
    error.message = "the request took too long";
    error.name = "TIMEOUT";
  } else if (why_ == Why::stopped) {
    error.code = base::Errc::stopped;
    error.message = "the request was cancelled";
    error.name = "CANCELLED";
  }
  return base::fail(std::move(error));
}

}  // namespace fusebox::http
