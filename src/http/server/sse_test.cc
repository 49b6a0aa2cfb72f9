#include "http/server/sse.h"

#include <gtest/gtest.h>

namespace fusebox::http {
namespace {

std::string event(std::string_view id, std::string_view json) {
  std::string out;
  append_sse_event(out, id, json);
  return out;
}

TEST(Sse, FramesAnEvent) {
  EXPECT_EQ(event("0a", R"({"a":1})"), "id: 0a\ndata: {\"a\":1}\n\n");
  EXPECT_EQ(event("", "{}"), "data: {}\n\n");
}

struct Case {
  const char* name;
  std::string_view json;
  std::string_view data;
};
constexpr Case kCases[] = {
    {"next line", "\"a\xc2\x85z\"", "\"a\\u0085z\""},
    {"another C1 control", "\"\xc2\x80\"", "\"\\u0080\""},
    {"line separator", "\"\xe2\x80\xa8\"", "\"\\u2028\""},
    {"paragraph separator", "\"\xe2\x80\xa9\"", "\"\\u2029\""},
    {"delete and escape", "\"\x7f\x1b\"", "\"\\u007f\\u001b\""},
    {"white space between values", "{\n\t\"a\": 1\r\n}", "{  \"a\": 1  }"},
    {"neighbours stay", "\"\xc2\xa0\xe2\x80\xa7\xe2\x80\xaa\"", "\"\xc2\xa0\xe2\x80\xa7\xe2\x80\xaa\""},
    {"cut characters", "\"\xc2", "\"\xc2"},
    {"cut separator", "\xe2\x80", "\xe2\x80"},
};

TEST(Sse, EscapesWhateverEndsALineSomewhere) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(event("", c.json), "data: " + std::string(c.data) + "\n\n");
  }
}

TEST(Sse, KeepsIdsAndCommentsOnOneLine) {
  EXPECT_EQ(event("a\nb\r\xe2\x80\xa8"
                  "c",
                  "1"),
            "id: abc\ndata: 1\n\n");
  std::string out;
  append_sse_comment(out, "keep\n\nalive");
  EXPECT_EQ(out, ": keepalive\n\n");
}

struct Recording final : ResponseStream {
  std::string written;
  base::Task<base::Result<void>> write(std::string_view bytes) override {
    written += bytes;
    co_return base::Result<void>{};
  }
  base::Task<base::Result<void>> finish() override { co_return base::Result<void>{}; }
  std::stop_token gone() const noexcept override { return {}; }
  void limit_stalls(base::Nanos /*longest*/) override {}
};

TEST(Sse, KeepsAliveUntilItIsStopped) {
  base::ManualClock clock;
  base::ManualExecutor executor(clock);
  Recording stream;
  SseWriter writer(stream, executor);
  std::stop_source stop;
  auto task = keep_alive(writer, executor, std::chrono::seconds{15}, stop.get_token());
  task.start();
  executor.run_for(std::chrono::seconds{14});
  EXPECT_EQ(stream.written, "");
  executor.run_for(std::chrono::seconds{31});
  EXPECT_EQ(stream.written, ": keepalive\n\n: keepalive\n\n: keepalive\n\n");
  EXPECT_FALSE(task.done());
  stop.request_stop();
  executor.run();
  EXPECT_TRUE(task.done());
}

}  // namespace
}  // namespace fusebox::http
