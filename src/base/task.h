// Coroutines that return values: `Task<T>` is work that has not begun; co_await begins it and gives its result.
//
// A task and all it awaits run on one executor's thread: whatever ends a wait on another thread posts there (Completion).
// One that moves to another executor (resume_on, wait.h) goes on there, and so does whoever awaited it, unless it moves
// back before it ends.
// So what only one chain of tasks touches needs no lock. Between two co_awaits nothing else runs on that thread; across a
// co_await anything may: no lock and no view into shared state lives across one.
//
// Owner    a Task owns its coroutine; destroying one that waits destroys the coroutine (what it waits for must not resume
//          it any more: only for executors that are going away). Parameters taken by value live in the coroutine; those
//          taken by reference must outlive it. A lambda coroutine's captures belong to the lambda, not to the coroutine:
//          keep the lambda alive, or take what it needs as parameters.
// Errors   tasks return base::Result; an exception that leaves one ends the process.
// Threads  one executor.
#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "base/executor.h"
#include "base/result.h"

namespace fusebox::base {

template <class T = void>
class Task;

namespace detail {

struct TaskPromiseBase {
  std::coroutine_handle<> continuation;
  std::thread::id awaiter_thread;     // where the task was begun
  std::atomic<bool> awaited = false;  // the awaiter has suspended
  bool ended_inside = false;          // the task ended before its awaiter suspended, so nobody resumes through it

  struct Final {
    bool await_ready() const noexcept { return false; }
    // A task that moved to another executor may end there while its awaiter, on the thread it was begun on, is still on
    // the way to its suspension: a few instructions, which this waits for.
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      TaskPromiseBase& promise = self.promise();
      if (!promise.continuation) return std::noop_coroutine();
      if (!promise.awaited.load(std::memory_order_acquire)) {
        if (promise.awaiter_thread == std::this_thread::get_id()) {
          promise.ended_inside = true;
          return std::noop_coroutine();
        }
        while (!promise.awaited.load(std::memory_order_acquire)) std::this_thread::yield();
      }
      return promise.continuation;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& given) {
    value.emplace(std::forward<U>(given));
  }
  T take() { return std::move(*value); }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() noexcept = default;
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& from) noexcept : handle_(std::exchange(from.handle_, {})) {}
  Task& operator=(Task&& from) noexcept {
    std::swap(handle_, from.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    // Runs the task here and now. Only one that could not end by itself suspends the awaiter: loops over tasks that end
    // at once need no stack, with or without tail calls.
    bool await_suspend(std::coroutine_handle<> awaiter) const noexcept {
      auto& promise = handle.promise();
      promise.continuation = awaiter;
      promise.awaiter_thread = std::this_thread::get_id();
      handle.resume();
      if (promise.ended_inside) return false;
      promise.awaited.store(true, std::memory_order_release);
      return true;  // from the line above on, the task may resume the awaiter on another thread: nothing here is touched
    }
    T await_resume() const { return handle.promise().take(); }
  };
  Awaiter operator co_await() && noexcept { return Awaiter{handle_}; }
  Awaiter operator co_await() & noexcept { return Awaiter{handle_}; }

  // For spawn() and tests: begins the task; done() tells whether it has ended.
  void start() { handle_.resume(); }
  bool done() const noexcept { return handle_ && handle_.done(); }
  T take() { return handle_.promise().take(); }  // of one that is done

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

// A coroutine that nobody awaits: it frees itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};
inline Detached run_detached(Task<void> task, Work after) {
  co_await std::move(task);
  if (after) after();
}
}  // namespace detail

// Begins the task on the executor's thread, soon; `after` runs there when it has ended. Any thread.
inline void spawn(Executor& executor, Task<void> task, Work after = {}) {
  executor.post([task = std::move(task), after = std::move(after)]() mutable {
    detail::run_detached(std::move(task), std::move(after));
  });
}

}  // namespace fusebox::base

// FB_TRY and FB_CHECK for coroutines that return a Result.
#define FB_CO_TRY(declaration, ...) FB_CO_TRY_(FUSEBOX_CONCAT(fb_try_, __COUNTER__), declaration, __VA_ARGS__)
#define FB_CO_TRY_(temporary, declaration, ...)                                \
  auto temporary = (__VA_ARGS__);                                              \
  if (!temporary) co_return ::std::unexpected(::std::move(temporary).error()); \
  declaration = ::std::move(*temporary)

#define FB_CO_CHECK(...)                                                                     \
  do {                                                                                       \
    auto fb_check_result = (__VA_ARGS__);                                                    \
    if (!fb_check_result) co_return ::std::unexpected(::std::move(fb_check_result).error()); \
  } while (false)
