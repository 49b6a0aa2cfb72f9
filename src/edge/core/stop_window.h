// The window in which a stop of a module's call counts, closed without a locked instruction.
//
// Calls are numbered; odd = open, even = closed. Who asks for a stop names the call, makes that visible to the thread that
// steps, and only then looks whether the call is still open. Who closes it stores the next number and then looks whether its
// call was named. So one of the two sees the other: a call that was interrupted knows it, and a late stop names a call that
// is over. Between the closer's store and its look a fence is due, which a step does not pay for where the asking side can
// have every thread pass one (Port::fence_all); elsewhere the store is a sequentially consistent one.
// Numbers go on when a slot gets its next module: one held since the call before means nothing to it.
//
// Threads  open, stop_asked, close, settle: under the runtime's lock. The rest: any, interrupts included.
// Contract edge.md 12.2, 12.6
#pragma once

#include <atomic>
#include <cstdint>

namespace fusebox::edge {

class StopWindow {
 public:
  static constexpr std::uint32_t kNoCall = 0;
  // Numbers wrap around and are compared by their distance, which must stay below half of them: where nobody asks, the
  // stepping side names the end of a call, which stops nothing, now and then.
  static constexpr std::uint32_t kCatchUpEvery = 1u << 28;

  // `number` and `asked` as after that many calls: a window made new has had none.
  StopWindow() : StopWindow(0) {}
  explicit StopWindow(std::uint32_t number, std::uint32_t asked = 0) : number_(number), asked_(asked) {}

  void open() {
    const std::uint32_t closed = number_.load(std::memory_order_relaxed);
    if (closed % kCatchUpEvery == 0) ask(closed);
    number_.store(closed + 1, std::memory_order_release);
  }
  // While it is open: whether the call is to end before it began.
  bool stop_asked() const { return asked_.load() == number_.load(std::memory_order_relaxed); }
  // True when a stop of the call that ends was asked for. `asker_fences`: on this thread's behalf, after every ask().
  bool close(bool asker_fences) {
    const std::uint32_t call = number_.load(std::memory_order_relaxed);
    if (asker_fences) {
      number_.store(call + 1, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      number_.store(call + 1);
    }
    return asked_.load() == call;
  }
  // Of a closed window. Who looks after this sees that it is.
  void settle() { number_.store(number_.load(std::memory_order_relaxed)); }

  // The call in flight, or kNoCall.
  std::uint32_t in_flight() const {
    const std::uint32_t call = number_.load();
    return (call & 1) != 0 ? call : kNoCall;
  }
  // False when somebody asked for it before, or for a later one.
  bool ask(std::uint32_t call) {
    std::uint32_t asked = asked_.load();
    do {
      if (static_cast<std::int32_t>(call - asked) <= 0) return false;
    } while (!asked_.compare_exchange_weak(asked, call));
    return true;
  }
  // After ask() and the fence: nobody can close it any more without seeing that it was asked for.
  bool is_open(std::uint32_t call) const { return number_.load() == call; }

 private:
  std::atomic<std::uint32_t> number_;
  std::atomic<std::uint32_t> asked_;  // the newest call a stop was asked for
};

}  // namespace fusebox::edge
