#include "fleet/api/events/hub.h"

#include <chrono>
#include <utility>

#include "base/wait.h"

namespace fusebox::fleet {

EventsHub::EventsHub(Store& store, std::span<base::Executor* const> loops) : store_(store) {
  for (std::size_t at = 0; at < loops.size(); ++at) {
    loops_.push_back(std::make_unique<LoopHub>(*this, at, *loops[at]));
  }
}

void EventsHub::interest(std::string_view vm_id, std::size_t loop, bool wanted) {
  Shard& shard = this->shard(vm_id);
  const std::lock_guard lock(shard.mutex);
  const std::uint64_t bit = std::uint64_t{1} << loop;
  auto found = shard.loops.find(vm_id);
  if (wanted) {
    if (found == shard.loops.end()) found = shard.loops.emplace(vm_id, 0).first;
    found->second |= bit;
  } else if (found != shard.loops.end() && (found->second &= ~bit) == 0) {
    shard.loops.erase(found);
  }
}

void EventsHub::publish(const EnvEventRow& event) {
  std::uint64_t wanted = 0;
  {
    Shard& shard = this->shard(event.vm_id);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.loops.find(event.vm_id);
    if (found == shard.loops.end()) return;
    wanted = found->second;
  }
  const FramePtr frame = make_frame(event);
  for (std::size_t at = 0; at < loops_.size(); ++at) {
    if ((wanted >> at & 1) == 0) continue;
    LoopHub& loop = *loops_[at];
    const std::lock_guard lock(loop.mutex_);
    loop.inbox_.emplace_back(event.vm_id, frame);
    if (std::exchange(loop.delivery_posted_, true)) continue;
    loop.executor_.post([&loop] { loop.deliver(); });
  }
}

LoopHub::LoopHub(EventsHub& hub, std::size_t index, base::Executor& executor) noexcept
    : hub_(hub), index_(index), executor_(executor) {}

LoopHub::~LoopHub() {
  if (ticking_) executor_.cancel(timer_);
}

void LoopHub::deliver() {
  std::vector<std::pair<std::string, FramePtr>> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(inbox_);
    delivery_posted_ = false;
  }
  for (auto& [vm_id, frame] : events) {
    const auto found = topics_.find(vm_id);
    if (found == topics_.end()) continue;
    Topic& topic = *found->second;
    if (!frame->text.empty()) {
      push(topic, std::move(frame));
      continue;
    }
    // Another replica's: its text is in the table, read once for all listeners.
    const EventId before{frame->id.seq - 1, frame->id.incarnation};
    topic.newest = frame->id;
    if (std::exchange(topic.fetching, true)) continue;
    const bool follows = !topic.recent.empty() && topic.recent.back()->id.incarnation == before.incarnation;
    base::spawn(executor_, fetch(vm_id, follows ? topic.recent.back()->id : before));
  }
}

base::Task<void> LoopHub::fetch(std::string vm_id, EventId after) {
  auto rows = co_await hub_.store_.get<std::vector<EnvEventRow>>(executor_, [&](Reader& reader) {
    return reader.env_events(vm_id, after.incarnation, after.seq, kFramesOfTable);
  });
  const auto found = topics_.find(vm_id);
  if (found == topics_.end()) co_return;
  Topic& topic = *found->second;
  topic.fetching = false;
  if (!rows || rows->empty()) {  // whoever wakes reads for itself
    for (Subscription* listener : topic.listeners) wake(*listener);
    co_return;
  }
  for (const EnvEventRow& row : *rows) push(topic, make_frame(row));
  const EventId last = topic.recent.empty() ? after : topic.recent.back()->id;
  if (topic.newest.incarnation == last.incarnation && topic.newest.seq > last.seq) {
    topic.fetching = true;
    base::spawn(executor_, fetch(std::move(vm_id), last));
  }
}

void LoopHub::push(Topic& topic, FramePtr frame) {
  if (!topic.recent.empty()) {
    const EventId& last = topic.recent.back()->id;
    if (last.incarnation == frame->id.incarnation && frame->id.seq <= last.seq) return;
    if (last.incarnation != frame->id.incarnation || frame->id.seq != last.seq + 1) topic.recent.clear();
  }
  if (topic.newest.incarnation != frame->id.incarnation || topic.newest.seq < frame->id.seq) topic.newest = frame->id;
  for (Subscription* listener : topic.listeners) {
    // Asleep, up to date and not interested: it has seen this.
    const bool next = listener->after_ == EventId{frame->id.seq - 1, frame->id.incarnation};
    if (listener->sleeper_ && next && !has_kind(listener->kinds_, frame->kind)) {
      listener->after_ = frame->id;
    } else {
      wake(*listener);
    }
  }
  if (topic.awake == 0) return;
  topic.recent.push_back(std::move(frame));
  if (topic.recent.size() > kRecentFrames) topic.recent.pop_front();
}

void LoopHub::wake(Subscription& subscription) {
  if (!subscription.sleeper_) return;
  ++subscription.topic_->awake;
  ready_.push_back(std::exchange(subscription.sleeper_, {}));
  if (std::exchange(resuming_, true)) return;
  executor_.post([this] { resume_some(); });
}

void LoopHub::resume_some() {
  for (std::size_t count = 0; count < kResumedAtOnce && !ready_.empty(); ++count) {
    const auto next = ready_.front();
    ready_.pop_front();
    next.resume();
  }
  resuming_ = !ready_.empty();
  if (resuming_) executor_.post([this] { resume_some(); });
}

void LoopHub::tick() {
  ticking_ = subscriptions_ != 0;
  if (!ticking_) return;
  tick_ = (tick_ + 1) % kKeepAliveSeconds;
  for (Subscription* subscription : buckets_[tick_]) {
    subscription->keep_alive_ = true;
    wake(*subscription);
  }
  timer_ = executor_.post_at(executor_.clock().monotonic() + std::chrono::seconds{1}, [this] { tick(); });
}

Topic& LoopHub::enter(Subscription& subscription, std::string vm_id) {
  auto found = topics_.find(vm_id);
  if (found == topics_.end()) {
    hub_.interest(vm_id, index_, true);
    auto topic = std::make_unique<Topic>();
    topic->vm_id = vm_id;
    found = topics_.emplace(std::move(vm_id), std::move(topic)).first;
  }
  Topic& topic = *found->second;
  subscription.at_topic_ = topic.listeners.size();
  topic.listeners.push_back(&subscription);
  ++topic.awake;
  // Its first keep-alive comes a whole round from now.
  subscription.bucket_ = static_cast<std::uint8_t>(tick_);
  auto& bucket = buckets_[subscription.bucket_];
  subscription.at_bucket_ = bucket.size();
  bucket.push_back(&subscription);
  ++subscriptions_;
  hub_.subscribers_.fetch_add(1, std::memory_order_relaxed);
  if (!closed_ && !std::exchange(ticking_, true)) {
    timer_ = executor_.post_at(executor_.clock().monotonic() + std::chrono::seconds{1}, [this] { tick(); });
  }
  return topic;
}

void LoopHub::leave(Subscription& subscription) {
  Topic& topic = *subscription.topic_;
  Subscription* const last = topic.listeners.back();
  topic.listeners[subscription.at_topic_] = last;
  last->at_topic_ = subscription.at_topic_;
  topic.listeners.pop_back();
  auto& bucket = buckets_[subscription.bucket_];
  bucket[subscription.at_bucket_] = bucket.back();
  bucket[subscription.at_bucket_]->at_bucket_ = subscription.at_bucket_;
  bucket.pop_back();
  --topic.awake;
  --subscriptions_;
  hub_.subscribers_.fetch_sub(1, std::memory_order_relaxed);
  if (!topic.listeners.empty()) return;
  hub_.interest(topic.vm_id, index_, false);
  topics_.erase(topics_.find(topic.vm_id));
}

void LoopHub::end_all() {
  closed_ = true;
  if (std::exchange(ticking_, false)) executor_.cancel(timer_);
  for (auto& [vm_id, topic] : topics_) {
    for (Subscription* listener : topic->listeners) listener->end();
  }
}

Subscription::Subscription(LoopHub& hub, std::string vm_id, EventKinds kinds) : hub_(hub), kinds_(kinds) {
  topic_ = &hub.enter(*this, std::move(vm_id));  // last: it writes its places into members that have been initialised
}

Subscription::~Subscription() {
  hub_.leave(*this);
}

void Subscription::end() {
  ended_ = true;
  hub_.wake(*this);
}

void Subscription::Sleep::await_suspend(std::coroutine_handle<> waiter) {
  of.sleeper_ = waiter;
  Topic& topic = *of.topic_;
  if (--topic.awake == 0) topic.recent.clear();  // everybody has taken what there was
}

bool Subscription::take_recent(std::vector<FramePtr>& frames) {
  const auto& recent = topic_->recent;
  if (recent.empty() || recent.front()->id.incarnation != after_.incarnation) return false;
  const std::uint64_t first = recent.front()->id.seq;
  if (first > after_.seq + 1 || recent.back()->id.seq <= after_.seq) return false;
  for (std::size_t at = static_cast<std::size_t>(after_.seq + 1 - first); at < recent.size(); ++at) {
    frames.push_back(recent[at]);
  }
  after_ = frames.back()->id;
  return true;
}

bool Subscription::may_be_behind() const noexcept {
  if (only_table_ || look_) return true;
  const EventId& newest = topic_->newest;
  if (newest.seq == 0 || newest == looked_for_) return false;
  return newest.incarnation != after_.incarnation || newest.seq > after_.seq;
}

base::Task<Subscription::Wake> Subscription::read_table(std::vector<FramePtr>& frames) {
  const std::string vm_id = topic_->vm_id;
  const EventId after = after_;
  auto rows = co_await hub_.hub_.store().get<std::vector<EnvEventRow>>(hub_.executor(), [&](Reader& reader) {
    return reader.env_events(vm_id, after.incarnation, after.seq, kFramesOfTable);
  });
  if (!rows) co_return Wake::broken;
  for (const EnvEventRow& row : *rows) frames.push_back(make_frame(row));
  if (!frames.empty()) after_ = frames.back()->id;
  co_return Wake::frames;
}

base::Task<Subscription::Wake> Subscription::next(std::vector<FramePtr>& frames) {
  frames.clear();
  while (true) {
    if (take_recent(frames)) co_return Wake::frames;
    if (ended_) co_return Wake::ended;
    if (may_be_behind()) {
      const EventId newest = topic_->newest;
      const Wake wake = co_await read_table(frames);
      if (wake == Wake::broken || !frames.empty()) co_return wake;
      look_ = false;
      if (only_table_) co_return Wake::ended;
      looked_for_ = newest;  // of another life of the environment: not ours, and not a reason to look again
    }
    if (std::exchange(keep_alive_, false)) co_return Wake::keep_alive;
    co_await Sleep{*this};
  }
}

}  // namespace fusebox::fleet
