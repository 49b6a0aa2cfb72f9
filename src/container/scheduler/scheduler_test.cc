// Parking and waking without losses, computing tasks that delay nobody, pauses, shares, deadlines.
#include "container/scheduler/scheduler.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/files.h"

namespace fusebox::container {
namespace {

using namespace std::chrono_literals;

// Ended tasks of one test.
class Ends {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

class TestTask : public Task {
 public:
  explicit TestTask(Ends& ends) : ends_(ends) {}
  const vfs::WaitSet& waits() const override { return waits_; }
  void ended() noexcept override { ends_.add(); }

 protected:
  Ends& ends_;
  vfs::WaitSet waits_;
};

// A counter that tasks wait for.
struct Cell {
  std::mutex mutex;
  int value = 0;
  vfs::WakeList list;
  void set(int to) {
    {
      const std::lock_guard lock(mutex);
      value = to;
    }
    list.changed();
  }
};

// Waits until the cell holds an even (odd) number, then adds one, `rounds` times.
class PingPong final : public TestTask {
 public:
  PingPong(Ends& ends, std::shared_ptr<Cell> cell, int parity, int rounds)
      : TestTask(ends), cell_(std::move(cell)), parity_(parity), rounds_(rounds) {}
  Turn turn() override {
    for (;;) {
      waits_.clear();
      int next = 0;
      {
        const std::lock_guard lock(cell_->mutex);
        if (cell_->value % 2 != parity_) {
          waits_.changed(std::shared_ptr<vfs::WakeList>(cell_, &cell_->list), cell_->list.version());
          return Turn::wait;
        }
        next = cell_->value + 1;
      }
      if (rounds_-- == 0) return Turn::done;
      cell_->set(next);
    }
  }

 private:
  std::shared_ptr<Cell> cell_;
  int parity_;
  int rounds_;
};

std::unique_ptr<Scheduler> make(const base::Clock& clock, std::uint32_t workers = 2, std::uint32_t running_max = 0) {
  SchedulerOptions options;
  options.workers = workers;
  options.running_max = running_max;
  auto made = Scheduler::create(options, clock);
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

const base::RealClock kClock;

TEST(Scheduler, TwoTasksThatWaitForEachOtherNeverMissAChange) {
  constexpr int kRounds = 20'000;
  const auto scheduler = make(kClock);
  Ends ends;
  const auto cell = std::make_shared<Cell>();
  scheduler->start(std::make_shared<PingPong>(ends, cell, 0, kRounds));
  scheduler->start(std::make_shared<PingPong>(ends, cell, 1, kRounds));
  ends.wait_for(1);  // the even one ends first and leaves an even number: the odd one has had all its rounds
  EXPECT_EQ(cell->value, 2 * kRounds);
  cell->set(2 * kRounds + 1);
  ends.wait_for(2);
}

// Sleeps until a time.
class Sleeper final : public TestTask {
 public:
  Sleeper(Ends& ends, const base::Clock& clock, base::Nanos until) : TestTask(ends), clock_(clock), until_(until) {}
  Turn turn() override {
    waits_.clear();
    const bool over = stopped || clock_.monotonic() >= until_;
    if (!over) waits_.until(until_);
    ++turns;  // last: who sees it may move the clock
    return over ? Turn::done : Turn::wait;
  }
  std::atomic<int> turns{0};
  std::atomic<bool> stopped{false};

 private:
  const base::Clock& clock_;
  base::Nanos until_;
};

TEST(Scheduler, ADeadlineEndsAWaitWhenTheClockReachesItAndNotBefore) {
  base::ManualClock clock;
  const auto scheduler = make(clock);
  Ends ends;
  const auto task = std::make_shared<Sleeper>(ends, clock, 10s);
  scheduler->start(task);
  while (task->turns == 0) std::this_thread::yield();
  clock.advance(10s - 1ns);
  scheduler->clock_moved();
  EXPECT_EQ(ends.count(), 0);
  clock.advance(1ns);
  scheduler->clock_moved();
  ends.wait_for(1);
  EXPECT_GE(task->turns, 2);
}

TEST(Scheduler, WakeEndsAnyWaitAndIsRememberedWhileTheTaskRuns) {
  base::ManualClock clock;
  const auto scheduler = make(clock);
  for (int i = 0; i < 2000; ++i) {
    Ends ends;
    const auto task = std::make_shared<Sleeper>(ends, clock, 1000h);
    scheduler->start(task);
    task->stopped = true;  // before, while or after it parks
    scheduler->wake(*task);
    ends.wait_for(1);
    scheduler->wake(*task);  // without effect
  }
  while (scheduler->statistics().tasks > 0) std::this_thread::yield();
}

// Waits for a host descriptor to become readable.
class Reader final : public TestTask {
 public:
  Reader(Ends& ends, int fd) : TestTask(ends), fd_(fd) {}
  Turn turn() override {
    waits_.clear();
    pollfd one{fd_, POLLIN, 0};
    if (::poll(&one, 1, 0) == 1) return Turn::done;
    waits_.host_ready(fd_, POLLIN);
    ++parked;
    return Turn::wait;
  }
  std::atomic<int> parked{0};

 private:
  int fd_;
};

TEST(Scheduler, ReadinessOfADescriptorWakesEveryTaskThatWaitsForIt) {
  const auto scheduler = make(kClock);
  Ends ends;
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe(fds.data()), 0);
  const base::Fd in = base::Fd::adopt(fds[0]);
  const base::Fd out = base::Fd::adopt(fds[1]);
  std::array<std::shared_ptr<Reader>, 3> readers;
  for (auto& reader : readers) {
    reader = std::make_shared<Reader>(ends, in.get());
    scheduler->start(reader);
  }
  for (const auto& reader : readers) {
    while (reader->parked == 0) std::this_thread::yield();
  }
  ASSERT_EQ(::write(out.get(), "x", 1), 1);
  ends.wait_for(3);
}

TEST(Scheduler, ADescriptorTheKernelCannotWatchIsReadyAtOnce) {
  const auto scheduler = make(kClock);
  Ends ends;
  const auto folder = base::TempDir::create();
  ASSERT_TRUE(folder.has_value());
  ASSERT_TRUE(base::write_file_atomic(folder->path() / "f", base::as_bytes("text")).has_value());
  // poll() says a regular file is ready, so the task is made to wait for it in any case.
  class FileWaiter final : public TestTask {
   public:
    FileWaiter(Ends& e, const char* path) : TestTask(e), file_(base::Fd::adopt(::open(path, 0))) {}
    Turn turn() override {
      waits_.clear();
      if (++turns_ == 3) return Turn::done;
      waits_.host_ready(file_.get(), POLLIN);
      return Turn::wait;
    }

   private:
    base::Fd file_;
    int turns_ = 0;
  };
  scheduler->start(std::make_shared<FileWaiter>(ends, (folder->path() / "f").c_str()));
  ends.wait_for(1);
}

// The section is the range the scheduler may pause in.
extern "C" {
extern const char __start_fusebox_test_spin[];
extern const char __stop_fusebox_test_spin[];
}
__attribute__((section("fusebox_test_spin"), noinline, no_sanitize("address", "thread", "undefined"))) void spin_until(
    const volatile bool* stop, volatile std::uint64_t* count) {
  while (!*stop) *count = *count + 1;
}

class Spinner final : public TestTask {
 public:
  using TestTask::TestTask;
  Turn turn() override {
    running = true;
    spin_until(&stop, &count);
    return Turn::done;
  }
  CodeRange code() const noexcept override {
    return {reinterpret_cast<std::uintptr_t>(__start_fusebox_test_spin),
            reinterpret_cast<std::uintptr_t>(__stop_fusebox_test_spin)};
  }
  volatile bool stop = false;
  volatile std::uint64_t count = 0;
  std::atomic<bool> running{false};
};

TEST(Scheduler, ComputingTasksLoseTheirWorkersAndOthersGoOn) {
  const auto scheduler = make(kClock, 2, 2);
  Ends ends;
  std::array<std::shared_ptr<Spinner>, 12> spinners;
  for (auto& spinner : spinners) {
    spinner = std::make_shared<Spinner>(ends);
    scheduler->start(spinner);
  }
  const auto cell = std::make_shared<Cell>();
  Ends others;
  scheduler->start(std::make_shared<PingPong>(others, cell, 0, 100));
  scheduler->start(std::make_shared<PingPong>(others, cell, 1, 100));
  others.wait_for(1);
  cell->set(201);
  others.wait_for(2);
  for (const auto& spinner : spinners) {
    while (!spinner->running) std::this_thread::yield();
  }
  EXPECT_GE(scheduler->statistics().written_off, spinners.size() - 2);
  for (const auto& spinner : spinners) {
    spinner->stop = true;
    scheduler->wake(*spinner);
  }
  ends.wait_for(static_cast<int>(spinners.size()));
}

#if !defined(FUSEBOX_TSAN)  // it delivers no signals to computing code
TEST(Scheduler, WrittenOffThreadsBeyondTheBoundTakeTurns) {
  const auto scheduler = make(kClock, 2, 1);
  Ends ends;
  std::array<std::shared_ptr<Spinner>, 4> spinners;
  for (auto& spinner : spinners) {
    spinner = std::make_shared<Spinner>(ends);
    scheduler->start(spinner);
  }
  for (const auto& spinner : spinners) {
    while (!spinner->running) std::this_thread::yield();
  }
  while (scheduler->statistics().pauses < 20) std::this_thread::yield();
  for (const auto& spinner : spinners) EXPECT_GT(spinner->count, 0u);
  for (const auto& spinner : spinners) {
    spinner->stop = true;
    scheduler->wake(*spinner);  // a paused one, too
  }
  ends.wait_for(4);
}

TEST(Scheduler, AShareIsKeptByPausing) {
  const auto scheduler = make(kClock);
  Ends ends;
  const auto spinner = std::make_shared<Spinner>(ends);
  scheduler->start(spinner);
  scheduler->set_share(*spinner, 20);
  const base::Nanos began = kClock.monotonic();
  while (scheduler->statistics().pauses < 5) std::this_thread::yield();
  const base::Nanos took = kClock.monotonic() - began;
  const base::Nanos used = scheduler->cpu_time(*spinner);
  // Four whole windows lie between five pauses; each may be overdrawn by some ticks, which the next pays back.
  EXPECT_LT(used.count(), took.count() * 2 / 5);
  spinner->stop = true;
  scheduler->wake(*spinner);
  ends.wait_for(1);
}
#endif

TEST(Scheduler, CountsTheProcessorTimeOfATurnUnderWay) {
  const auto scheduler = make(kClock);
  Ends ends;
  const auto spinner = std::make_shared<Spinner>(ends);
  scheduler->start(spinner);
  while (scheduler->cpu_time(*spinner) < 5ms) std::this_thread::yield();
  spinner->stop = true;
  ends.wait_for(1);
  EXPECT_GE(scheduler->cpu_time(*spinner), 5ms);
}

// Holds its thread until the gate opens.
class Holder final : public TestTask {
 public:
  Holder(Ends& ends, std::mutex& gate) : TestTask(ends), gate_(gate) {}
  Turn turn() override {
    holds = true;
    const std::lock_guard wait(gate_);
    return Turn::done;
  }
  std::atomic<bool> holds{false};

 private:
  std::mutex& gate_;
};

// Takes the three turns of a container that starts; notes the order of all turns.
class Starter final : public TestTask {
 public:
  Starter(Ends& ends, std::vector<int>& order, int number) : TestTask(ends), order_(order), number_(number) {}
  Turn turn() override {
    order_.push_back(number_);  // one worker: one turn at a time
    return ++turns_ == 3 ? Turn::done : Turn::again;
  }

 private:
  std::vector<int>& order_;
  int number_;
  int turns_ = 0;
};

// One worker that cannot be written off, held until all are started: the order is the queue's own.
std::vector<int> order_of_starts(int count) {
  SchedulerOptions options;
  options.workers = 1;
  options.threads_max = 1;
  auto scheduler = std::move(*Scheduler::create(options, kClock));
  Ends ends;
  std::mutex gate;
  std::vector<int> order;
  gate.lock();
  const auto holder = std::make_shared<Holder>(ends, gate);
  scheduler->start(holder);
  while (!holder->holds) std::this_thread::yield();
  for (int i = 0; i < count; ++i) scheduler->start(std::make_shared<Starter>(ends, order, i));
  gate.unlock();
  ends.wait_for(count + 1);
  return order;
}

TEST(Scheduler, ANewTaskTakesItsFirstTurnsAfterAFewOfAnyNumberThatAreStarting) {
  const std::vector<int> order = order_of_starts(1001);
  ASSERT_EQ(order.size(), 3003u);
  const auto of_the_last = std::count(order.begin(), order.begin() + 4, 1000);
  EXPECT_EQ(of_the_last, 3) << "one turn of another at most comes between";
}

TEST(Scheduler, TheOldestOfTheStartingTasksHasEveryFourthTurn) {
  const std::vector<int> order = order_of_starts(40);
  ASSERT_EQ(order.size(), 120u);
  // The holder's own turn counted as one.
  for (std::size_t i = 2; i < 26; i += 4) EXPECT_EQ(order[i], static_cast<int>((i - 2) / 4) / 3) << i;
}

// Computes a while in one turn, in the kernel or out of it.
class Caller final : public TestTask {
 public:
  Caller(Ends& ends, bool calls) : TestTask(ends), calls_(calls) {}
  Turn turn() override {
    timespec began{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
    for (timespec now = began; now.tv_sec * 1000 + now.tv_nsec / 1'000'000 <
                               began.tv_sec * 1000 + began.tv_nsec / 1'000'000 + kMilliseconds;) {
      const int steps = calls_ ? 1000 : 1'000'000;  // reading the clock is a call, too
      for (int i = 0; i < steps; ++i) {
        if (calls_)
          static_cast<void>(::lseek(-1, 0, SEEK_CUR));
        else
          count_ = count_ + 1;
      }
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    }
    return Turn::done;
  }

 private:
  static constexpr long kMilliseconds = 200;
  bool calls_;
  volatile std::uint64_t count_ = 0;
};

TEST(Scheduler, TellsTimeInTheKernelFromTimeOutOfIt) {
  const auto scheduler = make(kClock);
  Ends ends;
  const auto computes = std::make_shared<Caller>(ends, false);
  const auto calls = std::make_shared<Caller>(ends, true);
  scheduler->start(computes);
  scheduler->start(calls);
  ends.wait_for(2);
  EXPECT_GT(scheduler->kernel_time(*calls), base::Nanos{0});
  EXPECT_LE(scheduler->kernel_time(*calls), scheduler->cpu_time(*calls));
  EXPECT_LT(scheduler->kernel_time(*computes), scheduler->kernel_time(*calls));
}

TEST(Scheduler, OffloadedWorkRunsOnceEachAlsoWhenMuchBlocks) {
  const auto scheduler = make(kClock);
  std::mutex gate;
  gate.lock();
  std::atomic<int> done{0};
  for (int i = 0; i < 40; ++i) {
    scheduler->offload(std::make_unique<std::function<void()>>([&] {
      const std::lock_guard wait(gate);
      ++done;
    }));
  }
  gate.unlock();
  while (done < 40) std::this_thread::yield();
}

// Gives work back to the scheduler when it is destroyed, as the last owner of a folder does that is to be removed.
struct LeavesWork {
  Scheduler& scheduler;
  std::atomic<int>& done;
  ~LeavesWork() {
    scheduler.offload(std::make_unique<std::function<void()>>([&done = done] { ++done; }));
  }
};

TEST(Scheduler, WhatOffloadedWorkHeldMayOffloadWhenItGoes) {
  const auto scheduler = make(kClock);
  std::atomic<int> done{0};
  for (int i = 0; i < 200; ++i) {
    scheduler->offload(std::make_unique<std::function<void()>>(
        [held = std::make_shared<LeavesWork>(*scheduler, done)] { (void)held; }));
  }
  while (done < 200) std::this_thread::yield();
}

TEST(Scheduler, OffloadedWorkIsFinishedWhenWhatItHeldIsGone) {
  const auto scheduler = make(kClock);
  std::atomic<int> done{0};
  scheduler->offload(std::make_unique<std::function<void()>>([mine = std::make_shared<LeavesWork>(*scheduler, done)] {
    std::this_thread::yield();
    (void)mine;
  }));
  scheduler->finish_offloaded();
  EXPECT_EQ(done, 1) << "also the work it left";
}

TEST(Scheduler, TenThousandSleepersAllWakeAndEnd) {
  base::ManualClock clock;
  const auto scheduler = make(clock);
  Ends ends;
  constexpr int kCount = 10'000;
  for (int i = 0; i < kCount; ++i) scheduler->start(std::make_shared<Sleeper>(ends, clock, 1s + i * 1us));
  clock.advance(2s);
  scheduler->clock_moved();
  ends.wait_for(kCount);
  while (scheduler->statistics().tasks > 0) std::this_thread::yield();
}

}  // namespace
}  // namespace fusebox::container
