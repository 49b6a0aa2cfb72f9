#include "host/wire/guest_shell.h"

#include <gtest/gtest.h>

namespace fusebox::host {
namespace {

using base::Errc;
using Argv = std::vector<std::string>;

TEST(GuestShell, QuotesWhatAShellWouldTakeApart) {
  struct Case {
    const char* given;
    const char* want;
  };
  for (const auto& [given, want] : {Case{"plain-1_2.3/4:5,6=7+8%9@x", "plain-1_2.3/4:5,6=7+8%9@x"}, Case{"", "''"},
                                    Case{"a b", "'a b'"}, Case{"it's", R"('it'\''s')"}, Case{"$(rm)", "'$(rm)'"},
                                    Case{"\n", "'\n'"}, Case{"\xc3\xa9", "'\xc3\xa9'"}, Case{"~", "'~'"}})
    EXPECT_EQ(quoted_argument(given), want);
}

TEST(GuestShell, PutsEverythingIntoArguments) {
  ProcessSpec spec;
  spec.argv = {"printf", "$HOME;x"};
  EXPECT_EQ(*shell_command(spec), spec.argv);
  spec.env = {{"A", "1 2"}};
  spec.cwd = "/w $x";
  spec.stdin_bytes = "hi";
  EXPECT_EQ(*shell_command(spec), (Argv{"sh", "-c", R"(printf %s "$0" | base64 -d | "$@")", "aGk=", "sh", "-c",
                                        R"(cd -- "$0" && exec "$@")", "/w $x", "env", "A=1 2", "printf", "$HOME;x"}));
  spec.user = "nobody";
  EXPECT_EQ(shell_command(spec).error().code, Errc::unsupported);
  spec.user = "root";
  spec.stdin_bytes.assign(kShellInputBytesMax, 'x');
  EXPECT_TRUE(shell_command(spec).has_value());
  spec.stdin_bytes += 'x';
  EXPECT_EQ(shell_command(spec).error().code, Errc::unsupported);
}

TEST(GuestShell, ReadsListings) {
  const auto entries = read_listing(
      "total 12\n"
      "drwxr-xr-x 2 0 0 4096 1700000000 sub\n"
      "-rwsr-x--T 1 0 0    7 1700000001 with\\ blank\\n\\303\\251\\\\\n"
      "lrwxrwxrwx 1 0 0    3 1700000002 link -> sub\n"
      "crw-rw-rw- 1 0 0 1, 3 1700000003 device\n");
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  ASSERT_EQ(entries->size(), 4u);
  EXPECT_EQ((*entries)[0].name, "device");
  EXPECT_EQ((*entries)[0].type, "other");
  EXPECT_EQ((*entries)[1].name, "link");
  EXPECT_EQ((*entries)[1].type, "symlink");
  EXPECT_EQ((*entries)[2].type, "dir");
  EXPECT_EQ((*entries)[2].mode, 0755u);
  EXPECT_EQ((*entries)[3].name, "with blank\n\xc3\xa9\\");
  EXPECT_EQ((*entries)[3].mode, 05750u);
  EXPECT_EQ((*entries)[3].size, 7u);
  EXPECT_EQ((*entries)[3].mtime, std::chrono::seconds(1'700'000'001));
}

TEST(GuestShell, RefusesWhatIsNoListing) {
  for (const char* text : {"x", "-rw-r--r-- 1 0 0 x 1 name", "-rw-r--r-- 1 0 0 1 1", "-rw 1 0 0 1 1 name",
                           "-rw-r--r-- 1 0 0 1 Jan name", "-rw-r--r-- 1 0 0 99999999999999999999 1 name"})
    EXPECT_FALSE(read_listing(text).has_value()) << text;
  EXPECT_FALSE(read_look("").has_value());
}

TEST(GuestShell, ReadsBase64AsItIsPrinted) {
  EXPECT_EQ(*read_base64_lines("YWJj\nZA==\n"), "abcd");
  EXPECT_EQ(*read_base64_lines(""), "");
  EXPECT_FALSE(read_base64_lines("YWJj%").has_value());
}

TEST(GuestShell, FailuresOfCommandsHaveCodes) {
  const auto code = [](const char* text) {
    return exec_error({.exit = {.exit_code = 1, .signal = {}}, .out = {}, .err = text}).code;
  };
  EXPECT_EQ(code("ls: cannot access '/x': No such file or directory\n"), Errc::not_found);
  EXPECT_EQ(code("rm: cannot remove '/x': Directory not empty\n"), Errc::invalid);
  EXPECT_EQ(code("rm: cannot remove '/x': Operation not permitted\n"), Errc::io);
  EXPECT_EQ(exec_error({.exit = {.exit_code = 9, .signal = {}}, .out = {}, .err = ""}).message,
            "the guest's command ended with status 9");
}

}  // namespace
}  // namespace fusebox::host
