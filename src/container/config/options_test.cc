// Option strings of contract section 6, and what may be said of a launch without touching the machine.
#include "container/config/options.h"

#include <gtest/gtest.h>

#include "container/config/launch_rules.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

TEST(PlatformOptions, DefaultsToTheMountPathAndReadWrite) {
  const auto parsed = parse_platform_options("", "/var/lib/x");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->source, "/var/lib/x");
  EXPECT_FALSE(parsed->read_only);
  EXPECT_TRUE(parse_platform_options("src=/a,ro", "/m")->read_only);
  EXPECT_EQ(parse_platform_options("ro,src=/a,rw", "/m")->source, "/a");
  EXPECT_FALSE(parse_platform_options("ro,rw", "/m")->read_only);
}

TEST(PlatformOptions, RefusesRelativeSourcesAndUnknownTokens) {
  EXPECT_EQ(parse_platform_options("src=", "/m").error(), "src is \"\"; it must be an absolute path of the host");
  EXPECT_EQ(parse_platform_options("src=a/b", "/m").error(), "src is \"a/b\"; it must be an absolute path of the host");
  EXPECT_EQ(parse_platform_options("ro,", "/m").error(),
            "unknown option \"\"; allowed are src=<absolute path>, ro and rw");
  EXPECT_EQ(parse_platform_options("RO", "/m").error(),
            "unknown option \"RO\"; allowed are src=<absolute path>, ro and rw");
}

TEST(VolumeOptions, NamesAreOneComponent) {
  EXPECT_EQ(parse_volume_options("")->name, "default");
  const auto all = parse_volume_options("name=readings,shared,ro");
  EXPECT_EQ(all->name, "readings");
  EXPECT_TRUE(all->shared);
  EXPECT_TRUE(all->read_only);
  for (const char* bad : {"name=", "name=.", "name=..", "name=a/b"})
    EXPECT_FALSE(parse_volume_options(bad).has_value()) << bad;
  EXPECT_EQ(parse_volume_options("names=x").error(),
            "unknown option \"names=x\"; allowed are name=<volume>, ro, rw and shared");
}

TEST(NameOption, OtherTokensAreIgnored) {
  EXPECT_EQ(parse_name_option(""), "");
  EXPECT_EQ(parse_name_option("x,name=a,namely=b"), "a");
}

TEST(WantedOptions, NoneIsFullAuthority) {
  const auto full = parse_wanted_options("");
  ASSERT_TRUE(full.has_value());
  EXPECT_TRUE(sees(*full, "anything"));
  const auto scoped = parse_wanted_options("observe,names=a*;bb,noreg,nopower,nohost");
  ASSERT_TRUE(scoped.has_value());
  EXPECT_TRUE(scoped->observe && scoped->no_registry && scoped->no_power && scoped->no_host);
  EXPECT_TRUE(sees(*scoped, "abc"));
  EXPECT_TRUE(sees(*scoped, "bb"));
  EXPECT_FALSE(sees(*scoped, "bbb"));
}

TEST(WantedOptions, AnEmptyPatternNeverMeansAll) {
  EXPECT_EQ(parse_wanted_options("names=").error(), "names holds no pattern");
  EXPECT_EQ(parse_wanted_options("names=a;").error(), "names holds an empty pattern");
  EXPECT_EQ(parse_wanted_options("admin").error(),
            "unknown option \"admin\"; allowed are observe, names=<glob>[;<glob>], noreg, nopower and nohost");
}

struct ExceedsCase {
  const char* holder;
  const char* child;
  const char* why;
};

TEST(WantedOptions, NobodyGivesMoreThanTheyHold) {
  const ExceedsCase cases[] = {
      {"", "", ""},
      {"", "names=a", ""},
      {"observe", "", "observe"},
      {"observe", "observe", ""},
      {"noreg", "", "noreg"},
      {"noreg", "noreg", ""},
      {"nopower", "noreg", "nopower"},
      {"nohost", "", "nohost"},
      {"names=a*", "", "names"},
      {"names=a*", "names=*", "names"},
      {"names=a*", "names=a*", ""},
      {"names=a*", "names=ab", ""},
      {"names=a*", "names=ab*", "names"},
      {"names=a*;b", "names=b;ac", ""},
      {"names=a*;b", "names=b;c", "names"},
  };
  for (const ExceedsCase& c : cases)
    EXPECT_EQ(exceeds(*parse_wanted_options(c.holder), *parse_wanted_options(c.child)), c.why)
        << c.holder << " -> " << c.child;
}

struct RuleCase {
  const char* json;
  Errno code;
  const char* path;
};

TEST(LaunchRules, EveryRuleOfSectionFiveAndSix) {
  const RuleCase cases[] = {
      {R"({"console":{"out":{"name":"tty"}}})", Errno::nodev, "console.out.name"},
      {R"({"console":{"in":{"name":"pipe","options":"name=0123456789012345678901234567890x"}}})", Errno::nametoolong,
       "console.in.options"},
      {R"({"drivers":[{"name":"null"},{"name":"gpio"}]})", Errno::nodev, "drivers[1].name"},
      {R"({"drivers":[{"name":"platform"}]})", Errno::inval, "drivers[0].name"},
      {R"({"drivers":[{"name":"log","path":"/x"}]})", Errno::inval, "drivers[0].path"},
      {R"({"drivers":[{"name":"log"},{"name":"log"}]})", Errno::exist, "drivers[1].name"},
      {R"({"drivers":[{"name":"wanted","options":"root"}]})", Errno::inval, "drivers[0].options"},
      {R"({"drivers":[{"name":"socket","options":"nowhere"}]})", Errno::inval, "drivers[0].options"},
      {R"({"sockets":[{"name":"s","address":"tcp://h"}]})", Errno::inval, "sockets[0].address"},
      {R"({"sockets":[{"name":"s","address":"tcp://h:1","path":"/p"}]})", Errno::inval, "sockets[0].path"},
      {R"({"sockets":[{"name":"a/b","address":"tcp://h:1"}]})", Errno::inval, "sockets[0].name"},
      {R"({"sockets":[{"name":"s","address":"tcp://h:1"},{"name":"s","address":"tcp://h:2"}]})", Errno::exist,
       "sockets[1].name"},
      {R"({"mounts":[{"name":"log"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"rel"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/a/"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/a/../b"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/dev"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/dev/x"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/net"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"log","path":"/proc/wapps"}]})", Errno::inval, "mounts[0].path"},
      {R"({"mounts":[{"name":"wifi","path":"/w"}]})", Errno::nodev, "mounts[0].name"},
      {R"({"mounts":[{"name":"volume","path":"/v","options":"name=.."}]})", Errno::inval, "mounts[0].options"},
      {R"({"mounts":[{"name":"platform","path":"/v","options":"src=x"}]})", Errno::inval, "mounts[0].options"},
      {R"({"mounts":[{"name":"log","path":"/l"},{"name":"config","path":"/l"}]})", Errno::exist, "mounts[1].path"},
      {R"({"mounts":[{"name":"9p","path":"/l","options":"http://x"}]})", Errno::inval, "mounts[0].options"},
  };
  for (const RuleCase& c : cases) {
    SCOPED_TRACE(c.json);
    const auto config = parse_launch_config(c.json, *find_profile("big"));
    ASSERT_TRUE(config.has_value());
    const ConfigErrors errors = launch_errors(*config, "p");
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].code, c.code);
    EXPECT_EQ(errors[0].path, std::string("p.") + c.path);
  }
}

TEST(LaunchRules, WhatTheContractAllowsPasses) {
  const auto config = parse_launch_config(
      R"({"console":{"in":{"name":"platform"},"out":{"name":"null"},"err":{"name":"pipe"}},
          "drivers":[{"name":"null"},{"name":"null"},{"name":"9p","options":"unix:///run/x"},{"name":"config"},
                     {"name":"socket","options":"tcp://h:1"},{"name":"wanted","options":"observe"}],
          "mounts":[{"name":"log","path":"/development"},{"name":"null","path":"/void"},{"name":"sha256","path":"/h"},
                    {"name":"config","path":"/etc/x","options":"a,b=c"},{"name":"log","path":"/l","options":"zz,name=x"},
                    {"name":"wanted","path":"/w"}],
          "sockets":[{"name":"s","address":"tcp://[::1]:80"},{"name":"u","address":"serial:///dev/ttyS1"}]})",
      *find_profile("big"));
  ASSERT_TRUE(config.has_value());
  for (const ConfigError& error : launch_errors(*config)) ADD_FAILURE() << error.path << ": " << error.message;
}

TEST(LaunchRules, AllErrorsAreListedInInstallOrder) {
  const auto config = parse_launch_config(
      R"({"mounts":[{"name":"log","path":"/"}],"sockets":[{"name":"s","address":"x"}],"drivers":[{"name":"x"}],
          "console":{"in":{"name":"x"}}})",
      *find_profile("big"));
  std::vector<std::string> paths;
  for (const ConfigError& error : launch_errors(*config)) paths.push_back(error.path);
  EXPECT_EQ(paths,
            (std::vector<std::string>{"console.in.name", "drivers[0].name", "sockets[0].address", "mounts[0].path"}));
}

}  // namespace
}  // namespace fusebox::container
