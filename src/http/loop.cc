#include "http/loop.h"

#include <boost/asio/post.hpp>

#include "http/loop_impl.h"

namespace fusebox::http {
namespace {

struct Run {
  base::Work work;
  void operator()() { work(); }
};

// Marks the thread that runs the loop, so that others can tell whether posted work will be done.
class Running {
 public:
  explicit Running(std::atomic<std::thread::id>& runner) noexcept : runner_(runner) {
    runner_.store(std::this_thread::get_id());
  }
  ~Running() { runner_.store(std::thread::id()); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  std::atomic<std::thread::id>& runner_;
};

}  // namespace

Loop::Loop(const base::Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
Loop::~Loop() = default;

void Loop::run() {
  const Running running(impl_->runner);
  impl_->context.run();
  impl_->context.restart();  // so that the loop can run again
}

void Loop::stop() noexcept {
  impl_->context.stop();
}

void Loop::run_until(const std::function<bool()>& done) {
  const Running running(impl_->runner);
  while (!done() && impl_->context.run_one() != 0) {
  }
  impl_->context.restart();
}

void Loop::post(base::Work work) {
  boost::asio::post(impl_->context, Run{std::move(work)});
}

base::Executor::TimerId Loop::post_at(base::Nanos monotonic, base::Work work) {
  const TimerId id = impl_->next_timer++;
  impl_->timers.emplace(std::pair{monotonic, id}, std::move(work));
  impl_->due.emplace(id, monotonic);
  impl_->arm();
  return id;
}

// The alarm stays armed: at worst it rings once for nothing, which costs less than setting it anew for each timer.
void Loop::cancel(TimerId timer) noexcept {
  const auto found = impl_->due.find(timer);
  if (found == impl_->due.end()) return;
  const base::Nanos at = found->second;
  impl_->due.erase(found);
  const auto dropped = impl_->timers.extract({at, timer});  // its work is destroyed when the maps are in order again
}

const base::Clock& Loop::clock() const noexcept {
  return impl_->clock;
}

void Loop::Impl::arm() {
  if (timers.empty()) return;
  const base::Nanos first = timers.begin()->first.first;
  if (first >= alarm_at) return;
  alarm_at = first;
  alarm.expires_after(first - clock.monotonic());
  alarm.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // set to an earlier time
    alarm_at = base::Nanos::max();
    fire();
    arm();
  });
}

void Loop::Impl::fire() {
  const base::Nanos now = clock.monotonic();
  while (!timers.empty() && timers.begin()->first.first <= now) {
    auto first = timers.extract(timers.begin());
    due.erase(first.key().second);
    first.mapped()();
  }
}

}  // namespace fusebox::http
