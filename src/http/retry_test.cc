#include "http/retry.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fusebox::http {
namespace {

using namespace std::chrono_literals;
using base::Result;
using base::Task;

struct Server {
  int failures;
  int calls = 0;
  base::Errc code = base::Errc::unavailable;
  std::vector<base::Nanos> at{};
  base::ManualClock* clock = nullptr;

  Task<Result<int>> call() {
    ++calls;
    at.push_back(clock->monotonic());
    if (calls <= failures) co_return base::fail(code, "failure " + std::to_string(calls));
    co_return calls;
  }
};

Result<int> run(Server& server, unsigned attempts, base::ManualClock& clock) {
  base::ManualExecutor executor(clock);
  base::SeededRandom random(7);
  server.clock = &clock;
  auto task = retry(
      executor, random, attempts, 100ms, 1s, [&server] { return server.call(); },
      [](const base::Error& error) { return error.code == base::Errc::unavailable; });
  task.start();
  executor.run_until([&] { return task.done(); });
  return task.take();
}

TEST(Retry, GoesOnUntilItSucceeds) {
  base::ManualClock clock;
  Server server{.failures = 2};
  EXPECT_EQ(run(server, 5, clock).value(), 3);
  EXPECT_LE(server.at[1] - server.at[0], 100ms);
  EXPECT_LE(server.at[2] - server.at[1], 200ms);
}

TEST(Retry, GivesTheLastErrorAfterTheLastAttempt) {
  base::ManualClock clock;
  Server server{.failures = 100};
  const auto result = run(server, 3, clock);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "failure 3");
  EXPECT_EQ(server.calls, 3);
}

TEST(Retry, StopsAtAnErrorThatWillNotGoAway) {
  base::ManualClock clock;
  Server server{.failures = 100, .code = base::Errc::denied};
  EXPECT_FALSE(run(server, 3, clock));
  EXPECT_EQ(server.calls, 1);
}

TEST(Retry, WaitsLongerEachTimeUpToTheCap) {
  base::SeededRandom random(1);
  for (const auto& [failures, most] : std::vector<std::pair<unsigned, base::Nanos>>{
           {1, 100ms}, {2, 200ms}, {3, 400ms}, {4, 800ms}, {5, 1s}, {6, 1s}, {1000, 1s}}) {
    SCOPED_TRACE(failures);
    base::Nanos longest{0};
    for (int i = 0; i < 1000; ++i) {
      const base::Nanos wait = retry_wait(random, failures, 100ms, 1s);
      EXPECT_LE(wait, most);
      longest = std::max(longest, wait);
    }
    EXPECT_GT(longest, most * 9 / 10);
  }
  EXPECT_EQ(retry_wait(random, 3, 0ms, 1s), 0ms);
}

}  // namespace
}  // namespace fusebox::http
