// What tasks wait for: a value from elsewhere, a time, a place among few, each other.
//
// Threads  Completion::set(): any thread, once. Everything else: the executor's thread.
// Owner    the waiting task must not be destroyed while it waits, unless its executor never runs again.
#pragma once

#include <coroutine>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/task.h"

namespace fusebox::base {

// One value, set once from any thread, awaited once by a task. Copies share it, so the setter can outlive the waiter.
template <class T>
class Completion {
  struct State;

 public:
  // The first value counts; whether this was it.
  bool set(T value) const {
    std::unique_lock lock(state_->mutex);
    if (state_->value) return false;
    state_->value.emplace(std::move(value));
    if (!state_->waiter) return true;
    const std::coroutine_handle<> waiter = std::exchange(state_->waiter, {});
    Executor* const executor = state_->executor;
    lock.unlock();
    executor->post([waiter, keep = state_] { waiter.resume(); });
    return true;
  }
  bool is_set() const {
    const std::lock_guard lock(state_->mutex);
    return state_->value.has_value();
  }

  struct Awaiter {
    std::shared_ptr<State> state;
    Executor& executor;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) const {
      const std::lock_guard lock(state->mutex);
      if (state->value) return false;
      state->executor = &executor;
      state->waiter = waiter;
      return true;
    }
    T await_resume() const {
      const std::lock_guard lock(state->mutex);
      return std::move(*state->value);
    }
  };
  Awaiter wait(Executor& executor) const { return Awaiter{state_, executor}; }

 private:
  struct State {
    std::mutex mutex;
    std::optional<T> value;          // guarded by mutex, as below
    std::coroutine_handle<> waiter;  // set while a task waits
    Executor* executor = nullptr;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

struct SleepAwaiter {
  Executor& executor;
  Nanos until;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const {
    executor.post_at(until, [waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};
inline SleepAwaiter sleep_until(Executor& executor, Nanos monotonic) {
  return {executor, monotonic};
}
inline SleepAwaiter sleep_for(Executor& executor, Nanos span) {
  return {executor, executor.clock().monotonic() + span};
}

// Goes on behind what is already queued on `executor`, on its thread: also how a task moves to another executor.
struct YieldAwaiter {
  Executor& executor;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const {
    executor.post([waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};
inline YieldAwaiter resume_on(Executor& executor) {
  return {executor};
}

// A condition that tasks of one executor wait for again and again: notify() wakes all that wait now.
class Signal {
 public:
  explicit Signal(Executor& executor) noexcept : executor_(executor) {}
  void notify() {
    for (const auto& waiter : std::exchange(waiters_, {})) executor_.post([waiter] { waiter.resume(); });
  }
  struct Awaiter {
    Signal& signal;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const { signal.waiters_.push_back(waiter); }
    void await_resume() const noexcept {}
  };
  Awaiter wait() noexcept { return {*this}; }

 private:
  Executor& executor_;
  std::vector<std::coroutine_handle<>> waiters_;
};

// At most `places` tasks of one executor at a time; the others wait in order.
class Places {
 public:
  Places(Executor& executor, std::size_t places) noexcept : executor_(executor), free_(places) {}
  class [[nodiscard]] Place {
   public:
    explicit Place(Places* of) noexcept : of_(of) {}
    Place(Place&& from) noexcept : of_(std::exchange(from.of_, nullptr)) {}
    Place& operator=(Place&& from) noexcept {
      std::swap(of_, from.of_);
      return *this;
    }
    ~Place() {
      if (of_ != nullptr) of_->give_back();
    }

   private:
    Places* of_;
  };
  struct Awaiter {
    Places& places;
    bool await_ready() const noexcept {
      if (places.free_ == 0) return false;
      --places.free_;
      return true;
    }
    void await_suspend(std::coroutine_handle<> waiter) const { places.waiting_.push_back(waiter); }
    Place await_resume() const noexcept { return Place(&places); }
  };
  Awaiter take() noexcept { return {*this}; }
  std::optional<Place> try_take() noexcept {
    if (free_ == 0) return {};
    --free_;
    return Place(this);
  }
  std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  void give_back() {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    const auto next = waiting_.front();
    waiting_.pop_front();
    executor_.post([next] { next.resume(); });
  }
  Executor& executor_;
  std::size_t free_;
  std::deque<std::coroutine_handle<>> waiting_;
};

// Tasks begun and not ended, so that their owner can wait for all of them. Must outlive them.
class TaskScope {
 public:
  explicit TaskScope(Executor& executor) noexcept : executor_(executor), ended_(executor) {}
  void spawn(Task<void> task) {
    ++running_;
    base::spawn(executor_, std::move(task), [this] {
      if (--running_ == 0) ended_.notify();
    });
  }
  std::size_t running() const noexcept { return running_; }
  Task<void> all_ended() {
    while (running_ != 0) co_await ended_.wait();
  }

 private:
  Executor& executor_;
  Signal ended_;
  std::size_t running_ = 0;
};

}  // namespace fusebox::base
