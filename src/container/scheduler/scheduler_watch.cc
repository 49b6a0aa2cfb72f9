// What the reactor's thread does: wakes parked tasks, writes off workers whose turn lasts too long, lets written-off
// threads take turns, keeps shares.
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

#include "container/scheduler/scheduler_impl.h"

namespace fusebox::container {
namespace {

constexpr std::int64_t kTickNs = 2'000'000;       // how exactly slices and shares are kept
constexpr std::int64_t kImpatientNs = 2'000'000;  // a turn this long is written off when others wait that may be short
constexpr std::int64_t kHogTurnNs = 10'000'000;   // of a written-off thread, when there are more than may run
constexpr int kQuietTicks = 10;                   // ticks go on a little: work comes in bursts
constexpr int kHogNice = 10;

}  // namespace

void* Scheduler::Impl::reactor_main(void* self) noexcept {
  static_cast<Impl*>(self)->watch();
  return nullptr;
}

void Scheduler::Impl::watch() {
  std::vector<std::shared_ptr<Place>> due;
  base::Nanos at_most = vfs::WaitSet::kNever;
  int quiet = 0;
  for (;;) {
    due.clear();
    reactor->collect(at_most, due);
    for (const std::shared_ptr<Place>& place : due) place->wake();
    due.clear();
    join_ended();
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const bool began = ticking_ && at_most == vfs::WaitSet::kNever;
    quiet = look_at_workers(now_ns()) || began ? 0 : std::min(quiet + 1, kQuietTicks);
    ticking_ = quiet < kQuietTicks;
    at_most = ticking_ ? base::Nanos{kTickNs} : vfs::WaitSet::kNever;
  }
}

bool Scheduler::Impl::look_at_workers(std::int64_t now) {
  bool any = false;
  for (std::size_t i = 0; i < workers_.size(); ++i) {  // by index: writing one off adds another
    Worker& worker = *workers_[i];
    if (!worker.current) continue;
    any = true;
    if (worker.written_off) continue;
    if (worker.turn_seen != worker.turns) {
      worker.turn_seen = worker.turns;
      worker.seen_at_ns = now;
      continue;
    }
    const std::int64_t lasted = now - worker.seen_at_ns;
    const bool others_wait = (!woken_.empty() || !starting_.empty()) && idle_ == 0;
    if (lasted >= options.slice.count() || (others_wait && lasted >= kImpatientNs)) write_off(worker, now);
  }
  rotate_hogs(now);
  look_at_shares(now);
  while (active_ < options.workers && add_worker()) {
  }
  return any;
}

void Scheduler::Impl::write_off(Worker& worker, std::int64_t now) {
  if (!add_worker()) return;  // no thread to take over: it goes on as it is
  worker.written_off = true;
  --active_;
  ++written_off_;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(worker.pause.thread()), kHogNice);  // without it things work, too
  worker.hog_running = true;
  worker.running_since_ns = now;
}

void Scheduler::Impl::let_run(Worker& worker, std::int64_t now) noexcept {
  worker.hog_running = true;
  worker.running_since_ns = now;
  worker.pause.resume();
}

// At most running_max written-off threads run; whoever has run kHogTurnNs makes room for whoever has waited longest.
void Scheduler::Impl::rotate_hogs(std::int64_t now) {
  std::vector<Worker*> running;
  std::vector<Worker*> waiting;
  for (const auto& worker : workers_) {
    if (!worker->written_off || !worker->current || worker->share_paused || worker->let_finish) continue;
    (worker->hog_running ? running : waiting).push_back(worker.get());
    if (!worker->hog_running && !worker->pause.paused()) worker->pause.request();  // it was in a host call
  }
  const auto by_age = [](const Worker* a, const Worker* b) { return a->running_since_ns < b->running_since_ns; };
  std::ranges::sort(running, by_age);
  std::ranges::sort(waiting, by_age);
  std::size_t count = running.size();
  std::size_t next = 0;
  for (Worker* worker : running) {
    const bool over = count > options.running_max;
    const bool had_its_turn = next < waiting.size() && now - worker->running_since_ns >= kHogTurnNs;
    if (!over && !had_its_turn) break;  // the others are younger
    worker->hog_running = false;
    worker->running_since_ns = now;
    worker->pause.request();
    ++pauses_;
    if (over)
      --count;
    else
      let_run(*waiting[next++], now);
  }
  while (count < options.running_max && next < waiting.size()) {
    let_run(*waiting[next++], now);
    ++count;
  }
}

std::int64_t Scheduler::Impl::share_left_ns(Place& place, std::int64_t now) const noexcept {
  const std::int64_t used =
      place.cpu_ns.load(std::memory_order_relaxed) + (place.worker != nullptr ? place.worker->turn_cpu_so_far(now) : 0);
  const std::int64_t window = kShareWindow.count();
  const std::int64_t share = window * place.share_percent / 100;
  if (now - place.window_began_ns >= window) {
    // What was used too much is paid back; what was not used is gone.
    const std::int64_t left = place.window_budget_ns - (used - place.window_cpu_ns);
    const std::int64_t windows = place.window_began_ns == 0 ? 1 : (now - place.window_began_ns) / window;
    place.window_budget_ns = std::min(share, std::min<std::int64_t>(left, 0) + share * windows);
    place.window_cpu_ns = used;
    place.window_began_ns = now;
  }
  return place.window_budget_ns - (used - place.window_cpu_ns);
}

void Scheduler::Impl::look_at_shares(std::int64_t now) {
  for (const auto& worker : workers_) {
    if (!worker->current || worker->current->share_percent == 0 || worker->let_finish) continue;
    const bool may_run = share_left_ns(*worker->current, now) > 0;
    if (may_run && worker->share_paused) {
      worker->share_paused = false;
      if (!worker->written_off || worker->hog_running) worker->pause.resume();
    } else if (!may_run) {
      if (!worker->share_paused) ++pauses_;
      worker->share_paused = true;
      if (!worker->pause.paused()) worker->pause.request();
    }
  }
}

}  // namespace fusebox::container
