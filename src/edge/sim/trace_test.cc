#include "edge/sim/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"

namespace fusebox::edge::sim {
namespace {

namespace json = base::json;

class TraceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-trace");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  std::filesystem::path file() const { return folder_->path() / "trace.json"; }
  std::string text() const { return *base::read_file(file(), 1u << 24); }
  std::optional<base::TempDir> folder_;
};

TEST_F(TraceTest, IsADocumentOfTracksSlicesAndInstants) {
  auto trace = Trace::create(file(), "app", 1u << 20);
  ASSERT_TRUE(trace);
  trace->name_track(1, "filter");
  trace->slice(1, "step", 1000, 25, "ok", 77);
  trace->instant(1, "post \"READY\"", 1010);
  ASSERT_TRUE(trace->finish());

  const auto document = json::parse(text());
  ASSERT_TRUE(document) << document.error().message;
  const auto& events = document->root->find("traceEvents")->elements();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[1].find("args")->find("name")->string(), "filter");
  EXPECT_EQ(events[2].find("ph")->string(), "X");
  EXPECT_EQ(*events[2].find("ts")->as_u64(), 1000u);
  EXPECT_EQ(*events[2].find("dur")->as_u64(), 25u);
  EXPECT_EQ(*events[2].find("tid")->as_u64(), 1u);
  EXPECT_EQ(*events[2].find("args")->find("ticks")->as_u64(), 77u);
  EXPECT_EQ(events[3].find("ph")->string(), "i");
  EXPECT_EQ(events[3].find("name")->string(), "post \"READY\"");
}

TEST_F(TraceTest, StaysADocumentWhenItIsFull) {
  constexpr std::uint64_t kRoom = 400;
  auto trace = Trace::create(file(), "app", kRoom);
  ASSERT_TRUE(trace);
  for (int i = 0; i < 100; ++i) trace->instant(1, "something happened", 5);
  ASSERT_TRUE(trace->finish());
  EXPECT_GT(trace->dropped(), 90u);
  const auto document = json::parse(text());
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(*document->root->find("otherData")->find("dropped")->as_u64(), trace->dropped());
  EXPECT_EQ(document->root->find("traceEvents")->elements().size(), 101 - trace->dropped());
  EXPECT_LT(text().size(), kRoom + 100);
}

TEST_F(TraceTest, WhatAGuestWroteCannotBreakTheDocument) {
  auto trace = Trace::create(file(), "app", 1u << 20);
  trace->instant(1, "\xff\xfe\"}]", 1);
  ASSERT_TRUE(trace->finish());
  EXPECT_TRUE(json::parse(text()));
}

TEST_F(TraceTest, AFileThatCannotBeMadeIsNamed) {
  const auto trace = Trace::create("/no/such/folder/trace.json", "app", 100);
  ASSERT_FALSE(trace);
  EXPECT_THAT(trace.error().message, testing::HasSubstr("trace \"/no/such/folder/trace.json\": No such file"));
}

TEST_F(TraceTest, AFullDiskIsReportedAtTheEnd) {
  auto trace = Trace::create("/dev/full", "app", 1u << 20);
  ASSERT_TRUE(trace);
  trace->instant(1, "x", 1);
  const auto finished = trace->finish();
  ASSERT_FALSE(finished);
  EXPECT_THAT(finished.error().message, testing::HasSubstr("trace: "));
}

}  // namespace
}  // namespace fusebox::edge::sim
