#include "http/frames.h"

#include <gtest/gtest.h>

namespace fusebox::http {
namespace {

std::string head(std::uint8_t type, std::uint32_t length, char filler = 0) {
  return {static_cast<char>(type),
          filler,
          filler,
          filler,
          static_cast<char>(length >> 24),
          static_cast<char>(length >> 16),
          static_cast<char>(length >> 8),
          static_cast<char>(length)};
}

TEST(Frames, AreWrittenAsTheContractDrawsThem) {
  EXPECT_EQ(write_frames(FrameType::out, "abc"), std::string("\x01\0\0\0\0\0\0\x03"
                                                             "abc",
                                                             11));
  EXPECT_EQ(write_frames(FrameType::end_of_input, ""), std::string("\x05\0\0\0\0\0\0\0", 8));
}

TEST(Frames, APayloadLongerThanOneFrameBecomesSeveral) {
  const std::string payload(kFramePayloadMax + 1, 'x');
  FrameReader reader;
  reader.feed(write_frames(FrameType::in, payload));
  EXPECT_EQ((*reader.next())->payload.size(), kFramePayloadMax);
  EXPECT_EQ((*reader.next())->payload, "x");
  EXPECT_FALSE(reader.next()->has_value());
}

TEST(Frames, AreReadHoweverTheBytesArrive) {
  const std::string bytes = write_frames(FrameType::out, "one") + write_frames(FrameType::err, "") +
                            head(77, 2, '\x7f') + "??" + write_frames(FrameType::exit, R"({"exit_code":3})");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    SCOPED_TRACE(piece);
    FrameReader reader;
    std::vector<Frame> seen;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      for (;;) {
        auto frame = reader.next();
        ASSERT_TRUE(frame.has_value());
        if (!*frame) break;
        seen.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[0], (Frame{1, "one"}));
    EXPECT_EQ(seen[1], (Frame{2, ""}));
    EXPECT_EQ(seen[2], (Frame{77, "??"}));
    EXPECT_TRUE(seen[3].is(FrameType::exit));
    EXPECT_EQ(reader.held(), 0u);
  }
}

TEST(Frames, ALengthAboveTheLimitEndsTheStreamBeforeItsBytesAreKept) {
  FrameReader at_limit;
  at_limit.feed(head(0, kFramePayloadMax));
  EXPECT_FALSE(at_limit.next().value().has_value());

  FrameReader reader;
  reader.feed(head(0, kFramePayloadMax + 1));
  auto refused = reader.next();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Errc::invalid);
  EXPECT_EQ(refused.error().message, "a frame is longer than the 1048576 bytes allowed");
  reader.feed(write_frames(FrameType::out, "late"));
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_EQ(reader.held(), 0u);
}

struct ResizeCase {
  const char* name;
  const char* text;
  bool read;
  int rows, cols;
};
constexpr ResizeCase kResizeCases[] = {
    {"in order", R"({"rows":24,"cols":80})", true, 24, 80},
    {"other order", R"({"cols":80,"rows":24})", true, 24, 80},
    {"largest", R"({"rows":65535,"cols":65536})", true, 65535, 65535},
    {"not positive", R"({"rows":0,"cols":-3})", true, 0, 0},
    {"left out", R"({})", true, 0, 0},
    {"not a number", R"({"rows":"24","cols":1.5})", true, 0, 0},
    {"no object", R"([24,80])", false, 0, 0},
    {"no JSON", R"({"rows":24)", false, 0, 0},
};
TEST(Frames, ResizePayloadsAreClamped) {
  for (const ResizeCase& c : kResizeCases) {
    SCOPED_TRACE(c.name);
    const auto size = read_resize(c.text);
    ASSERT_EQ(size.has_value(), c.read);
    if (!size) continue;
    EXPECT_EQ(size->rows, c.rows);
    EXPECT_EQ(size->cols, c.cols);
  }
}

TEST(Frames, ExitAndSignalPayloadsReadAsTheyWereWritten) {
  EXPECT_EQ(write_exit({.exit_code = 7, .signal = {}}), R"({"exit_code":7})");
  const ExitPayload killed{.exit_code = 137, .signal = "KILL", .timed_out = true};
  EXPECT_EQ(read_exit(write_exit(killed)), killed);
  EXPECT_FALSE(read_exit(R"({"exit_code":99999999999})").has_value());
  EXPECT_FALSE(read_exit(R"({"exit_code":"0"})").has_value());
  EXPECT_FALSE(read_exit("").has_value());
  EXPECT_EQ(read_signal(write_signal("TERM")), "TERM");
  EXPECT_FALSE(read_signal(R"({"signal":15})").has_value());
}

}  // namespace
}  // namespace fusebox::http
