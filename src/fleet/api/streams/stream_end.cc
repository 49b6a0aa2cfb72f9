#include "fleet/api/streams/stream_end.h"

#include <utility>

#include "fleet/api/frame/services.h"

namespace fusebox::fleet {

void StreamEnd::State::once() {
  if (const auto call = std::exchange(end, {})) call();
}

void StreamEnd::Post::operator()() const {
  home->post([kept = state] { kept->once(); });
}

StreamEnd::StreamEnd(Call& call, std::function<void()> end, Until until, std::stop_token lease, std::stop_token peer)
    : state_(std::make_shared<State>(std::move(end))),
      entry_(call.loop.streams, call.principal, Post{state_, &call.home()}, until),
      lease_(std::move(lease), Post{state_, &call.home()}),
      peer_(std::move(peer), Post{state_, &call.home()}) {}

StreamEnd::~StreamEnd() {
  state_->end = {};
}

}  // namespace fusebox::fleet
