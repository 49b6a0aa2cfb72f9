// Pauses a thread from outside while it runs compiled guest code, where it can hold no lock of ours or of the C library.
//
// The handler of one real-time signal looks at where the thread was interrupted. Inside the guest's code it waits there
// until it is resumed; anywhere else the request stays open, and whoever asked sends the signal again. Any other signal
// that arrives meanwhile (a time limit, a stop) ends the pause, so that limits are never late by it.
//
// Owner    the thread it is about; attach() and detach() run on it.
// Threads  request(), resume() and paused(): any, while the thread lives.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "container/scheduler/scheduler.h"

namespace fusebox::container {

class Pause {
 public:
  Pause() = default;
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

  // On the thread itself. Without a free real-time signal nothing is ever paused.
  void attach() noexcept;
  void detach() noexcept;
  pid_t thread() const noexcept { return thread_; }

  // Of the turn that begins; empty between turns.
  void set_code(CodeRange code) noexcept {
    begin_.store(code.begin, std::memory_order_relaxed);
    end_.store(code.end, std::memory_order_relaxed);
  }
  void request() noexcept;  // also sends it again while it is open
  void resume() noexcept;
  bool paused() const noexcept { return word_.load(std::memory_order_relaxed) == kPaused; }

 private:
  static constexpr std::uint32_t kRunning = 0;
  static constexpr std::uint32_t kRequested = 1;
  static constexpr std::uint32_t kPaused = 2;

  static int signal_number() noexcept;
  static int install() noexcept;
  static void on_signal(int number, void* info, void* context) noexcept;
  void wait_here(std::uintptr_t at) noexcept;

  std::atomic<std::uint32_t> word_{kRunning};
  std::atomic<std::uintptr_t> begin_{0};
  std::atomic<std::uintptr_t> end_{0};
  pid_t thread_ = 0;
};

}  // namespace fusebox::container
