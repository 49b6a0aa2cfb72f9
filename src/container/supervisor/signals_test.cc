// Signals of the engine's process: the first is a request, the second the end; reboot is the same program again.
#include "container/supervisor/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "container/supervisor/engine_process.h"

namespace fusebox::container {
namespace {

// In a process of its own: signals belong to processes.
class SignalsDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

[[noreturn]] void ask_once_and_leave(int number) {
  std::mutex mutex;
  std::condition_variable asked_changed;
  bool asked = false;
  const auto signals = SignalThread::start([&] {
    const std::lock_guard lock(mutex);
    asked = true;
    asked_changed.notify_all();
  });
  ::kill(::getpid(), SIGPIPE);  // ignored
  ::kill(::getpid(), number);
  std::unique_lock lock(mutex);
  asked_changed.wait(lock, [&] { return asked; });
  ::_exit(7);
}

TEST_F(SignalsDeathTest, TheFirstIsARequest) {
  EXPECT_EXIT(ask_once_and_leave(SIGTERM), ::testing::ExitedWithCode(7), "");
  EXPECT_EXIT(ask_once_and_leave(SIGINT), ::testing::ExitedWithCode(7), "");
}

[[noreturn]] void ask_twice() {
  const auto signals = SignalThread::start([] { ::kill(::getpid(), SIGINT); });
  ::kill(::getpid(), SIGTERM);
  for (;;) ::pause();
}

TEST_F(SignalsDeathTest, TheSecondEndsTheProcessAtOnce) {
  EXPECT_EXIT(ask_twice(), ::testing::ExitedWithCode(128 + SIGINT), "");
}

[[noreturn]] void run_again() {
  std::string name = "engine";
  std::string argument = "--gtest_list_tests";
  char* arguments[] = {name.data(), argument.data(), nullptr};
  reexecute_program(arguments);
  ::_exit(1);
}

TEST_F(SignalsDeathTest, ARebootRunsTheSameProgramWithTheGivenArguments) {
  EXPECT_EXIT(run_again(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace fusebox::container
