// poll_oneoff: waits for clocks and descriptors at once.
#include <algorithm>
#include <optional>
#include <vector>

#include "wasi/calls.h"
#include "wasi/clocks.h"
#include "wasi/limits.h"
#include "wasi/opened.h"

namespace fusebox::wasi::calls {
namespace {

using base::Nanos;

enum Tag : std::uint8_t { kClock = 0, kRead = 1, kWrite = 2 };
constexpr std::uint16_t kAbsolute = 1;

struct Subscription {
  u64 userdata = 0;
  std::uint8_t tag = 0;
  u32 id = 0;  // of the clock, or the descriptor
  u64 timeout_ns = 0;
  std::uint16_t clock_flags = 0;
};

template <Snapshot S>
Subscription load(const Memory& memory, u32 at) noexcept {
  constexpr u32 kBody = 16;
  constexpr u32 kClockBody = kBody + (S == Snapshot::unstable ? 8 : 0);  // an identifier before
  Subscription out;
  out.userdata = memory.load<u64>(at);
  out.tag = memory.load<std::uint8_t>(at + 8);
  if (out.tag != kClock) {
    out.id = memory.load<u32>(at + kBody);
    return out;
  }
  out.id = memory.load<u32>(at + kClockBody);
  out.timeout_ns = memory.load<u64>(at + kClockBody + 8);
  out.clock_flags = memory.load<std::uint16_t>(at + kClockBody + 24);
  return out;
}

Nanos saturated(u64 ns) noexcept {
  return Nanos{static_cast<i64>(std::min<u64>(ns, static_cast<u64>(Nanos::max().count())))};
}
Nanos sum(Nanos a, Nanos b) noexcept {
  return b > Nanos::max() - a ? Nanos::max() : a + b;
}

class Look {
 public:
  explicit Look(Caller& caller) noexcept : caller_(caller), process_(caller.process) {}

  // The event of a subscription that is over; otherwise what would change that is noted.
  std::optional<Event> at(const Subscription& subscription) {
    return subscription.tag == kClock ? clock(subscription) : descriptor(subscription);
  }

 private:
  static Event event_of(const Subscription& subscription, Errno error = Errno::success) noexcept {
    return {.userdata = subscription.userdata, .error = error, .type = subscription.tag};
  }

  std::optional<Event> clock(const Subscription& subscription) {
    if (subscription.id >= kClocks || subscription.clock_flags > kAbsolute) return event_of(subscription, Errno::inval);
    const Nanos left = time_left(subscription);
    if (left <= Nanos{0}) return event_of(subscription);
    process_.waits.until(sum(now(), left));
    return std::nullopt;
  }

  // Until the subscription is over, as far as can be said now.
  Nanos time_left(const Subscription& subscription) {
    const Nanos wanted = saturated(subscription.timeout_ns);
    const bool absolute = (subscription.clock_flags & kAbsolute) != 0;
    if (subscription.id <= kMonotonic) {
      if (absolute) return wanted - time_of(process_, subscription.id);
      return sum(process_.call.since(), wanted) - now();
    }
    // A guest that waits spends next to no CPU time: looked at again from time to time.
    const Nanos spent = process_.cpu_time();
    const Nanos left = absolute ? wanted - spent : wanted - (spent - cpu_since());
    return left <= Nanos{0} ? left : std::max(left, Nanos{kCpuClockLookNs});
  }
  Nanos now() const noexcept { return process_.options.clock->monotonic(); }
  // `progress` is of this call alone: here, one more than the CPU time when it was first asked.
  Nanos cpu_since() noexcept {
    if (process_.progress == 0) process_.progress = static_cast<u64>(process_.cpu_time().count()) + 1;
    return Nanos{static_cast<i64>(process_.progress - 1)};
  }

  std::optional<Event> descriptor(const Subscription& subscription) {
    const Opened open = opened(caller_, subscription.id, vfs::right::poll_fd_readwrite);
    if (open.failed()) return event_of(subscription, open.error);
    const vfs::Readiness found = open.file().poll(caller_.call_on(open.file()), subscription.tag == kWrite);
    if (!found.ready && found.error == Errno::success) return std::nullopt;
    Event event = event_of(subscription, found.error);
    event.bytes = found.bytes;
    event.hangup = found.hangup;
    return event;
  }

  Caller& caller_;
  Process::Impl& process_;
};

}  // namespace

template <Snapshot S>
Errno poll_oneoff(Caller& caller, u32 in, u32 out, u32 count, u32 events) {
  if (count == 0 || count > kSubscriptionsMax) return Errno::inval;
  const Memory& memory = caller.memory;
  if (!memory.has(in, u64{count} * kSubscriptionBytes<S>) || !memory.has(out, u64{count} * kEventBytes) ||
      !memory.has(events, sizeof(u32)))
    return Errno::fault;
  for (u32 i = 0; i < count; ++i) {
    if (memory.load<std::uint8_t>(in + i * kSubscriptionBytes<S> + 8) > kWrite) return Errno::inval;
  }
  // The two arrays may overlap, so all is looked at before anything is written.
  std::vector<Event> over;
  Look look(caller);
  for (u32 i = 0; i < count; ++i) {
    const std::optional<Event> event = look.at(load<S>(memory, in + i * kSubscriptionBytes<S>));
    if (event) over.push_back(*event);
  }
  if (over.empty()) return Errno::would_block;
  for (const Event& event : over) {
    store_event(memory, out, event);
    out += kEventBytes;
  }
  memory.store(events, static_cast<u32>(over.size()));
  return Errno::success;
}
template Errno poll_oneoff<Snapshot::preview1>(Caller&, u32, u32, u32, u32);
template Errno poll_oneoff<Snapshot::unstable>(Caller&, u32, u32, u32, u32);

}  // namespace fusebox::wasi::calls
