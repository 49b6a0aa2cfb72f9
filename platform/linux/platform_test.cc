#include "platform.h"
#include "platform/platform.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "fuse.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(20);
std::atomic<std::uint32_t> expired_id{FUSE_INVALID_MODULE_ID};

void ignore(int) {}

bool signal_is_untouched(int number) {
  struct sigaction action{};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
}

}  // namespace

// Stands for the runtime's, which ignores ids of modules that are not in a call.
void fuse_quota_expired(fuse_module_id_t id) {
  expired_id = id;
}

TEST(Platform, TimeNeverGoesBack) {
  const std::uint64_t first = fuse_platform_get_timestamp_us();
  fuse_platform_sleep_us(1500);
  const std::uint64_t second = fuse_platform_get_timestamp_us();
  EXPECT_GE(second - first, 1500u);
  EXPECT_GE(fuse_platform_get_timestamp_us(), second);
}

TEST(Platform, AnExpiredQuotaIsReportedToTheRuntime) {
  fuse_platform_init();
  fuse_platform_init();
  fuse_platform_quota_arm(5, 100);
  const auto until = Clock::now() + kPatience;
  while (expired_id != 5u && Clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(expired_id, 5u);
  fuse_platform_quota_cancel(5);
}

TEST(Platform, NeitherSignalsNorTimersOfTheProcessAreUsed) {
  fuse_platform_init();
  fuse_platform_quota_arm(6, 4'000'000'000);
  EXPECT_TRUE(signal_is_untouched(SIGALRM));
  for (const int which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval value{};
    ASSERT_EQ(::getitimer(which, &value), 0);
    EXPECT_EQ(value.it_value.tv_sec, 0);
    EXPECT_EQ(value.it_value.tv_usec, 0);
  }
  fuse_platform_quota_cancel(6);
}

TEST(Platform, SleepGoesOnAfterASignal) {
  struct sigaction action{};
  action.sa_handler = &ignore;
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  const pthread_t sleeper = ::pthread_self();
  std::atomic<bool> over{false};
  std::thread disturber([&] {
    while (!over) {
      ::pthread_kill(sleeper, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  const auto start = Clock::now();
  fuse_platform_sleep_us(5000);
  const auto slept = Clock::now() - start;
  over = true;
  disturber.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_GE(slept, std::chrono::microseconds(5000));
}

TEST(Platform, SleepOfNothingReturns) {
  fuse_platform_sleep_us(0);
}
