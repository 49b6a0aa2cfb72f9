#include "container/scheduler/scheduler.h"

#include <sched.h>

#include <algorithm>

#include "container/scheduler/scheduler_impl.h"

namespace fusebox::container {
namespace {

std::uint32_t processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<std::uint32_t>(CPU_COUNT(&set)) : 1;
}

}  // namespace

void Place::wake() noexcept {
  static_cast<Scheduler::Impl*>(scheduler)->wake(*this, false);
}

base::Result<std::unique_ptr<Scheduler>> Scheduler::create(const SchedulerOptions& options, const base::Clock& clock) {
  SchedulerOptions filled = options;
  // Two even on one processor: a second worker is what takes over while the first computes.
  if (filled.workers == 0) filled.workers = std::max(2u, processors());
  if (filled.running_max == 0) filled.running_max = 2 * processors();
  filled.threads_max = std::max(filled.threads_max, filled.workers);
  auto impl = std::make_unique<Impl>(filled, clock);
  FB_CHECK(impl->begin());
  return std::unique_ptr<Scheduler>(new Scheduler(std::move(impl)));
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Scheduler::~Scheduler() = default;

base::Result<void> Scheduler::Impl::begin() {
  FB_TRY(reactor, Reactor::create(clock));
  offload = std::make_unique<Offload>();
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, options.worker_stack_bytes);
  const int error = ::pthread_create(&reactor_thread_, &attributes, &reactor_main, this);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return base::fail(base::errno_error("starting a thread", error));
  reactor_runs_ = true;
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < options.workers; ++i) FB_CHECK(add_worker());
  return {};
}

Scheduler::Impl::~Impl() {
  offload.reset();
  {
    std::unique_lock lock(mutex_);
    no_tasks_.wait(lock, [this] { return tasks_ == 0; });  // the last may still be in its ended()
    stopping_ = true;
    work_.notify_all();
  }
  if (reactor_runs_) {
    reactor->kick();
    ::pthread_join(reactor_thread_, nullptr);
  }
  for (const auto& worker : workers_) ::pthread_join(worker->thread, nullptr);
  for (const auto& worker : ended_) ::pthread_join(worker->thread, nullptr);
}

void Scheduler::start(std::shared_ptr<Task> task) {
  auto place = std::make_shared<Place>();
  place->scheduler = impl_.get();
  task->place_ = place;
  impl_->start(std::move(task));
}

void Scheduler::Impl::start(std::shared_ptr<Task> task) {
  const std::shared_ptr<Place> place = std::static_pointer_cast<Place>(task->place_);
  const std::lock_guard lock(mutex_);
  place->task = std::move(task);
  place->number = started_++;
  ++tasks_;
  enqueue(place, false);
}

void Scheduler::wake(Task& task) noexcept {
  if (task.place_) impl_->wake(static_cast<Place&>(*static_cast<Place*>(task.place_.get())), true);
}

void Scheduler::Impl::wake(Place& place, bool forced) noexcept {
  const std::lock_guard lock(mutex_);
  place.forced = place.forced || forced;
  switch (place.state) {
    case Place::State::parked:
      enqueue(place.shared_from_this(), true);
      break;
    case Place::State::running:
      place.woken = true;
      // A stop must reach a paused guest.
      if (forced && place.worker != nullptr) {
        place.worker->let_finish = true;
        place.worker->pause.resume();
      }
      break;
    case Place::State::parking:
      place.woken = true;
      break;
    case Place::State::queued:
    case Place::State::done:
      break;
  }
}

void Scheduler::Impl::enqueue(const std::shared_ptr<Place>& place, bool woken) noexcept {
  place->state = Place::State::queued;
  place->woken = false;
  if (place->turns < StartQueue::kFirstTurns)
    starting_.add(place);
  else
    (woken ? woken_ : again_).push_back(place);
  if (idle_ > 0) work_.notify_one();
}

void Scheduler::set_share(Task& task, std::uint32_t percent) noexcept {
  if (task.place_) impl_->set_share(*static_cast<Place*>(task.place_.get()), percent);
}

void Scheduler::Impl::set_share(Place& place, std::uint32_t percent) noexcept {
  const std::lock_guard lock(mutex_);
  place.share_percent = percent;
  place.window_began_ns = 0;
  place.window_budget_ns = 0;
}

base::Nanos Scheduler::cpu_time(const Task& task) const noexcept {
  return task.place_ ? impl_->cpu_time(*static_cast<const Place*>(task.place_.get())) : base::Nanos{0};
}

base::Nanos Scheduler::Impl::cpu_time(const Place& place) const noexcept {
  const std::lock_guard lock(mutex_);
  std::int64_t used = place.cpu_ns.load(std::memory_order_relaxed);
  if (place.worker != nullptr) used += place.worker->turn_cpu_so_far(now_ns());
  return base::Nanos{used};
}

base::Nanos Scheduler::kernel_time(const Task& task) const noexcept {
  return task.place_ ? impl_->kernel_time(*static_cast<const Place*>(task.place_.get())) : base::Nanos{0};
}

base::Nanos Scheduler::Impl::kernel_time(const Place& place) const noexcept {
  const std::lock_guard lock(mutex_);
  std::int64_t used = place.kernel_ns.load(std::memory_order_relaxed);
  if (place.worker != nullptr && ::pthread_equal(place.worker->thread, ::pthread_self()) != 0)
    used += place.worker->turn_spent(std::max<std::int64_t>(now_ns() - place.worker->turn_began_ns, 0)).kernel_ns;
  return base::Nanos{used};
}

void Scheduler::finish_offloaded() {
  impl_->offload->finish();
}
void Scheduler::offload(std::unique_ptr<std::function<void()>> work) {
  impl_->offload->run(std::move(work));
}

void Scheduler::clock_moved() noexcept {
  impl_->reactor->kick();
}

Scheduler::Statistics Scheduler::statistics() const noexcept {
  return impl_->statistics();
}

Scheduler::Statistics Scheduler::Impl::statistics() const noexcept {
  const std::lock_guard lock(mutex_);
  return {static_cast<std::uint32_t>(workers_.size()), tasks_, written_off_, pauses_};
}

}  // namespace fusebox::container
