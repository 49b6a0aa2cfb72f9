// Many instances, several of one unit, several threads, and what a start function may do.
#include <atomic>
#include <thread>

#include "edge/wasm/backend_fixture.h"

namespace fusebox::edge::test {
namespace {

constexpr char kCount[] = R"((module (memory 1) (func (export "module_step")
  (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))))))";

class Instances : public ::testing::Test {
 protected:
  std::unique_ptr<EngineBackend> backend_ = small_backend();
  RecordingSink sink_;
};

TEST_F(Instances, OfOneUnitShareNothing) {
  const Guest first(*backend_, kCount, sink_);
  Instance* second = nullptr;
  ErrorText error;
  ASSERT_EQ(backend_->instantiate(first.unit(), sink_, nullptr, kGenerous, &second, error), LoadEnd::ok);
  first.step();
  first.step();
  EXPECT_EQ(backend_->call(*second, Export::step, kGenerous).end, CallEnd::completed);
  EXPECT_EQ(first.peek<int>(0), 2);
  EXPECT_EQ(backend_->memory(*second).base[0], 1);
  backend_->release(second);
  EXPECT_EQ(first.step().end, CallEnd::completed);
}

TEST_F(Instances, AFreshOneReplacesOneThatWasEnded) {
  const Guest ended(*backend_, kCount, sink_);
  backend_->interrupt(ended.instance());
  EXPECT_EQ(ended.step().end, CallEnd::stopped);
  Instance* fresh = nullptr;
  ErrorText error;
  ASSERT_EQ(backend_->instantiate(ended.unit(), sink_, nullptr, kGenerous, &fresh, error), LoadEnd::ok);
  EXPECT_EQ(backend_->call(*fresh, Export::step, kGenerous).end, CallEnd::completed);
  EXPECT_EQ(backend_->memory(*fresh).base[0], 1);
  backend_->release(fresh);
}

TEST_F(Instances, APlaceInThePoolIsCleanWhenItIsUsedAgain) {
  constexpr char kDirty[] = R"((module (memory 1) (func (export "module_step")
    (memory.fill (i32.const 0) (i32.const 255) (i32.const 65536)))))";
  for (int round = 0; round < 20; ++round) {
    const Guest guest(*backend_, kDirty, sink_);
    const MemoryView view = backend_->memory(guest.instance());
    for (std::uint64_t i = 0; i < view.size; ++i) ASSERT_EQ(view.base[i], 0) << round << " " << i;
    guest.step();
  }
}

TEST_F(Instances, AThousandAtOnce) {
  constexpr int kMany = 1000;  // far beyond the pool of this backend
  std::vector<std::unique_ptr<Guest>> guests;
  const base::Bytes wasm = fusebox::test::wat(kCount);
  for (int i = 0; i < kMany; ++i) {
    guests.push_back(std::make_unique<Guest>(*backend_, wasm, limits_with(), sink_));
    ASSERT_EQ(guests.back()->refusal(), Refusal{}) << i;
  }
  for (int i = 0; i < kMany; ++i) {
    for (int step = 0; step < 1 + i % 3; ++step) ASSERT_EQ(guests[i]->step().end, CallEnd::completed);
  }
  for (int i = 0; i < kMany; ++i) EXPECT_EQ(guests[i]->peek<int>(0), 1 + i % 3) << i;
}

TEST_F(Instances, TwoThreadsLoadStepAndReleaseAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> completed{0};
  const base::Bytes wasm = fusebox::test::wat(kCount);
  constexpr int kRounds = 100;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      RecordingSink sink;
      for (int round = 0; round < kRounds; ++round) {
        const Guest guest(*backend_, wasm, limits_with(65536, round % 2 == 0 ? 1u << 20 : 64u << 10), sink);
        for (int step = 0; step < 10; ++step) completed += guest.step().end == CallEnd::completed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(completed, 2 * kRounds * 10);
}

TEST_F(Instances, OneMovesBetweenThreads) {
  const Guest guest(*backend_, kCount, sink_);
  for (int i = 0; i < 3; ++i) {
    std::thread([&] { EXPECT_EQ(guest.step().end, CallEnd::completed); }).join();
  }
  EXPECT_EQ(guest.peek<int>(0), 3);
}

TEST_F(Instances, ModulesBeyondTheStoreStillLoad) {
  for (int i = 0; i < 70; ++i) {  // more than kProgramsKeptMax, then the first again
    const std::string wat = "(module (memory 1) (func (export \"module_step\") (i32.store (i32.const 0) (i32.const " +
                            std::to_string(i % 69) + "))))";
    const Guest guest(*backend_, wat, sink_);
    guest.step();
    EXPECT_EQ(guest.peek<int>(0), i % 69);
  }
}

// ---- the start function

constexpr char kStartCalls[] = R"((module (import "env" "fuse_event_post" (func $post (param i32)))
  (func $start (call $post (i32.const 3))) (start $start) (func (export "module_step"))))";

TEST_F(Instances, TheStartFunctionRunsBeforeAnythingElse) {
  const Guest guest(*backend_, R"((module (memory 1) (func $start (i32.store (i32.const 4) (i32.const 9)))
    (start $start) (func (export "module_step"))))",
                    sink_);
  EXPECT_EQ(guest.peek<int>(4), 9);
}

TEST_F(Instances, TheSinkAnswersTheStartFunction) {
  sink_.answer = [](const ImportRow&, std::uint64_t*) { return kTrapRogue; };
  const Guest guest(*backend_, kStartCalls, sink_);
  EXPECT_EQ(guest.refusal(), (Refusal{LoadEnd::trapped, "FUSE: rogue exec_env"}));
  ASSERT_EQ(sink_.calls.size(), 1u);
  EXPECT_EQ(sink_.calls[0].values, std::vector<std::uint64_t>{3});
}

TEST_F(Instances, AStartFunctionThatLoopsIsStopped) {
  const base::Bytes wasm = fusebox::test::wat(R"((module (func $start (loop (br 0))) (start $start)
    (func (export "module_step"))))");
  const Refusal want{LoadEnd::not_linked, "start function quota exceeded"};
  EXPECT_EQ(Guest(*backend_, wasm, limits_with(), sink_, nullptr, {.cpu_us = 1000}).refusal(), want);
  EXPECT_EQ(Guest(*backend_, wasm, limits_with(), sink_, nullptr, {.ticks = 1000}).refusal(), want);
}

TEST_F(Instances, AStartFunctionThatTrapsSaysHow) {
  const Guest guest(*backend_, R"((module (func $start (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (start $start) (func (export "module_step"))))",
                    sink_);
  EXPECT_EQ(guest.refusal(), (Refusal{LoadEnd::trapped, "integer divide by zero"}));
}

}  // namespace
}  // namespace fusebox::edge::test
