#include "edge/core/stop_window.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "edge/host/process_fence.h"

namespace fusebox::edge {
namespace {

TEST(StopWindow, IsClosedBetweenCalls) {
  StopWindow window;
  EXPECT_EQ(window.in_flight(), StopWindow::kNoCall);
  window.open();
  EXPECT_NE(window.in_flight(), StopWindow::kNoCall);
  EXPECT_FALSE(window.stop_asked());
  EXPECT_FALSE(window.close(true));
  EXPECT_EQ(window.in_flight(), StopWindow::kNoCall);
}

TEST(StopWindow, TellsWhoClosesItThatItsCallWasNamed) {
  for (const bool asker_fences : {false, true}) {
    StopWindow window;
    window.open();
    const std::uint32_t call = window.in_flight();
    EXPECT_TRUE(window.ask(call));
    EXPECT_TRUE(window.is_open(call));
    EXPECT_TRUE(window.stop_asked());
    EXPECT_TRUE(window.close(asker_fences));
    EXPECT_FALSE(window.is_open(call));
  }
}

TEST(StopWindow, HasOneAskerPerCall) {
  StopWindow window;
  window.open();
  const std::uint32_t call = window.in_flight();
  EXPECT_TRUE(window.ask(call));
  EXPECT_FALSE(window.ask(call));
}

TEST(StopWindow, LateStopTouchesNoLaterCall) {
  StopWindow window;
  window.open();
  const std::uint32_t late = window.in_flight();
  EXPECT_FALSE(window.close(true));
  window.open();
  window.ask(late);
  EXPECT_FALSE(window.is_open(late));
  EXPECT_FALSE(window.stop_asked());
  EXPECT_FALSE(window.close(true));
}

TEST(StopWindow, LateStopDoesNotTakeBackTheNextCalls) {
  StopWindow window;
  window.open();
  const std::uint32_t late = window.in_flight();
  EXPECT_FALSE(window.close(true));
  window.open();
  EXPECT_TRUE(window.ask(window.in_flight()));
  EXPECT_FALSE(window.ask(late));
  EXPECT_TRUE(window.close(true));
}

TEST(StopWindow, NumbersWrapAround) {
  StopWindow window(0xFFFF'FFFA, 0xFFFF'FFF0);
  for (int i = 0; i < 6; ++i) {
    window.open();
    EXPECT_FALSE(window.close(true));
    window.open();
    EXPECT_TRUE(window.ask(window.in_flight()));
    EXPECT_TRUE(window.close(true));
  }
}

// The last stop was asked for nearly half of all numbers ago.
TEST(StopWindow, CanBeAskedAfterAnyNumberOfCallsThatNobodyStopped) {
  constexpr std::uint32_t kNumber = StopWindow::kCatchUpEvery - 2;
  StopWindow window(kNumber, kNumber - ((1u << 31) - 8));
  for (int i = 0; i < 10; ++i) {
    window.open();
    EXPECT_FALSE(window.stop_asked());
    EXPECT_FALSE(window.close(true));
  }
  window.open();
  EXPECT_TRUE(window.ask(window.in_flight()));
  EXPECT_TRUE(window.close(true));
}

// Whoever interrupts is seen by whoever closes. An instance interrupted unseen would stop its next call.
TEST(StopWindow, NoCallIsInterruptedUnseen) {
  constexpr int kAskers = 2;
  constexpr std::uint32_t kStopsSeen = 2'000;
  constexpr std::uint32_t kCallsMax = 20'000'000;  // where the askers hardly get to run
  const bool asker_fences = may_fence_process();
  StopWindow window;
  std::atomic<bool> over{false};
  std::array<std::vector<std::uint32_t>, kAskers> interrupted;
  std::vector<std::thread> askers;
  for (std::vector<std::uint32_t>& mine : interrupted) {
    askers.emplace_back([&] {
      while (!over.load()) {
        const std::uint32_t call = window.in_flight();
        if (call == StopWindow::kNoCall || !window.ask(call)) continue;
        if (asker_fences) fence_process();
        if (window.is_open(call)) mine.push_back(call);
      }
    });
  }
  std::set<std::uint32_t> seen;
  for (std::uint32_t i = 0; i < kCallsMax && seen.size() < kStopsSeen; ++i) {
    window.open();
    const std::uint32_t call = window.in_flight();
    if (window.close(asker_fences)) seen.insert(call);
  }
  over = true;
  for (std::thread& each : askers) each.join();
  for (const auto& mine : interrupted) {
    for (const std::uint32_t call : mine) EXPECT_TRUE(seen.contains(call)) << call;
  }
}

}  // namespace
}  // namespace fusebox::edge
