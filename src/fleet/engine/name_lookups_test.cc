// Names are looked up many at a time, and each answer is newer than its question.
#include "fleet/engine/name_lookups.h"

#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

struct Lookups : EngineTest {
  base::TaskScope jobs{executor};
  std::optional<NameLookups> lookups;
  std::vector<std::string> answers;

  void SetUp() override {
    EngineTest::SetUp();
    lookups.emplace(executor, *store, jobs);
  }
  void ask(std::string vm_id) {
    const auto one = [](Lookups& test, std::string name) -> base::Task<void> {
      auto use = co_await test.lookups->look_up(name);
      std::string word = "error";
      if (use) word = use->row ? "taken" : "free";
      test.answers.push_back(name + " " + word);
    };
    base::spawn(executor, one(*this, std::move(vm_id)));
  }
};

TEST_F(Lookups, WhatIsAskedMeanwhileGoesWithTheNextQuestion) {
  settle();
  const std::uint64_t before = store->reads;
  for (int i = 0; i < 40; ++i) ask("vm-" + std::to_string(i));
  settle();
  EXPECT_EQ(answers.size(), 40u);
  EXPECT_LE(store->reads - before, 2u);
}

TEST_F(Lookups, AnAnswerIsNewerThanItsQuestion) {
  ask("fuse-a");  // its answer is on the way
  ASSERT_TRUE(create("a"));
  ask("fuse-a");
  settle();
  EXPECT_EQ(answers, (std::vector<std::string>{"fuse-a free", "fuse-a taken"}));
}

TEST_F(Lookups, AStoreThatDoesNotAnswerFailsThemAllAndTheNextAreAskedAgain) {
  store->read_refusal = base::Error{base::Errc::unavailable, "store is away", {}, {}};
  for (const char* name : {"a", "b"}) ask(name);
  settle();
  EXPECT_EQ(answers, (std::vector<std::string>{"a error", "b error"}));
  store->read_refusal.reset();
  ask("c");
  settle();
  EXPECT_EQ(answers.back(), "c free");
}

}  // namespace
}  // namespace fusebox::fleet
