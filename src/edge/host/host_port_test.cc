#include "edge/host/host_port.h"

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"

namespace fusebox::edge {
namespace {

using namespace std::chrono_literals;

TEST(OwnerLock, TellsItsOwnerApartFromOthers) {
  OwnerLock lock;
  EXPECT_FALSE(lock.inside());
  ASSERT_TRUE(lock.enter());
  EXPECT_TRUE(lock.inside());
  std::thread([&] { EXPECT_FALSE(lock.inside()); }).join();
  lock.leave();
  EXPECT_FALSE(lock.inside());
}

TEST(OwnerLock, RefusesItsOwnerAtOnceAndStaysHeld) {
  OwnerLock lock;
  ASSERT_TRUE(lock.enter());
  EXPECT_FALSE(lock.enter());
  EXPECT_TRUE(lock.inside());
  lock.leave();
  EXPECT_TRUE(lock.enter());
  lock.leave();
}

TEST(OwnerLock, AnotherThreadWaitsUntilItIsFree) {
  OwnerLock lock;
  ASSERT_TRUE(lock.enter());
  std::atomic<bool> entered{false};
  std::thread other([&] {
    EXPECT_TRUE(lock.enter());
    entered = true;
    lock.leave();
  });
  EXPECT_FALSE(entered);
  lock.leave();
  other.join();
  EXPECT_TRUE(entered);
}

TEST(OwnerLock, KeepsThreadsApart) {
  constexpr int kThreads = 4;
  constexpr int kTurns = 20'000;
  OwnerLock lock;
  int shared = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < kTurns; ++turn) {
        if (!lock.enter()) std::abort();
        ++shared;
        lock.leave();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, kThreads * kTurns);
}

// Without the rule about waiters that slept, this takes as long as the loop cares to run.
TEST(OwnerLock, ATightLoopKeepsNobodyOut) {
  OwnerLock lock;
  std::atomic<bool> over{false};
  std::thread greedy([&] {
    while (!over) {
      if (!lock.enter()) std::abort();
      lock.leave();
    }
  });
  for (int turn = 0; turn < 100; ++turn) {
    ASSERT_TRUE(lock.enter());
    lock.leave();
  }
  over = true;
  greedy.join();
}

// Spans of the system's clock inside and around one of ours: whatever interrupts this thread, only the pace can break the
// order.
TEST(FastClock, NeverGoesBackAndKeepsPaceWithTheSystem) {
  constexpr double kPaceError = 0.001;
  const auto system_now = [] { return std::chrono::steady_clock::now(); };
  const auto nanos = [](auto span) { return static_cast<double>(std::chrono::nanoseconds(span).count()); };
  const FastClock& clock = FastClock::get();
  const auto around_start = system_now();
  const std::uint64_t start = clock.now_ns();
  const auto inner_start = system_now();
  std::uint64_t last = start;
  while (system_now() - inner_start < 20ms) {
    const std::uint64_t now = clock.now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
  const auto inner_end = system_now();
  const std::uint64_t end = clock.now_ns();
  const auto around_end = system_now();
  ASSERT_GE(end, last);
  EXPECT_LE(static_cast<double>(end - start), nanos(around_end - around_start) * (1 + kPaceError));
  EXPECT_GE(static_cast<double>(end - start), nanos(inner_end - inner_start) * (1 - kPaceError));
}

TEST(FastClock, IsOneClockForAllPorts) {
  const HostPort one;
  const HostPort two;
  const std::uint64_t first = one.now_ns();
  const std::uint64_t second = two.now_ns();
  const std::uint64_t third = one.now_ns();
  EXPECT_LE(first, second);
  EXPECT_LE(second, third);
}

TEST(HostPort, HashesBytes) {
  const HostPort port;
  std::uint8_t out[32];
  ASSERT_TRUE(port.sha256("abc", 3, out));
  EXPECT_EQ(base::to_hex(std::as_bytes(std::span(out))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HostPort, KeepsTheLastErrorOfEachThread) {
  HostPort port;
  HostPort another;
  port.note_error("first");
  another.note_error("second");
  EXPECT_STREQ(last_error_text(), "second");
  std::thread([&] {
    EXPECT_STREQ(last_error_text(), "");
    port.note_error("elsewhere");
  }).join();
  EXPECT_STREQ(last_error_text(), "second");
}

TEST(HostPort, CutsLongErrorsAtACharacter) {
  HostPort port;
  const std::string fits(kErrorTextBytesMax - 1, 'a');
  port.note_error(fits.c_str());
  EXPECT_EQ(last_error_text(), fits);
  const std::string longer = std::string(kErrorTextBytesMax - 2, 'a') + "\u00e9";
  port.note_error(longer.c_str());
  EXPECT_EQ(last_error_text(), std::string(kErrorTextBytesMax - 2, 'a'));
  port.note_error(last_error_text());  // a caller may hand back what it was given
  EXPECT_EQ(last_error_text(), std::string(kErrorTextBytesMax - 2, 'a'));
}

}  // namespace
}  // namespace fusebox::edge
