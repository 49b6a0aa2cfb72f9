// What an engine was told to run survives it.
#include "container/daemon/definitions.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"

namespace fusebox::container {
namespace {

class DefinitionsTest : public testing::Test {
 protected:
  base::TempDir folder_ = *base::TempDir::create();
  Definitions definitions_{folder_.path() / "containers"};
  std::vector<std::string> problems_;
};

TEST_F(DefinitionsTest, WhatWasKeptIsLoadedByName) {
  const Definition web{"web", "http:1.0", "", R"({"args":["/srv"]})"};
  const Definition job{"job", "", "/images/job.wapp", "{}"};
  ASSERT_TRUE(definitions_.keep(web));
  ASSERT_TRUE(definitions_.keep(job));
  EXPECT_EQ(definitions_.load(problems_), (std::vector<Definition>{job, web}));
  EXPECT_TRUE(problems_.empty());
}

TEST_F(DefinitionsTest, TheLastOneKeptUnderANameCounts) {
  ASSERT_TRUE(definitions_.keep({"web", "http:1.0", "", "{}"}));
  ASSERT_TRUE(definitions_.keep({"web", "http:2.0", "", "{}"}));
  EXPECT_EQ(definitions_.load(problems_).at(0).image, "http:2.0");
}

TEST_F(DefinitionsTest, AForgottenOneIsGoneAndForgettingTwiceIsFine) {
  ASSERT_TRUE(definitions_.keep({"web", "http", "", "{}"}));
  ASSERT_TRUE(definitions_.forget("web"));
  ASSERT_TRUE(definitions_.forget("web"));
  EXPECT_TRUE(definitions_.load(problems_).empty());
}

TEST_F(DefinitionsTest, ADamagedFileIsNamedAndTheOthersAreRead) {
  ASSERT_TRUE(definitions_.keep({"web", "http", "", "{}"}));
  std::ofstream(folder_.path() / "containers" / "torn.json") << R"({"name":"torn","ima)";
  std::ofstream(folder_.path() / "containers" / "other.json")
      << R"({"name":"web","image":"http","file":"","config":""})";
  EXPECT_EQ(definitions_.load(problems_).size(), 1u);
  ASSERT_EQ(problems_.size(), 2u);
  for (const std::string& problem : problems_)
    EXPECT_TRUE(problem.find("torn.json") != std::string::npos || problem.find("other.json") != std::string::npos)
        << problem;
}

TEST_F(DefinitionsTest, AnAbsentFolderHoldsNothing) {
  EXPECT_TRUE(definitions_.load(problems_).empty());
  EXPECT_TRUE(problems_.empty());
}

}  // namespace
}  // namespace fusebox::container
