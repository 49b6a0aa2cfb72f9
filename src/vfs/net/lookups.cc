#include "vfs/net/lookups.h"

#include <algorithm>

#include "vfs/net/limits.h"

namespace fusebox::vfs {

Io<std::shared_ptr<Resolution>> Lookups::start(const std::string& host, std::uint16_t port) {
  auto resolution = std::make_shared<Resolution>(host, port);
  if (resolution->finish_literal()) return resolution;
  if (!offload_) {
    if (resolution->begin()) resolution->look_up();
    return resolution;
  }
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() == kLookupsWaitingMax)
      std::erase_if(waiting_, [](const std::weak_ptr<Resolution>& one) { return one.expired(); });
    if (waiting_.size() == kLookupsWaitingMax) return fail(Errno::again);
    waiting_.push_back(resolution);
    if (running_ == kLookupsAtOnce) return resolution;
    ++running_;
  }
  offload_(std::make_unique<std::function<void()>>([self = shared_from_this()] { self->run(); }));
  return resolution;
}

void Lookups::run() {
  while (const auto resolution = take()) resolution->look_up();
}

// The next that somebody still wants; without one the thread is given back.
std::shared_ptr<Resolution> Lookups::take() {
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty()) {
    std::shared_ptr<Resolution> next = waiting_.front().lock();
    waiting_.pop_front();
    if (next && next->begin()) return next;
  }
  --running_;
  return nullptr;
}

}  // namespace fusebox::vfs
