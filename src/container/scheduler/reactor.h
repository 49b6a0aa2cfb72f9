// Readiness of host descriptors and deadlines, for parked tasks. Internal to container/scheduler.
//
// Several tasks may wait for one descriptor; each is told once and must ask again. Descriptors the kernel cannot watch
// (regular files) are always ready.
//
// Owner    keeps the places that stand in its tables alive.
// Threads  add() and remove(): any. collect(): the reactor's thread. kick(): any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "container/scheduler/place.h"

namespace fusebox::container {

class Reactor {
 public:
  static base::Result<std::unique_ptr<Reactor>> create(const base::Clock& clock);

  // False: one of the descriptors can be used at once, so there is nothing to wait for. Call remove() in either case.
  bool add(const std::shared_ptr<Place>& place, const std::vector<vfs::WaitSet::Ready>& ready, base::Nanos deadline);
  void remove(Place& place);
  // Waits at most `at_most` (never() = until kicked) and gives the places whose time has come.
  void collect(base::Nanos at_most, std::vector<std::shared_ptr<Place>>& out);
  void kick() noexcept;

 private:
  struct Watch {
    std::vector<std::pair<std::shared_ptr<Place>, std::uint32_t>> waiting;  // with its epoll events
    bool registered = false;
  };
  struct Timer {
    base::Nanos at;
    std::shared_ptr<Place> place;
    bool operator<(const Timer& other) const noexcept {
      return at != other.at ? at < other.at : place.get() < other.place.get();
    }
  };

  Reactor(const base::Clock& clock, base::Fd epoll, base::Fd event) noexcept
      : clock_(clock), epoll_(std::move(epoll)), event_(std::move(event)) {}
  bool watch(const std::shared_ptr<Place>& place, int fd, std::uint32_t events);
  bool arm(int fd, Watch& entry);
  base::Nanos until_next(base::Nanos at_most);
  void take_due(std::vector<std::shared_ptr<Place>>& out);

  const base::Clock& clock_;
  base::Fd epoll_;
  base::Fd event_;
  std::mutex mutex_;
  std::unordered_map<int, Watch> watches_;  // guarded by mutex_, as all below
  std::set<Timer> timers_;
  base::Nanos sleeps_until_ = base::Nanos::min();  // min = awake
};

}  // namespace fusebox::container
