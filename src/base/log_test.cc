#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"

namespace fusebox::base {
namespace {

using namespace std::chrono_literals;

class Lines {
 public:
  LogLineSink sink() {
    return [this](std::string_view line) { lines_.emplace_back(line); };
  }
  const std::vector<std::string>& all() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

TEST(Logger, WritesOneObjectWithFieldsInOrder) {
  ManualClock clock(1'700'000'000s + 42us);
  Lines lines;
  Logger logger(clock, LogLevel::debug, lines.sink());
  logger.log(LogLevel::warn, "engine", "cache entry \"x\" refused",
             {{"bytes", std::uint64_t{70000}},
              {"delta", std::int64_t{-1}},
              {"ratio", 0.5},
              {"kept", false},
              {"path", std::string_view("a/b")}});
  ASSERT_EQ(lines.all().size(), 1u);
  EXPECT_EQ(lines.all()[0],
            R"({"timestamp":"2023-11-14T22:13:20.000042Z","level":"warn","component":"engine",)"
            R"("message":"cache entry \"x\" refused","bytes":70000,"delta":-1,"ratio":0.5,"kept":false,"path":"a/b"})");
}

TEST(Logger, DropsWhatIsBelowItsLevel) {
  ManualClock clock;
  Lines lines;
  Logger logger(clock, LogLevel::warn, lines.sink());
  logger.log(LogLevel::debug, "c", "no");
  logger.log(LogLevel::info, "c", "no");
  logger.log(LogLevel::warn, "c", "yes");
  logger.log(LogLevel::error, "c", "yes");
  EXPECT_EQ(lines.all().size(), 2u);
}

TEST(Logger, KeepsLinesValidAndBoundedWhateverTheText) {
  ManualClock clock;
  Lines lines;
  Logger logger(clock, LogLevel::debug, lines.sink());
  logger.log(LogLevel::info, "c", "bad \xff byte\nand a line end", {{"path", std::string_view("\xc3")}});
  logger.log(LogLevel::info, "c", std::string(1u << 20, 'x'));
  ASSERT_EQ(lines.all().size(), 2u);
  EXPECT_NE(lines.all()[0].find(R"("message":"bad )"
                                "\xef\xbf\xbd"
                                R"( byte\nand a line end","path":")"
                                "\xef\xbf\xbd"
                                "\""),
            std::string::npos);
  for (const std::string& line : lines.all()) {
    EXPECT_TRUE(json::is_valid(line));
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_LT(line.size(), 17u << 10);
  }
}

TEST(Logger, WithoutASinkDoesNothing) {
  ManualClock clock;
  Logger logger(clock, LogLevel::debug, nullptr);
  logger.log(LogLevel::error, "c", "nobody hears");
}

// A microsecond later at every look.
class TickingClock final : public Clock {
 public:
  Nanos monotonic() const noexcept override { return std::chrono::microseconds{now_us_.fetch_add(1)}; }
  Nanos wall() const noexcept override { return monotonic(); }
  Nanos thread_cpu() const noexcept override { return monotonic(); }

 private:
  mutable std::atomic<std::int64_t> now_us_{0};
};

TEST(Logger, CallsTheSinkFromOneThreadAtATime) {
  const TickingClock clock;
  Lines lines;
  Logger logger(clock, LogLevel::debug, lines.sink());
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) logger.log(LogLevel::info, "c", "m");
      });
    }
  }
  EXPECT_EQ(lines.all().size(), 400u);
  EXPECT_TRUE(std::ranges::is_sorted(lines.all()));  // every line starts with its time
}

TEST(LogLevel, HasStableNames) {
  EXPECT_EQ(to_string(LogLevel::debug), "debug");
  EXPECT_EQ(to_string(LogLevel::info), "info");
  EXPECT_EQ(to_string(LogLevel::warn), "warn");
  EXPECT_EQ(to_string(LogLevel::error), "error");
}

}  // namespace
}  // namespace fusebox::base
