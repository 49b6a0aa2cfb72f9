#include "vfs/net/lookups.h"

#include <gtest/gtest.h>

#include "vfs/net/limits.h"

namespace fusebox::vfs {
namespace {

// Threads that never come, until a test runs what they were given.
struct Threads {
  std::vector<std::unique_ptr<std::function<void()>>> given;
  std::shared_ptr<Lookups> lookups = std::make_shared<Lookups>([this](auto work) { given.push_back(std::move(work)); });

  std::shared_ptr<Resolution> start() {
    auto started = lookups->start("localhost", 9);
    EXPECT_TRUE(started);
    return std::move(*started);
  }
  void run() {
    for (std::size_t i = 0; i < given.size(); ++i) (*given[i])();
    given.clear();
  }
};

TEST(Lookups, TakeAFewThreadsHoweverManyThereAre) {
  Threads threads;
  std::vector<std::shared_ptr<Resolution>> asked;
  for (std::size_t i = 0; i < 3 * kLookupsAtOnce; ++i) asked.push_back(threads.start());
  EXPECT_EQ(threads.given.size(), kLookupsAtOnce);
  threads.run();
  for (const auto& one : asked) EXPECT_TRUE(one->result());
  asked.push_back(threads.start());
  EXPECT_EQ(threads.given.size(), 1u) << "the threads were not given back";
}

TEST(Lookups, ThoseThatNobodyWantsAreSkipped) {
  Threads threads;
  auto gone = threads.start();
  const auto abandoned = threads.start();
  const auto wanted = threads.start();
  gone.reset();
  EXPECT_TRUE(abandoned->abandon());
  threads.run();
  EXPECT_FALSE(abandoned->result());
  EXPECT_TRUE(wanted->result());
  EXPECT_FALSE(wanted->abandon()) << "it has begun";
}

TEST(Lookups, SayAgainWhenTooManyWaitAndNotWhenTheyAreGone) {
  Threads threads;
  std::vector<std::shared_ptr<Resolution>> asked;
  for (std::size_t i = 0; i < kLookupsWaitingMax; ++i) asked.push_back(threads.start());
  const auto refused = threads.lookups->start("localhost", 9);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errno::again);
  EXPECT_TRUE((*threads.lookups->start("127.0.0.1", 9))->result()) << "an address needs no lookup";
  asked.pop_back();
  EXPECT_TRUE(threads.start());
}

TEST(Lookups, WithoutThreadsNamesAreLookedUpInPlace) {
  const auto lookups = std::make_shared<Lookups>(Offload{});
  EXPECT_FALSE((*lookups->start("localhost", 9))->result()->empty());
}

}  // namespace
}  // namespace fusebox::vfs
