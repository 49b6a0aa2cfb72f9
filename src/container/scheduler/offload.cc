#include "container/scheduler/offload.h"

#include <chrono>
#include <utility>

namespace fusebox::container {
namespace {

constexpr std::size_t kStackBytes = 8u << 20;  // compilers recurse over the module they read
constexpr std::chrono::seconds kIdle{5};

}  // namespace

Offload::~Offload() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return threads_ == 0; });
  lock.unlock();
  join_ended();
}

void Offload::run(std::unique_ptr<std::function<void()>> work) {
  join_ended();
  bool here = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    if (idle_ < queue_.size() && threads_ < kThreadsMax) {
      pthread_attr_t attributes;
      ::pthread_attr_init(&attributes);
      ::pthread_attr_setstacksize(&attributes, kStackBytes);
      pthread_t thread{};
      if (::pthread_create(&thread, &attributes, &main_of, this) == 0) ++threads_;
      ::pthread_attr_destroy(&attributes);
    }
    here = threads_ == 0;  // no thread is to be had: late is better than never
    if (here) work = take();
  }
  if (here)
    (*work)();
  else
    changed_.notify_one();
}

void Offload::finish() {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return busy_ == 0 && queue_.empty(); });
}

std::unique_ptr<std::function<void()>> Offload::take() {
  std::unique_ptr<std::function<void()>> work;
  if (std::exchange(oldest_is_due_, !oldest_is_due_)) {
    work = std::move(queue_.front());
    queue_.pop_front();
  } else {
    work = std::move(queue_.back());
    queue_.pop_back();
  }
  return work;
}

void* Offload::main_of(void* self) noexcept {
  static_cast<Offload*>(self)->loop();
  return nullptr;
}

void Offload::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (queue_.empty()) {
      if (stopping_) break;
      ++idle_;
      const bool busy = changed_.wait_for(lock, kIdle, [this] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (!busy) break;
      continue;
    }
    std::unique_ptr<std::function<void()>> work = take();
    ++busy_;
    lock.unlock();
    (*work)();
    work.reset();  // without the lock: what it held may come back here
    lock.lock();
    if (--busy_ == 0 && queue_.empty()) finished_.notify_all();
  }
  ended_.push_back(::pthread_self());
  --threads_;
  changed_.notify_all();
}

void Offload::join_ended() {
  std::vector<pthread_t> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (const pthread_t thread : ended) ::pthread_join(thread, nullptr);
}

}  // namespace fusebox::container
