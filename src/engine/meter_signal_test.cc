// A stop that the guest's own thread writes between any two of its instructions is kept. The processor's single-step
// flag puts a signal there, so every place is tried; it takes a processor that has one.
#if defined(__x86_64__) && !defined(FUSEBOX_TSAN)
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>

#include <set>

#include "engine/meter.h"
#include "engine/wasmtime_test_support.h"

namespace fusebox::engine {
namespace {

using namespace testing;

constexpr greg_t kSingleStep = 0x100;  // in the flags register

// Writes the stop when the guest has run `stop_after` instructions of its own. One at a time: a signal handler finds
// it.
class Stepper {
 public:
  explicit Stepper(const BareModule& module) {
    void* begin = nullptr;
    void* end = nullptr;
    wasmtime_module_image_range(module.get(), &begin, &end);
    begin_ = reinterpret_cast<greg_t>(begin);
    end_ = reinterpret_cast<greg_t>(end);
    struct sigaction action{};
    action.sa_sigaction = &Stepper::on_step;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(SIGTRAP, &action, &before_);
    current_ = this;
  }
  ~Stepper() {
    current_ = nullptr;
    ::sigaction(SIGTRAP, &before_, nullptr);
  }
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  // False when the guest ended before.
  bool run(BareInstance& instance, std::int64_t budget, int stop_after, CallResult& result) {
    counter_ = instance.counter();
    stop_after_ = stop_after;
    steps_ = 0;
    stepping_ = true;
    instance.at_host_calls([] { ::raise(SIGTRAP); });  // calling into a guest takes thousands of instructions
    result = instance.call("f", {}, budget);
    const bool stopped = !stepping_;
    stepping_ = false;
    ::raise(SIGTRAP);
    return stopped;
  }

 private:
  static void on_step(int, siginfo_t*, void* context) {
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    Stepper& self = *current_;
    const greg_t at = registers[REG_RIP];
    if (self.stepping_ && at >= self.begin_ && at < self.end_) {
      if (self.steps_ == self.stop_after_) {
        *self.counter_ = *self.counter_ + kStopBias;
        self.stepping_ = false;
      }
      self.steps_ = self.steps_ + 1;
    }
    registers[REG_EFL] = self.stepping_ ? registers[REG_EFL] | kSingleStep : registers[REG_EFL] & ~kSingleStep;
  }

  static inline Stepper* current_ = nullptr;
  struct sigaction before_{};
  greg_t begin_ = 0;
  greg_t end_ = 0;
  volatile std::int64_t* counter_ = nullptr;
  volatile int stop_after_ = 0;
  volatile int steps_ = 0;
  volatile bool stepping_ = false;
};

// Every way to charge: an entry, a loop that calls, a small loop left in its third round of eight, a length.
constexpr std::string_view kGuest = R"((module (import "env" "host" (func $begin)) (memory 1)
  (func (export "f") (local i32)
    (call $begin)
    (loop $outer
      (local.set 0 (i32.const 0))
      (loop $inner
        (drop (i32.load8_u (local.get 0)))
        (br_if $inner (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3))))
      (call $bulk (i32.const 16))
      (br $outer)))
  (func $bulk (param i32)
    (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
    )))";

TEST(MeterSignal, NoPlaceLosesAStopOrATick) {
  constexpr std::int64_t kBudget = 95;
  const BareEngine engine;
  const auto metered = meter(*assemble(kGuest), {});
  ASSERT_TRUE(metered);
  const auto module = BareModule::compile(engine, metered->wasm);
  ASSERT_TRUE(module) << module.error();
  const auto instance = BareInstance::create(*module);
  ASSERT_TRUE(instance) << instance.error();

  std::set<std::int64_t> charges;  // what a guest may have spent, between any two charges
  for (std::int64_t budget = 0; budget <= kBudget; ++budget) {
    charges.insert(settle(metered->map, (*instance)->call("f", {}, budget), budget).ticks);
  }

  Stepper stepper(*module);
  std::int64_t spent_before = 0;
  CallResult result;
  int places = 0;
  for (; stepper.run(**instance, kBudget, places, result); ++places) {
    const Account account = settle(metered->map, result, kBudget);
    ASSERT_TRUE(account.out_of_ticks) << places << " " << result.message;
    ASSERT_LT(result.counter, kStopBias / 2) << "lost after instruction " << places;
    ASSERT_TRUE(charges.contains(account.ticks)) << places << " " << account.ticks;
    ASSERT_GE(account.ticks, spent_before) << places;
    spent_before = account.ticks;
  }
  EXPECT_GT(places, 200);
  EXPECT_EQ(spent_before, *charges.rbegin());
}

}  // namespace
}  // namespace fusebox::engine
#endif
