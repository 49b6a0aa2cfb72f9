#include "container/scheduler/reactor.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fusebox::container {
namespace {

constexpr std::size_t kEventsAtOnce = 64;  // further ones come with the next round

std::uint32_t to_epoll(short events) noexcept {
  std::uint32_t mask = EPOLLONESHOT | EPOLLRDHUP;
  if ((events & POLLIN) != 0) mask |= EPOLLIN;
  if ((events & POLLOUT) != 0) mask |= EPOLLOUT;
  return mask;
}

}  // namespace

base::Result<std::unique_ptr<Reactor>> Reactor::create(const base::Clock& clock) {
  base::Fd epoll = base::Fd::adopt(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return base::fail(base::errno_error("epoll_create1", errno));
  base::Fd event = base::Fd::adopt(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return base::fail(base::errno_error("eventfd", errno));
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.fd = event.get();
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &wanted) != 0)
    return base::fail(base::errno_error("epoll_ctl", errno));
  return std::unique_ptr<Reactor>(new Reactor(clock, std::move(epoll), std::move(event)));
}

bool Reactor::arm(int fd, Watch& entry) {
  epoll_event wanted{};
  wanted.events = EPOLLONESHOT;
  for (const auto& [place, events] : entry.waiting) wanted.events |= events;
  wanted.data.fd = fd;
  const int operation = entry.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_.get(), operation, fd, &wanted) == 0) {
    entry.registered = true;
    return true;
  }
  // The number was closed and opened again meanwhile, or was never removed.
  const int other = errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if ((errno == ENOENT || errno == EEXIST) && ::epoll_ctl(epoll_.get(), other, fd, &wanted) == 0) {
    entry.registered = true;
    return true;
  }
  return false;
}

bool Reactor::watch(const std::shared_ptr<Place>& place, int fd, std::uint32_t events) {
  Watch& entry = watches_[fd];
  entry.waiting.emplace_back(place, events);
  place->fds.push_back(fd);
  return arm(fd, entry);
}

bool Reactor::add(const std::shared_ptr<Place>& place, const std::vector<vfs::WaitSet::Ready>& ready,
                  base::Nanos deadline) {
  bool wait = true;
  bool sooner = false;
  {
    const std::lock_guard lock(mutex_);
    for (const vfs::WaitSet::Ready& one : ready) wait = watch(place, one.host_fd, to_epoll(one.events)) && wait;
    if (deadline != vfs::WaitSet::kNever) {
      place->deadline = deadline;
      timers_.insert({deadline, place});
      sooner = deadline < sleeps_until_;
    }
  }
  if (sooner) kick();
  return wait;
}

void Reactor::remove(Place& place) {
  if (place.fds.empty() && place.deadline == vfs::WaitSet::kNever) return;
  const std::shared_ptr<Place> self = place.shared_from_this();
  const std::lock_guard lock(mutex_);
  if (place.deadline != vfs::WaitSet::kNever) timers_.erase({place.deadline, self});
  place.deadline = vfs::WaitSet::kNever;
  for (const int fd : place.fds) {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) continue;
    std::erase_if(found->second.waiting, [&](const auto& one) { return one.first == self; });
    if (!found->second.waiting.empty()) continue;
    if (found->second.registered) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watches_.erase(found);
  }
  place.fds.clear();
}

base::Nanos Reactor::until_next(base::Nanos at_most) {
  const base::Nanos now = clock_.monotonic();
  const base::Nanos latest = at_most == vfs::WaitSet::kNever ? at_most : now + at_most;
  const std::lock_guard lock(mutex_);
  sleeps_until_ = timers_.empty() ? latest : std::min(latest, timers_.begin()->at);
  if (sleeps_until_ == vfs::WaitSet::kNever) return sleeps_until_;
  return std::max(sleeps_until_ - now, base::Nanos{0});
}

void Reactor::take_due(std::vector<std::shared_ptr<Place>>& out) {
  const base::Nanos now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  sleeps_until_ = base::Nanos::min();
  while (!timers_.empty() && timers_.begin()->at <= now) {
    const std::shared_ptr<Place> place = timers_.begin()->place;
    timers_.erase(timers_.begin());
    out.push_back(place);
  }
}

void Reactor::collect(base::Nanos at_most, std::vector<std::shared_ptr<Place>>& out) {
  const base::Nanos wait = until_next(at_most);
  constexpr std::int64_t kSecond = 1'000'000'000;
  const timespec timeout{wait.count() / kSecond, wait.count() % kSecond};
  std::array<epoll_event, kEventsAtOnce> events;
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   wait == vfs::WaitSet::kNever ? nullptr : &timeout, nullptr);
  take_due(out);
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == event_.get()) {
      std::uint64_t drained = 0;
      [[maybe_unused]] const ssize_t got = ::read(fd, &drained, sizeof drained);
      continue;
    }
    const auto found = watches_.find(fd);
    if (found == watches_.end()) continue;
    // One-shot: nobody is watched for until the next add(). All are told: who was not meant asks again.
    for (const auto& [place, mask] : found->second.waiting) out.push_back(place);
  }
}

void Reactor::kick() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

}  // namespace fusebox::container
