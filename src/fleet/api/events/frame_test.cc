#include "fleet/api/events/frame.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace fusebox::fleet {
namespace {

Incarnation life(std::uint8_t last) {
  Incarnation incarnation{};
  incarnation.back() = std::byte{last};
  return incarnation;
}

EnvEventRow row(std::uint64_t seq, std::string kind, std::string payload) {
  return {"fuse-a", life(7), seq, std::move(kind), std::move(payload), base::Nanos{0}};
}

TEST(EventId, IsTheNumberThenTheLife) {
  const EventId id{0x1f, life(7)};
  EXPECT_EQ(to_text(id), "000000000000001f0000000000000007");
  EXPECT_EQ(parse_event_id("000000000000001f0000000000000007"), id);
}

TEST(EventId, IsNothingElse) {
  EXPECT_FALSE(parse_event_id(""));
  EXPECT_FALSE(parse_event_id("000000000000001f000000000000000"));
  EXPECT_FALSE(parse_event_id("000000000000001f00000000000000077"));
  EXPECT_FALSE(parse_event_id("000000000000001F0000000000000007"));
  EXPECT_FALSE(parse_event_id("000000000000001g0000000000000007"));
}

TEST(EventFrame, IsOneIdAndOneLineOfData) {
  const FramePtr frame = make_frame(row(2, "state", R"({"event":"state","vm_id":"fuse-a","state":"running"})"));
  EXPECT_EQ(frame->text,
            "id: 00000000000000020000000000000007\n"
            R"(data: {"id":"00000000000000020000000000000007","event":"state","vm_id":"fuse-a","state":"running"})"
            "\n\n");
  EXPECT_FALSE(frame->terminal);
}

TEST(EventFrame, KnowsTheEnd) {
  EXPECT_TRUE(make_frame(row(3, "state", R"({"state":"destroyed"})"))->terminal);
  EXPECT_TRUE(make_frame(row(3, "state", R"({"state":"failed","error":"x"})"))->terminal);
  EXPECT_FALSE(make_frame(row(3, "state", R"({"state":"destroying"})"))->terminal);
  EXPECT_FALSE(make_frame(row(3, "log", R"({"state":"destroyed"})"))->terminal);
  // The words inside a text are not the member.
  EXPECT_FALSE(make_frame(row(3, "state", R"({"state":"running","error":"\"state\":\"destroyed\""})"))->terminal);
}

TEST(EventFrame, HoldsNothingClientsSplitLinesAt) {
  const std::string separators =
      "a\xc2\x85"
      "b\xe2\x80\xa8"
      "c\xe2\x80\xa9"
      "d\x7f"
      "e\xc2\x9f"
      "f\xe2\x80\xa7g";
  const FramePtr frame = make_frame(row(1, "state", "{\"error\":\"" + separators + "\"}"));
  const std::string data = frame->text.substr(frame->text.find("data: ") + 6);
  EXPECT_NE(data.find(R"(a\u0085b\u2028c\u2029d\u007fe\u009ff)"), std::string::npos) << data;
  EXPECT_NE(data.find("\xe2\x80\xa7g"), std::string::npos) << "a neighbour of U+2028 stays as it is";
  const auto parsed = base::json::parse(data);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->root->find("error")->string(), separators);
}

TEST(EventFrame, OfAnotherReplicaHasNoTextYet) {
  EXPECT_TRUE(make_frame(row(1, "state", ""))->text.empty());
}

TEST(EventKinds, AreStateAndStepUnlessNamed) {
  EXPECT_EQ(event_kinds(""), kDefaultKinds);
  EXPECT_EQ(event_kinds("nonsense"), kDefaultKinds);
  EXPECT_EQ(event_kinds("health,log"), 4 | 8);
  EXPECT_EQ(event_kinds("state,,snapshot"), 1 | 16);
  EXPECT_FALSE(has_kind(255, EventKind{0}));
}

}  // namespace
}  // namespace fusebox::fleet
