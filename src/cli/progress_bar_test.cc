#include "cli/progress_bar.h"

#include <gtest/gtest.h>

#include <sstream>

namespace fusebox::cli {
namespace {

image::registry::Progress progress(std::uint64_t done, std::uint64_t total) {
  return {image::oci::Digest::of(base::as_bytes("x")), done, total, false};
}

TEST(ProgressLine, ShowsBlobPartAndSize) {
  EXPECT_EQ(progress_line(progress(0, 10 << 20)),
            "2d711642b726 [>                             ]   0 %  0.0 of 10.0 MiB");
  EXPECT_EQ(progress_line(progress(5 << 20, 10 << 20)),
            "2d711642b726 [===============>              ]  50 %  5.0 of 10.0 MiB");
  EXPECT_EQ(progress_line(progress(10 << 20, 10 << 20)),
            "2d711642b726 [==============================] 100 %  10.0 of 10.0 MiB");
  EXPECT_EQ(progress_line(progress(0, 0)), "2d711642b726 [==============================] 100 %  0.0 of 0.0 MiB");
  EXPECT_EQ(progress_line(progress(30, 10)), "2d711642b726 [==============================] 100 %  0.0 of 0.0 MiB");
}

TEST(ProgressBar, DrawsOnATerminalAloneAndNotTooOften) {
  base::ManualClock clock;
  std::ostringstream none;
  {
    ProgressBar(none, clock, false).show(progress(1, 2));
  }
  EXPECT_EQ(none.str(), "");

  std::ostringstream out;
  {
    ProgressBar bar(out, clock, true);
    bar.show(progress(1, 10));
    const std::string first = out.str();
    EXPECT_NE(first, "");
    bar.show(progress(2, 10));
    EXPECT_EQ(out.str(), first);
    clock.advance(std::chrono::milliseconds(100));
    bar.show(progress(3, 10));
    EXPECT_GT(out.str().size(), first.size());
    const std::string before = out.str();
    bar.show(progress(10, 10));  // the end is always shown
    EXPECT_GT(out.str().size(), before.size());
  }
  EXPECT_TRUE(out.str().ends_with("\r\x1b[K"));
}

}  // namespace
}  // namespace fusebox::cli
