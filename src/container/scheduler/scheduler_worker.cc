// What a worker does: takes the next task, gives it its turn, parks it.
#include <sys/resource.h>

#include <algorithm>

#include "container/scheduler/scheduler_impl.h"

namespace fusebox::container {
namespace {

// Other tasks get at least every so manyth turn, however many woken ones there are.
constexpr std::uint32_t kWokenInARow = 16;
// Tasks that asked for another turn get one at least after so many starting ones.
constexpr std::uint32_t kStartingInARow = 4;
// The thread's CPU clock costs 0.4 us: turns shorter than this are taken to have computed all the time.
constexpr std::int64_t kReadCpuAboveNs = 50'000;

std::int64_t cpu_now_ns(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Of the calling thread.
std::int64_t kernel_now_ns() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_stime.tv_sec * 1'000'000'000 + usage.ru_stime.tv_usec * 1'000;
}

std::shared_ptr<Place> take_front(std::deque<std::shared_ptr<Place>>& queue) {
  std::shared_ptr<Place> place = std::move(queue.front());
  queue.pop_front();
  return place;
}

}  // namespace

std::int64_t Worker::turn_cpu_so_far(std::int64_t now_ns) const noexcept {
  return std::clamp<std::int64_t>(cpu_now_ns(cpu_clock) - turn_cpu_ns, 0,
                                  std::max<std::int64_t>(now_ns - turn_began_ns, 0));
}

Worker::Spent Worker::turn_spent(std::int64_t took_ns) const noexcept {
  Spent spent;
  spent.thread_cpu_ns = cpu_now_ns(cpu_clock);
  spent.thread_kernel_ns = kernel_now_ns();
  const std::int64_t since_read = spent.thread_cpu_ns - turn_cpu_ns;
  spent.cpu_ns = std::clamp<std::int64_t>(since_read, 0, took_ns);
  if (since_read <= 0) return spent;
  // The kernel's part of all turns since the last reading, this one's by its length.
  const double part = static_cast<double>(spent.cpu_ns) / static_cast<double>(since_read);
  const double kernel = static_cast<double>(spent.thread_kernel_ns - kernel_ns) * part;
  spent.kernel_ns = std::clamp<std::int64_t>(static_cast<std::int64_t>(kernel), 0, spent.cpu_ns);
  return spent;
}

base::Result<void> Scheduler::Impl::add_worker() {
  if (workers_.size() >= options.threads_max)
    return base::fail(base::Errc::exhausted, "scheduler: all " + std::to_string(options.threads_max) + " threads run");
  auto worker = std::make_unique<Worker>();
  worker->scheduler = this;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, options.worker_stack_bytes);
  const int error = ::pthread_create(&worker->thread, &attributes, &worker_main, worker.get());
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return base::fail(base::errno_error("starting a thread", error));
  ::pthread_getcpuclockid(worker->thread, &worker->cpu_clock);
  workers_.push_back(std::move(worker));
  ++active_;
  return {};
}

void* Scheduler::Impl::worker_main(void* raw) noexcept {
  auto& worker = *static_cast<Worker*>(raw);
  worker.pause.attach();
  static_cast<Impl*>(worker.scheduler)->work(worker);
  return nullptr;
}

void Scheduler::Impl::work(Worker& worker) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (worker.written_off) break;  // it has a successor, and its priority is lowered for good
    std::shared_ptr<Place> place = next_place();
    if (!place) {
      ++idle_;
      work_.wait(lock);
      --idle_;
      continue;
    }
    if (!ticking_) {
      ticking_ = true;
      reactor->kick();
    }
    run_turn(worker, place, lock);
  }
  worker.pause.detach();
  if (stopping_) return;  // joined where it stands
  const auto own = std::ranges::find(workers_, &worker, &std::unique_ptr<Worker>::get);
  ended_.push_back(std::move(*own));
  workers_.erase(own);
}

std::shared_ptr<Place> Scheduler::Impl::next_place() {
  const bool others_wait = !starting_.empty() || !again_.empty();
  if (!woken_.empty() && (!others_wait || since_others_ < kWokenInARow)) {
    ++since_others_;
    return take_front(woken_);
  }
  since_others_ = 0;
  if (!starting_.empty() && (again_.empty() || since_again_ < kStartingInARow)) {
    ++since_again_;
    return starting_.take();
  }
  since_again_ = 0;
  return again_.empty() ? nullptr : take_front(again_);
}

void Scheduler::Impl::run_turn(Worker& worker, const std::shared_ptr<Place>& place,
                               std::unique_lock<std::mutex>& lock) {
  const std::int64_t began = now_ns();
  place->state = Place::State::running;
  place->woken = false;
  const bool forced = std::exchange(place->forced, false);
  const bool used_up = place->share_percent > 0 && !forced && share_left_ns(*place, began) <= 0;
  if (!used_up) {
    place->worker = &worker;
    if (place->turns < StartQueue::kFirstTurns) ++place->turns;
    worker.current = place;
    ++worker.turns;
    worker.turn_began_ns = began;
    worker.pause.resume();  // of a request that came after the last turn
  }
  const base::Nanos window_end{place->window_began_ns + kShareWindow.count()};
  lock.unlock();

  forget_waits(*place);
  if (used_up) {
    lock.lock();
    park(place, window_end, lock);
    return;
  }
  Task& task = *place->task;
  worker.pause.set_code(task.code());
  const Task::Turn turn = task.turn();
  worker.pause.set_code({});

  const std::int64_t took = std::max<std::int64_t>(now_ns() - began, 0);
  Worker::Spent spent{.cpu_ns = took};
  if (took > kReadCpuAboveNs) spent = worker.turn_spent(took);
  lock.lock();
  place->cpu_ns.fetch_add(spent.cpu_ns, std::memory_order_relaxed);
  place->kernel_ns.fetch_add(spent.kernel_ns, std::memory_order_relaxed);
  if (spent.thread_cpu_ns != 0) {
    worker.turn_cpu_ns = spent.thread_cpu_ns;
    worker.kernel_ns = spent.thread_kernel_ns;
  }
  place->worker = nullptr;
  worker.current.reset();
  worker.hog_running = false;
  worker.share_paused = false;
  worker.let_finish = false;
  after_turn(place, turn, lock);
}

void Scheduler::Impl::after_turn(const std::shared_ptr<Place>& place, Task::Turn turn,
                                 std::unique_lock<std::mutex>& lock) {
  if (turn == Task::Turn::done) {
    place->state = Place::State::done;
    const std::shared_ptr<Task> task = std::move(place->task);
    lock.unlock();
    task->ended();
    lock.lock();
    if (--tasks_ == 0) no_tasks_.notify_all();
    return;
  }
  if (turn == Task::Turn::again) {
    enqueue(place, false);
    return;
  }
  park(place, vfs::WaitSet::kNever, lock);
}

// Enters what the task waits for; or, with `only_until`, nothing but that time.
bool Scheduler::Impl::wait_for(const std::shared_ptr<Place>& place, base::Nanos only_until) {
  if (only_until != vfs::WaitSet::kNever) return reactor->add(place, {}, only_until);
  const vfs::WaitSet& waits = place->task->waits();
  for (const vfs::WaitSet::Change& change : waits.changes()) {
    place->lists.push_back(change.list);
    if (!change.list->add(*place, change.seen)) {
      place->lists.pop_back();
      return false;
    }
  }
  if (waits.ready().empty() && waits.deadline() == vfs::WaitSet::kNever) return true;
  return reactor->add(place, waits.ready(), waits.deadline());
}

void Scheduler::Impl::forget_waits(Place& place) {
  for (const std::shared_ptr<vfs::WakeList>& list : place.lists) list->remove(place);
  place.lists.clear();
  reactor->remove(place);
}

void Scheduler::Impl::park(const std::shared_ptr<Place>& place, base::Nanos only_until,
                           std::unique_lock<std::mutex>& lock) {
  if (place->woken || place->forced) {
    enqueue(place, true);
    return;
  }
  place->state = Place::State::parking;
  lock.unlock();
  const bool waiting = wait_for(place, only_until);
  lock.lock();
  if (!waiting || place->woken || place->forced)
    enqueue(place, true);
  else
    place->state = Place::State::parked;
}

void Scheduler::Impl::join_ended() {
  std::vector<std::unique_ptr<Worker>> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (const auto& worker : ended) ::pthread_join(worker->thread, nullptr);
}

}  // namespace fusebox::container
