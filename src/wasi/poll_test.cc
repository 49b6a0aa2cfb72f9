// Row 38 and contract 15.5: waiting for clocks and descriptors at once.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr std::uint32_t kIn = 1024;
constexpr std::uint32_t kEvents = 80'000;

class Polls : public Guest {
 protected:
  void SetUp() override {
    root_->add("file", FileType::regular, "x");
    clock_.advance(kNow);  // a monotonic time of 0 means that nobody asked yet
    Guest::SetUp();
  }
  static constexpr base::Nanos kNow = 1us;
  static constexpr std::uint64_t kNowNs = 1000;
  void clock(std::uint32_t index, std::uint64_t userdata, std::uint32_t id, std::uint64_t timeout,
             std::uint16_t flags = 0, std::uint32_t in = kIn) {
    const std::uint32_t at = in + index * 48;
    std::memset(memory().data() + at, 0, 48);
    put(at, userdata);
    put(at + 16, id);
    put(at + 24, timeout);
    put(at + 40, flags);
  }
  void descriptor(std::uint32_t index, std::uint64_t userdata, std::uint8_t type, std::uint32_t fd,
                  std::uint32_t in = kIn) {
    const std::uint32_t at = in + index * 48;
    std::memset(memory().data() + at, 0, 48);
    put(at, userdata);
    put(at + 8, type);
    put(at + 16, fd);
  }
  struct Seen {
    std::uint64_t userdata;
    Errno error;
    std::uint8_t type;
    std::uint64_t bytes;
    std::uint16_t flags;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> events() {
    std::vector<Seen> seen;
    for (std::uint32_t i = 0; i < get<std::uint32_t>(kOut); ++i) {
      const std::uint32_t at = kEvents + i * 32;
      seen.push_back({get<std::uint64_t>(at), static_cast<Errno>(get<std::uint16_t>(at + 8)),
                      get<std::uint8_t>(at + 10), get<std::uint64_t>(at + 16), get<std::uint16_t>(at + 24)});
    }
    return seen;
  }
  Errno poll(std::uint32_t count) { return call("poll_oneoff", {kIn, kEvents, count, kOut}); }
  std::unique_ptr<AsyncCall> waits(std::uint32_t count) {
    auto call = begin("poll_oneoff", {kIn, kEvents, count, kOut});
    EXPECT_FALSE(call->poll());
    return call;
  }
};

TEST_F(Polls, NeedBetweenOneAndAThousandAndTwentyFourSubscriptions) {
  EXPECT_EQ(poll(0), Errno::inval);
  for (std::uint32_t i = 0; i < 1025; ++i) descriptor(i, i, 1, kRoot);
  EXPECT_EQ(poll(1025), Errno::inval);
  EXPECT_EQ(poll(1024), Errno::success);
  const auto seen = events();
  ASSERT_EQ(seen.size(), 1024u);
  for (std::uint32_t i = 0; i < 1024; ++i) EXPECT_EQ(seen[i].userdata, i);
}

TEST_F(Polls, PointersAreCheckedFirst) {
  descriptor(0, 1, 1, kRoot);
  const std::uint32_t last = kMemoryBytes - 48;
  descriptor(0, 1, 1, kRoot, last);
  EXPECT_EQ(call("poll_oneoff", {last, kEvents, 1, kOut}), Errno::success);
  EXPECT_EQ(call("poll_oneoff", {last + 1, kEvents, 1, kOut}), Errno::fault);
  EXPECT_EQ(call("poll_oneoff", {kIn, kMemoryBytes - 32, 1, kOut}), Errno::success);
  EXPECT_EQ(call("poll_oneoff", {kIn, kMemoryBytes - 31, 1, kOut}), Errno::fault);
  EXPECT_EQ(call("poll_oneoff", {kIn, kEvents, 1, kMemoryBytes - 4}), Errno::success);
  EXPECT_EQ(call("poll_oneoff", {kIn, kEvents, 1, kMemoryBytes - 3}), Errno::fault);
  descriptor(0, 1, 3, kRoot);
  EXPECT_EQ(poll(1), Errno::inval) << "no such kind of subscription";
}

TEST_F(Polls, AClockEndsTheWait) {
  clock(0, 77, 1, 5000);
  auto call = waits(1);
  EXPECT_EQ(process_->waits().deadline(), kNow + 5000ns);
  clock_.advance(4999ns);
  EXPECT_FALSE(call->poll());
  EXPECT_EQ(process_->waits().deadline(), kNow + 5000ns) << "counted from the first time it was asked";
  clock_.advance(1ns);
  EXPECT_EQ(answer(*call), Errno::success);
  EXPECT_EQ(events(), (std::vector<Seen>{{77, Errno::success, 0, 0, 0}}));
}

TEST_F(Polls, TheNextPollBeginsAnew) {
  clock(0, 1, 1, 10);
  auto first = waits(1);
  clock_.advance(10ns);
  EXPECT_EQ(answer(*first), Errno::success);
  auto second = waits(1);
  EXPECT_EQ(process_->waits().deadline(), kNow + 20ns);
}

TEST_F(Polls, ATimeThatHasComeDoesNotWait) {
  clock(0, 1, 1, 0);
  EXPECT_EQ(poll(1), Errno::success);
  clock(0, 1, 1, kNowNs, 1);
  EXPECT_EQ(poll(1), Errno::success);
  clock(0, 1, 1, kNowNs + 1, 1);
  auto call = waits(1);
  EXPECT_EQ(process_->waits().deadline(), kNow + 1ns);
}

TEST_F(Polls, RealTimeIsAbsoluteOrRelative) {
  clock(0, 1, 0, 1'000'000'000'050 + kNowNs, 1);
  auto absolute = waits(1);
  EXPECT_EQ(process_->waits().deadline(), kNow + 50ns);
  clock_.set_wall(2000s);
  EXPECT_EQ(answer(*absolute), Errno::success) << "the clock was set";
  clock(0, 1, 0, 50);
  auto relative = waits(1);
  EXPECT_EQ(process_->waits().deadline(), kNow + 50ns);
}

TEST_F(Polls, CpuTimeIsLookedAtFromTimeToTime) {
  base::Nanos cpu = 100ns;
  ProcessOptions options;
  options.cpu_time = [](void* of) { return *static_cast<base::Nanos*>(of); };
  options.cpu_time_of = &cpu;
  start(std::move(options));
  clock(0, 1, 2, 20);
  auto relative = waits(1);
  EXPECT_EQ(process_->waits().deadline(), kNow + 1ms) << "not in a tight loop";
  cpu = 119ns;
  EXPECT_FALSE(relative->poll());
  cpu = 120ns;
  EXPECT_EQ(answer(*relative), Errno::success);
  clock(0, 1, 3, 121, 1);
  auto absolute = waits(1);
  cpu = 121ns;
  EXPECT_EQ(answer(*absolute), Errno::success);
}

TEST_F(Polls, TheEarliestOfSeveralClocksCounts) {
  clock(0, 1, 1, 300);
  clock(1, 2, 1, 100);
  clock(2, 3, 1, UINT64_MAX);
  clock(3, 4, 0, 100);
  auto call = waits(4);
  EXPECT_EQ(process_->waits().deadline(), kNow + 100ns);
  clock_.advance(100ns);
  EXPECT_EQ(answer(*call), Errno::success);
  EXPECT_EQ(events(), (std::vector<Seen>{{2, Errno::success, 0, 0, 0}, {4, Errno::success, 0, 0, 0}}));
}

TEST_F(Polls, AWaitWithoutEndHasNoDeadline) {
  clock(0, 1, 1, UINT64_MAX);
  auto call = waits(1);
  EXPECT_EQ(process_->waits().deadline(), vfs::WaitSet::kNever);
  instance_->stop_handle().cancel();
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
}

TEST_F(Polls, WhatIsWrongIsAnEvent) {
  clock(0, 1, 4, 10);
  clock(1, 2, 1, 10, 2);
  descriptor(2, 3, 1, 99);
  descriptor(3, 4, 2, 99);
  clock(4, 5, 1, 10);
  EXPECT_EQ(poll(5), Errno::success);
  EXPECT_EQ(events(), (std::vector<Seen>{{1, Errno::inval, 0, 0, 0},
                                         {2, Errno::inval, 0, 0, 0},
                                         {3, Errno::badf, 1, 0, 0},
                                         {4, Errno::badf, 2, 0, 0}}));
}

TEST_F(Polls, DescriptorsNeedTheRightOnceShrunk) {
  const auto fd = opened("file");
  EXPECT_EQ(call("fd_fdstat_set_rights", {fd, 2, 0}), Errno::success);
  descriptor(0, 1, 1, fd);
  EXPECT_EQ(poll(1), Errno::success);
  EXPECT_EQ(events()[0].error, Errno::notcapable);
}

TEST_F(Polls, FilesAndDirectoriesAreAlwaysReady) {
  const auto fd = opened("file");
  descriptor(0, 1, 1, fd);
  descriptor(1, 2, 2, fd);
  descriptor(2, 3, 1, kRoot);
  EXPECT_EQ(poll(3), Errno::success);
  EXPECT_EQ(events().size(), 3u);
}

TEST_F(Polls, StreamsAreReadyWhenTheySaySo) {
  console_[1]->room = 0;
  descriptor(0, 10, 1, 0);
  descriptor(1, 11, 2, 1);
  clock(2, 12, 1, 1'000'000);
  auto call = waits(3);
  EXPECT_EQ(process_->waits().changes().size(), 2u);
  EXPECT_EQ(process_->waits().deadline(), kNow + 1ms);
  console_[0]->in = "four";
  EXPECT_EQ(answer(*call), Errno::success);
  EXPECT_EQ(events(), (std::vector<Seen>{{10, Errno::success, 1, 4, 0}}));
  EXPECT_EQ(console_[0]->in, "four") << "nothing is taken";
  console_[1]->room = 1;
  console_[0]->end = true;
  EXPECT_EQ(poll(3), Errno::success);
  EXPECT_EQ(events(), (std::vector<Seen>{{10, Errno::success, 1, 4, 1}, {11, Errno::success, 2, 0, 0}}));
}

TEST_F(Polls, EventsMayOverwriteSubscriptions) {
  descriptor(0, 1, 1, kRoot);
  descriptor(1, 2, 1, 99);
  descriptor(2, 3, 2, kRoot);
  EXPECT_EQ(call("poll_oneoff", {kIn, kIn, 3, kOut}), Errno::success);
  ASSERT_EQ(get<std::uint32_t>(kOut), 3u);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(get<std::uint64_t>(kIn + 32 * i), i + 1);
  EXPECT_EQ(get<std::uint16_t>(kIn + 32 + 8), 8);
}

TEST_F(Polls, TheSnapshotBeforeHasAnotherSubscription) {
  std::memset(memory().data() + kIn, 0, 112);
  put<std::uint64_t>(kIn, 5);
  put<std::uint64_t>(kIn + 16, 0xdead);  // identifier
  put<std::uint32_t>(kIn + 24, 1);
  put<std::uint64_t>(kIn + 32, kNowNs + 700);
  put<std::uint16_t>(kIn + 48, 1);
  put<std::uint64_t>(kIn + 56, 6);
  put<std::uint8_t>(kIn + 56 + 8, 1);
  put<std::uint32_t>(kIn + 56 + 16, 0);
  auto call = begin("u.poll_oneoff", {kIn, kEvents, 2, kOut});
  EXPECT_FALSE(call->poll());
  EXPECT_EQ(process_->waits().deadline(), kNow + 700ns);
  console_[0]->in = "x";
  clock_.advance(700ns);
  EXPECT_EQ(answer(*call), Errno::success);
  EXPECT_EQ(events(), (std::vector<Seen>{{5, Errno::success, 0, 0, 0}, {6, Errno::success, 1, 1, 0}}));
  EXPECT_EQ(this->call("u.poll_oneoff", {kMemoryBytes - 55, kEvents, 1, kOut}), Errno::fault);
}

}  // namespace
}  // namespace fusebox::wasi
