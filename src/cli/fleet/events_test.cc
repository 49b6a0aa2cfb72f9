#include "cli/fleet/events.h"

#include <gtest/gtest.h>

#include <vector>

namespace fusebox::cli::fleet {
namespace {

std::vector<Event> parsed(std::initializer_list<std::string_view> pieces) {
  EventParser parser;
  std::vector<Event> events;
  for (const std::string_view piece : pieces) {
    const auto fed = parser.feed(piece, [&events](const Event& event) -> base::Result<void> {
      events.push_back(event);
      return {};
    });
    EXPECT_TRUE(fed.has_value());
  }
  return events;
}

TEST(EventParser, FramesComeInAnyPieces) {
  const std::string text = "id: 1\ndata: {\"a\":1}\n\n: keepalive\n\nid: 2\r\ndata:x\r\ndata: y\r\n\r\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SCOPED_TRACE(cut);
    const auto events = parsed({std::string_view(text).substr(0, cut), std::string_view(text).substr(cut)});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].id, "1");
    EXPECT_EQ(events[0].data, "{\"a\":1}");
    EXPECT_EQ(events[1].id, "2");
    EXPECT_EQ(events[1].data, "xy");
  }
}

TEST(EventParser, UnknownFieldsAndUnfinishedFramesAreNoEvents) {
  EXPECT_TRUE(parsed({"event: x\nretry: 5\n\nid\n\ndata: never ended\n"}).empty());
}

TEST(EventParser, ALineIsBounded) {
  EventParser parser;
  const auto ignore = [](const Event&) -> base::Result<void> { return {}; };
  const std::string most(kLineBytesMax, 'x');
  EXPECT_TRUE(parser.feed(most, ignore).has_value());
  const auto fed = parser.feed("x", ignore);
  ASSERT_FALSE(fed.has_value());
  EXPECT_EQ(fed.error().code, base::Errc::exhausted);
}

std::string shown(std::string_view json) {
  return event_text(*base::json::parse(json)->root);
}

TEST(EventText, StatesStepsAndOthers) {
  EXPECT_EQ(shown(R"({"event":"state","state":"running","url":"h:1","updated_at":"2026-01-02T03:04:05.6Z"})"),
            "03:04:05 running h:1");
  EXPECT_EQ(shown(R"({"event":"state","state":"failed","error":"no host"})"), "failed: no host");
  EXPECT_EQ(shown(R"({"event":"step","index":1,"total":2,"cached":true,"duration_ms":7,"exit_code":0})"),
            "step 1/2 cached, exit 0, 7 ms");
  EXPECT_EQ(shown(R"({"event":"step","index":2,"total":2,"cached":false,"miss_reason":"no-entry","exit_code":3})"),
            "step 2/2 no-entry, exit 3");
  EXPECT_EQ(shown(R"({"event":"health","payload":{"state":"passing"}})"), R"(health {"state":"passing"})");
}

}  // namespace
}  // namespace fusebox::cli::fleet
