// Who listens to which environment, and how an event gets from the store to all of them.
//
// A frame is made once and shared. Each loop keeps a topic per environment somebody on it listens to: the listeners, and
// the frames they have not all taken yet. A listener is a task that sleeps until the topic, the keep-alive timer of its
// loop or its end wakes it. It knows the last number it has sent; what it needs next comes from the topic when that still
// holds it and from the event table otherwise, so a slow listener costs no memory and loses nothing.
//
// Owner    the hub outlives its subscriptions; store and loops outlive the hub.
// Threads  publish(): any. A LoopHub and its subscriptions: their loop's thread.
// Limits   kRecentFrames per topic; a subscription is some 200 bytes.
// Contract control-plane.md 7, 16.4
#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/executor.h"
#include "base/task.h"
#include "fleet/api/events/frame.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::size_t kRecentFrames = 16;      // a listener that is further behind reads the table
inline constexpr std::uint32_t kFramesOfTable = 64;   // one read; with a page of them in memory nobody holds more
inline constexpr std::size_t kKeepAliveSeconds = 15;  // contract
inline constexpr std::size_t kResumedAtOnce = 128;    // listeners that run before others of the loop get their turn

class EventsHub;
class LoopHub;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

// Listens from its construction on; what was committed before it is for the reader of the table.
class Subscription {
 public:
  Subscription(LoopHub& hub, std::string vm_id, EventKinds kinds);
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  enum class Wake : std::uint8_t { frames, keep_alive, ended, broken };
  // What comes after `start()` or after the frames given last. broken: the table could not be read.
  base::Task<Wake> next(std::vector<FramePtr>& frames);
  void start(EventId after) noexcept { after_ = after; }
  const EventId& after() const noexcept { return after_; }
  // next() answers `ended` from now on. The loop's thread.
  void end();
  // The environment is gone: what the table has is all there will be.
  void only_the_table() noexcept { only_table_ = true; }
  // Begins at an id of the past: what followed it may be in the table already.
  void look_once() noexcept { look_ = true; }

 private:
  friend class LoopHub;
  struct Sleep {
    Subscription& of;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter);
    void await_resume() const noexcept {}
  };
  bool take_recent(std::vector<FramePtr>& frames);
  bool may_be_behind() const noexcept;
  base::Task<Wake> read_table(std::vector<FramePtr>& frames);

  LoopHub& hub_;
  struct Topic* topic_ = nullptr;
  std::coroutine_handle<> sleeper_;
  EventId after_;
  EventId looked_for_;  // the topic's newest at the last look into the table that brought nothing
  EventKinds kinds_;
  bool ended_ = false, keep_alive_ = false, only_table_ = false, look_ = false;
  std::uint8_t bucket_ = 0;
  std::size_t at_topic_ = 0, at_bucket_ = 0;  // its places in both lists
};

struct Topic {
  std::string vm_id;
  std::vector<Subscription*> listeners;
  std::deque<FramePtr> recent;  // without gaps, of one incarnation
  EventId newest;               // that is known to exist; seq 0 = none
  std::size_t awake = 0;        // listeners that do not sleep
  bool fetching = false;
};

class LoopHub {
 public:
  LoopHub(EventsHub& hub, std::size_t index, base::Executor& executor) noexcept;
  ~LoopHub();
  LoopHub(const LoopHub&) = delete;
  LoopHub& operator=(const LoopHub&) = delete;
  base::Executor& executor() noexcept { return executor_; }
  std::size_t subscriptions() const noexcept { return subscriptions_; }
  void end_all();  // graceful close: each listener gets what there is and ends; the executor is not touched again

 private:
  friend class Subscription;
  friend class EventsHub;
  void deliver();  // what publish() left in the inbox
  void take(FramePtr frame);
  void push(Topic& topic, FramePtr frame);
  void wake(Subscription& subscription);
  void resume_some();
  void tick();
  Topic& enter(Subscription& subscription, std::string vm_id);
  void leave(Subscription& subscription);
  base::Task<void> fetch(std::string vm_id, EventId after);

  EventsHub& hub_;
  const std::size_t index_;
  base::Executor& executor_;
  std::unordered_map<std::string, std::unique_ptr<Topic>, TextHash, std::equal_to<>> topics_;
  std::array<std::vector<Subscription*>, kKeepAliveSeconds> buckets_;
  std::deque<std::coroutine_handle<>> ready_;
  std::size_t subscriptions_ = 0;
  std::size_t tick_ = 0;
  base::Executor::TimerId timer_ = 0;
  bool ticking_ = false, resuming_ = false, closed_ = false;

  std::mutex mutex_;
  std::vector<std::pair<std::string, FramePtr>> inbox_;  // guarded by mutex_, as the next
  bool delivery_posted_ = false;
};

class EventsHub {
 public:
  EventsHub(Store& store, std::span<base::Executor* const> loops);
  LoopHub& at(std::size_t loop) noexcept { return *loops_[loop]; }
  void publish(const EnvEventRow& event);
  Store& store() noexcept { return store_; }
  std::size_t subscribers() const noexcept { return subscribers_.load(std::memory_order_relaxed); }

 private:
  friend class LoopHub;
  // Which loops have a topic of that name, so that events nobody waits for cost one look.
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::uint64_t, TextHash, std::equal_to<>> loops;
  };
  Shard& shard(std::string_view vm_id) noexcept { return shards_[TextHash{}(vm_id) % shards_.size()]; }
  void interest(std::string_view vm_id, std::size_t loop, bool wanted);

  Store& store_;
  std::array<Shard, 16> shards_;
  std::vector<std::unique_ptr<LoopHub>> loops_;
  std::atomic<std::size_t> subscribers_{0};
};

}  // namespace fusebox::fleet
