// Many modules, many threads: nothing grows, nothing is shared that should not be. Issue section 8.
#include <fstream>
#include <string>
#include <thread>

#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

std::string name_of(std::uint32_t number) {
  return "x" + std::to_string(10'000 + number).substr(1);
}

// Each number gives another module.
base::Bytes numbered(std::uint32_t number) {
  static const base::Bytes wasm = test::wat(R"((module (memory (export "memory") 1) (data (i32.const 16) "x0123\00")
      (func (export "run") (param i32 i32) (result i32) i32.const 16)))");
  base::Bytes made = wasm;
  const std::string digits = name_of(number);
  const std::string old = "x0123";
  auto at = std::search(made.begin(), made.end(), base::as_bytes(old).begin(), base::as_bytes(old).end());
  std::copy(base::as_bytes(digits).begin(), base::as_bytes(digits).end(), at);
  return made;
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
}

class Churn : public SandboxTest {};

TEST_F(Churn, ModulesComeAndGoWithoutGrowth) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::uint32_t kModules = 500;  // a sanitizer's own bookkeeping grows; the leak checker does the work there
#else
  constexpr std::uint32_t kModules = 10'000;
#endif
  Policy policy;
  policy.limits.cpu_ms = 1000;
  Sandbox one = sandbox(policy);
  const auto cycle = [&](std::uint32_t number) {
    const Module module = must(one.load(numbered(number)));
    ASSERT_EQ(run(one, module).result, "\"" + name_of(number) + "\"");
  };
  // Pools, arenas and the audit ring fill up first.
  for (std::uint32_t i = 0; i < kModules / 2; ++i) cycle(i);
  const std::uint64_t before = resident_bytes();
  for (std::uint32_t i = kModules / 2; i < kModules; ++i) cycle(i);
  const std::uint64_t after = resident_bytes();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(after, before + before / 100) << "resident bytes before " << before;
#else
  (void)before, (void)after;
#endif
}

TEST_F(Churn, ThreadsLoadRunAndDropTheSameModules) {
  Sandbox one = sandbox();
  constexpr int kThreads = 4;
  constexpr std::uint32_t kRounds = 60;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::uint32_t i = 0; i < kRounds; ++i) {
        const auto output = one.execute(numbered(i % 7));
        if (!output || output->result != "\"" + name_of(i % 7) + "\"") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(one.stats().completed, kThreads * kRounds);
  EXPECT_EQ(one.stats().compile.count, 7u) << "threads that meet a new module at once compile it once";
}

TEST_F(Churn, RegisteringInvokingAndRemovingAtOnceIsSafe) {
  Policy policy;
  policy.registered["a.b"].enabled = true;
  Sandbox one = sandbox(policy);
  const Module module = must(one.load(numbered(1)));
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread registrar([&] {
    for (int i = 0; i < 100; ++i) {
      if (!one.register_capability(module, {.id = "a.b", .version = {}, .description = {}, .function = {}})) ++wrong;
      if (!one.unregister_capability("a.b")) ++wrong;
    }
    done = true;
  });
  while (!done) {
    const Report report = one.run_capability("a.b", "{}");
    if (!report.ok() && report.code != "DENIED_CAPABILITY_NOT_FOUND") ++wrong;
  }
  registrar.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(Churn, IdsNeverRepeat) {
  Sandbox one = sandbox();
  std::vector<std::vector<ExecutionId>> made(4);
  std::vector<std::thread> threads;
  for (auto& ids : made) {
    threads.emplace_back([&one, &ids] {
      for (int i = 0; i < 2000; ++i) ids.push_back(one.new_execution_id());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<ExecutionId> all;
  for (const auto& ids : made) all.insert(all.end(), ids.begin(), ids.end());
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  EXPECT_EQ(all[0].text()[14], '7') << "UUID version 7";
  EXPECT_EQ(*ExecutionId::parse(all[0].text()), all[0]);
}

}  // namespace
}  // namespace fusebox::capability
