#include "cli/fleet/text.h"

#include <gtest/gtest.h>

#include "cli/fleet/copy.h"
#include "cli/fleet/duplex.h"
#include "cli/fleet/metrics_text.h"

namespace fusebox::cli::fleet {
namespace {

TEST(FleetText, ForeignTextCannotControlTheTerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\x07\x7f"), "a?[2Jb??");
  EXPECT_EQ(printable("two\nlines\tand \xC3\xA9"), "two\nlines\tand \xC3\xA9");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "?31m");
  EXPECT_EQ(printable("\xff"), "\xEF\xBF\xBD");
}

TEST(FleetText, PairsNeedAKey) {
  EXPECT_EQ(*key_value("--label", "a=b=c"), (Pair{"a", "b=c"}));
  EXPECT_EQ(*key_value("--label", "a="), (Pair{"a", ""}));
  EXPECT_FALSE(key_value("--label", "=b").has_value());
  EXPECT_EQ(key_value("--label", "a").error().message, "--label: \"a\" is not of the form KEY=VALUE");
}

TEST(FleetText, SizesAreWholeMultiples) {
  EXPECT_EQ(*size_in("--ram", "512", 1u << 20), 512);
  EXPECT_EQ(*size_in("--ram", "2GiB", 1u << 20), 2048);
  EXPECT_FALSE(size_in("--ram", "1500KiB", 1u << 20).has_value());
  EXPECT_FALSE(size_in("--ram", "", 1u << 20).has_value());
  EXPECT_FALSE(size_in("--ram", "99999999999", 1u << 20).has_value());
}

TEST(FleetText, TimesAreSecondsWithoutAUnit) {
  EXPECT_EQ(*seconds_in("--timeout", "90"), 90);
  EXPECT_EQ(*seconds_in("--timeout", "1m30s"), 90);
  EXPECT_EQ(*milliseconds_in("--timeout", "90"), 90'000);
  EXPECT_EQ(*milliseconds_in("--timeout", "250ms"), 250);
  EXPECT_FALSE(seconds_in("--timeout", "250ms").has_value());
  EXPECT_FALSE(seconds_in("--timeout", "soon").has_value());
}

TEST(FleetText, AgesUseTheLargestUnit) {
  using namespace std::chrono_literals;
  EXPECT_EQ(age_text(-5s), "0s");
  EXPECT_EQ(age_text(59s), "59s");
  EXPECT_EQ(age_text(60s), "1m");
  EXPECT_EQ(age_text(3599s), "59m");
  EXPECT_EQ(age_text(3600s), "1h");
  EXPECT_EQ(age_text(48h), "2d");
}

TEST(FleetText, MembersAreFoundByPath) {
  const auto document = base::json::parse(R"({"a":{"b":[1,"x"],"n":5},"s":"t"})");
  EXPECT_EQ(text_at(*document->root, "a.n"), "5");
  EXPECT_EQ(text_at(*document->root, "a.b"), R"([1,"x"])");
  EXPECT_EQ(text_at(*document->root, "s"), "t");
  EXPECT_EQ(text_at(*document->root, "a.c.d"), "");
  EXPECT_EQ(text_at(*document->root, "s.x"), "");
}

TEST(CopyPlaces, AnIdBeforeAPathIsFarAway) {
  EXPECT_EQ(parse_place("fuse-a:/etc/x").vm_id, "fuse-a");
  EXPECT_EQ(parse_place("fuse-a:/etc/x").path, "/etc/x");
  EXPECT_EQ(parse_place("a:b:/x").vm_id, "a:b");
  for (const char* here : {"-", "file", "./a:/b", "/a:/b", "a:b", ":/x"}) {
    SCOPED_TRACE(here);
    EXPECT_EQ(parse_place(here).vm_id, "");
    EXPECT_EQ(parse_place(here).path, here);
  }
}

std::string typed(std::initializer_list<const char*> pieces, bool* out = nullptr) {
  EscapeFilter filter;
  bool left = false;
  std::string passed;
  for (const char* piece : pieces) passed += filter.pass(piece, left);
  if (out != nullptr) *out = left;
  return passed;
}

TEST(EscapeKeys, TildeDotAtALineStartLeaves) {
  bool left = false;
  EXPECT_EQ(typed({"ls\r", "~", ".more"}, &left), "ls\r");
  EXPECT_TRUE(left);
  EXPECT_EQ(typed({"~."}, &left), "");
  EXPECT_TRUE(left);
}

TEST(EscapeKeys, AnyOtherTildeIsPassedOn) {
  bool left = false;
  EXPECT_EQ(typed({"cd ~.", "\r~", "/x", "\n~~.", "\r", "~\r~x"}, &left), "cd ~.\r~/x\n~.\r~\r~x");
  EXPECT_FALSE(left);
}

TEST(CommandStatus, NoFailureLooksLikeSuccess) {
  EXPECT_EQ(own_exit_status(0), 0);
  EXPECT_EQ(own_exit_status(255), 255);
  EXPECT_EQ(own_exit_status(256), 255);
  EXPECT_EQ(own_exit_status(-1), 255);
}

constexpr const char* kMetrics =
    "# HELP up_total ups\n# TYPE up_total counter\nup_total 3\n"
    "host{id=\"a\",text=\"}\\\"{\"} 1.5 1700\nbroken{id=\"a\nempty{} +Inf\n";

TEST(Metrics, APrefixKeepsItsComments) {
  EXPECT_EQ(metrics_with_prefix(kMetrics, "up"), "# HELP up_total ups\n# TYPE up_total counter\nup_total 3\n");
  EXPECT_EQ(metrics_with_prefix(kMetrics, "zzz"), "");
  EXPECT_EQ(metrics_with_prefix(kMetrics, ""), kMetrics);
}

TEST(Metrics, SamplesAsJson) {
  EXPECT_EQ(metrics_json(kMetrics), R"([{"name":"up_total","labels":"","value":"3"},)"
                                    R"({"name":"host","labels":"id=\"a\",text=\"}\\\"{\"","value":"1.5"},)"
                                    R"({"name":"empty","labels":"","value":"+Inf"}])");
}

}  // namespace
}  // namespace fusebox::cli::fleet
