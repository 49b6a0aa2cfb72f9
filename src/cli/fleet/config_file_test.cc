#include "cli/fleet/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/files.h"
#include "cli/fleet/connection.h"

namespace fusebox::cli::fleet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ConfigFile : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  std::string text() const { return *base::read_file(path_, kConfigBytesMax); }
  base::TempDir folder_ = *base::TempDir::create("fusebox-cli");
  std::filesystem::path path_ = folder_.path() / "config.yaml";
};

TEST_F(ConfigFile, AnAbsentOrEmptyFileHasNoContexts) {
  EXPECT_TRUE(read_config(path_)->contexts.empty());
  write("");
  EXPECT_TRUE(read_config(path_)->contexts.empty());
}

TEST_F(ConfigFile, ReadsWhatTheReferenceWrites) {
  write(
      "current_context: prod\n"
      "contexts:\n"
      "  - name: prod\n    base_url: https://fuse.example.com\n    token: abc\n    master: true\n"
      "  - name: dev\n    base_url: http://localhost:8080\n    active_host: host-a\n");
  const auto config = read_config(path_);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->current_context, "prod");
  ASSERT_EQ(config->contexts.size(), 2u);
  EXPECT_EQ(config->find("prod")->token, "abc");
  EXPECT_TRUE(config->find("prod")->master);
  EXPECT_FALSE(config->find("dev")->master);
  EXPECT_EQ(config->find("dev")->active_host, "host-a");
  EXPECT_EQ(config->find("other"), nullptr);
}

TEST_F(ConfigFile, WhatIsWrittenIsReadAgainAndNobodyElseMayReadIt) {
  path_ = folder_.path() / "new" / "fuse" / "config.yaml";
  const Config config{"a", {{"a", "http://a", "true", true, ""}, {"b: x", "http://b", "", false, "h"}}};
  ASSERT_TRUE(write_config(path_, config).has_value());
  const auto again = read_config(path_);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->find("a")->token, "true");
  EXPECT_EQ(again->find("b: x")->active_host, "h");
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(ConfigFile, ForeignKeysStay) {
  write("theme: dark\ncurrent_context: a\ncontexts:\n  - {name: a, base_url: http://a, notes: mine}\n");
  auto config = *read_config(path_);
  config.contexts.push_back({"b", "http://b", "", false, ""});
  ASSERT_TRUE(write_config(path_, config).has_value());
  EXPECT_THAT(text(), AllOf(HasSubstr("theme: dark"), HasSubstr("notes: mine"), HasSubstr("http://b")));
  config.contexts.erase(config.contexts.begin());
  ASSERT_TRUE(write_config(path_, config).has_value());
  EXPECT_THAT(text(), AllOf(HasSubstr("theme: dark"), Not(HasSubstr("notes: mine"))));
}

TEST_F(ConfigFile, BrokenFilesAreRefusedWithTheirLineAndNotOverwritten) {
  for (const auto& [broken, line] : {std::pair{"a: [\n", ":2: "}, std::pair{"- 1\n", ":1: "},
                                     std::pair{"current_context: a\ncontexts: 5\n", ":2: 'contexts' must be a list"},
                                     std::pair{"contexts:\n  - name: a\n  - {}\n", ":3: a context has no name"}}) {
    SCOPED_TRACE(broken);
    write(broken);
    const auto read = read_config(path_);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, base::Errc::invalid);
    EXPECT_THAT(read.error().message, HasSubstr(std::string("config.yaml") + line));
  }
  write("a: [\n");
  EXPECT_FALSE(write_config(path_, {}).has_value());
  EXPECT_EQ(text(), "a: [\n");
}

struct ConnectionCase {
  const char* name;
  ConnectionOptions options;
  const char *base_url, *token, *context;
};

TEST(ConnectionChoice, FlagsThenContextThenEnvironmentThenCurrent) {
  const Config config{"cur",
                      {{"cur", "http://cur/", "cur-token", false, ""}, {"other", "http://other", "o", false, ""}}};
  const ConnectionCase cases[] = {
      {"the current context", {}, "http://cur", "cur-token", "cur"},
      {"another context", {.context = "other"}, "http://other", "o", "other"},
      {"environment before the current one", {.env_server = "http://env", .env_token = "e"}, "http://env", "e", ""},
      {"a context asked for before the environment",
       {.context = "other", .env_server = "http://env", .env_token = "e"},
       "http://other",
       "o",
       "other"},
      {"a flag before all",
       {.server = "http://flag/", .token = "f", .env_server = "http://env"},
       "http://flag",
       "f",
       ""},
      {"a context's token is not sent elsewhere", {.server = "http://evil"}, "http://evil", "", ""},
      {"but to its own address it is", {.server = "http://cur"}, "http://cur", "cur-token", "cur"},
      {"a token of the environment beside the current context", {.env_token = "e"}, "http://cur", "e", "cur"},
  };
  for (const ConnectionCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto chosen = choose_connection(c.options, config);
    ASSERT_TRUE(chosen.has_value()) << chosen.error().message;
    EXPECT_EQ(chosen->base_url, c.base_url);
    EXPECT_EQ(chosen->token, c.token);
    EXPECT_EQ(chosen->context, c.context);
  }
  EXPECT_EQ(choose_connection({}, {})->base_url, kDefaultServer);
}

TEST(ConnectionChoice, UnknownContextsAreRefusedWithTheNearest) {
  const Config config{"gone", {{"production", "http://p", "", false, ""}}};
  EXPECT_THAT(choose_connection({.context = "producton"}, config).error().message,
              HasSubstr("did you mean \"production\"?"));
  EXPECT_THAT(choose_connection({}, config).error().message, HasSubstr("there is no context \"gone\""));
  EXPECT_TRUE(choose_connection({.server = "http://x"}, config).has_value());
}

TEST(ConnectionChoice, AddressesAreHttpUrls) {
  EXPECT_EQ(*clean_base_url("https://h:1/prefix//"), "https://h:1/prefix");
  for (const char* bad :
       {"", "host:8080", "ftp://h", "http://", "http:///x", "http://h?q", "http://u@h", "http://h h"}) {
    SCOPED_TRACE(bad);
    EXPECT_FALSE(clean_base_url(bad).has_value());
  }
}

}  // namespace
}  // namespace fusebox::cli::fleet
