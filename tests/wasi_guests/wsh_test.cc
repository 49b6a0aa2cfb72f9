// The debug supervisor's shell, over folders that stand for the control plane's nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wasi_guests/guest_run.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// /dev/wanted and /proc are folders: what a real node would do with a write is what the file then holds.
class Wsh : public ::testing::Test {
 protected:
  Wsh() : run_("wsh", {}) {
    run_.write("wanted/ctl", "");
    run_.write("wanted/wapps/a/state", "running");
    run_.write("wanted/wapps/a/ctl", "");
    run_.write("wanted/wapps/a/config", "");
    run_.write("proc/wapps/a/version", "1.2.3-1");
    run_.write("proc/wapps/a/id", "2");
    mount("/dev/wanted", "wanted");
    mount("/proc", "proc");
  }
  void mount(const std::string& path, const std::string& folder) {
    run_.mounts.push_back(
        {.path = path, .mount = must(vfs::open_host_folder(run_.folder() / folder, {})), .host_folder = true});
  }
  // What a session prints between the banner and the goodbye.
  void session(std::string_view lines) {
    run_.input(lines);
    run_.finish();
    EXPECT_EQ(run_.exit_code, 0);
    std::string_view err = run_.err_ = run_.err();
    EXPECT_TRUE(err.starts_with("Wsh v 0.5.0\n")) << err;
    EXPECT_TRUE(err.ends_with("Exiting Wsh. Bye\n")) << err;
    constexpr std::size_t kFrame = sizeof "Wsh v 0.5.0\n" - 1 + sizeof "Exiting Wsh. Bye\n" - 1;
    err_ = err.substr(sizeof "Wsh v 0.5.0\n" - 1, err.size() - kFrame);
    out_ = run_.out();
  }
  struct Run : GuestRun {
    using GuestRun::GuestRun;
    std::string err_;
  } run_;
  std::string out_;
  std::string err_;
};

TEST_F(Wsh, EndOfInputLeavesWithoutAWord) {
  session("");
  EXPECT_EQ(out_, "> ");
  EXPECT_EQ(err_, "");
}

TEST_F(Wsh, HelpNamesEveryCommand) {
  session("help\n");
  EXPECT_EQ(
      out_,
      "> Following commands are available:\n\thelp\n\texit\n\tcd\n\tls\n\tpwd\n\tcat\n\twrite\n\tcp\n\trm\n\tcreate\n"
      "\tdelete\n\tset_config\n\tstart\n\tstop\n\tstatus\n\tpoweroff\n\treboot\n> ");
}

TEST_F(Wsh, UnknownWordsAreNamed) {
  session("bogus x\n   \n\thalt\r\n");
  EXPECT_EQ(err_, "wsh: bogus - command not found!\nwsh: halt - command not found!\n");
  EXPECT_EQ(out_, "> > > > ");
}

TEST_F(Wsh, ExitLeavesTheRestUnread) {
  session("exit\npwd\n");
  EXPECT_EQ(out_, "> ");
}

TEST_F(Wsh, FoldersAreWalked) {
  session(
      "pwd\ncd /data/proc/../proc\npwd\ncd wapps\npwd\ncd ../../../../..\npwd\ncd none\ncd /app.wasm\ncd "
      "data\ncd\npwd\n");
  EXPECT_EQ(out_, "> /\n> > /data/proc\n> > /data/proc/wapps\n> > /\n> > > > > /\n> ");
  EXPECT_EQ(err_, "cd: none: No such file or directory\ncd: /app.wasm: Not a directory\n");
}

TEST_F(Wsh, ListsInColumns) {
  session("ls /dev\n");
  EXPECT_THAT(out_, MatchesRegex("> \\[Name\\]               \\[Type\\] \\[Size\\]   \\[Dev\\]    \\[Ino\\]\n"
                                 " null                2    0        Null     [0-9]+\n"
                                 "/wanted              3    [0-9]+ +Linu     [0-9]+\n> "));
}

TEST_F(Wsh, FilesAreReadWrittenCopiedRemoved) {
  session("write /data/f  hello   world \ncat /data/f\ncd /data\ncp f g\nrm f\ncat g\ncat f\nrm f\n");
  EXPECT_EQ(out_, "> > hello world> > > > hello world> > > ");
  EXPECT_EQ(err_, "write: written 11\ncat: f: No such file or directory\nrm: f: No such file or directory\n");
  EXPECT_EQ(run_.read("g"), "hello world");
}

TEST_F(Wsh, TextsHaveTheirLimits) {
  const std::string fits(255, 'x');
  const std::string config(511, 'y');
  session("write /data/f " + fits + "\nwrite /data/g " + fits + "x\nset_config a " + config + "\nset_config a " +
          config + "y\n" + std::string(2000, 'z') + "\npwd\n");
  EXPECT_EQ(run_.read("f"), fits);
  EXPECT_FALSE(std::filesystem::exists(run_.folder() / "g"));
  EXPECT_EQ(run_.read("wanted/wapps/a/config"), config);
  EXPECT_EQ(err_, "write: written 255\nwrite: text too long\nset_config: text too long\nwsh: line too long\n");
  EXPECT_THAT(out_, HasSubstr("> /\n"));  // the line after the long one is a command again
}

TEST_F(Wsh, CommandsGoToTheirNodes) {
  session("create meter\n");
  EXPECT_EQ(run_.read("wanted/ctl"), "create meter");
  EXPECT_EQ(out_ + err_, "> > ");
}

TEST_F(Wsh, DeleteGoesToTheRoot) {
  session("delete meter\n");
  EXPECT_EQ(run_.read("wanted/ctl"), "delete meter");
}

TEST_F(Wsh, ConfigurationsAreJoinedWithBlanks) {
  session("set_config a {\"args\":   [\"x\"]}\nstart a\n");
  EXPECT_EQ(run_.read("wanted/wapps/a/config"), "{\"args\": [\"x\"]}");
  EXPECT_EQ(run_.read("wanted/wapps/a/ctl"), "start");
}

TEST_F(Wsh, RefusalsNameNodeAndError) {
  session("stop none\nstart ../a\ncreate\nset_config\n");
  EXPECT_EQ(err_,
            "stop: /dev/wanted/wapps/none/ctl: No such file or directory\nstart: ../a: Invalid argument\n"
            "create: missing name\nset_config: missing name\n");
}

TEST_F(Wsh, StatusOfOneAndAll) {
  session("status\nstatus a\nstatus b\n");
  EXPECT_EQ(out_,
            "> a               running\n> a:\n  state    running\n  version  1.2.3-1\n  id       2\n"
            "> b:\n  state    <unavailable>\n  version  <unavailable>\n  id       <unavailable>\n> ");
}

TEST_F(Wsh, PoweroffStopsTheChildrenFirstAndLeaves) {
  run_.write("wanted/wapps/supervisor/ctl", "");
  session("poweroff\npwd\n");
  EXPECT_EQ(run_.read("wanted/wapps/a/ctl"), "stop");
  EXPECT_EQ(run_.read("wanted/wapps/supervisor/ctl"), "");
  EXPECT_EQ(run_.read("wanted/ctl"), "poweroff");
  EXPECT_EQ(out_, "> ");
}

TEST_F(Wsh, RebootThatIsRefusedStays) {
  std::filesystem::remove(run_.folder() / "wanted/ctl");
  session("reboot\npwd\n");
  EXPECT_EQ(err_, "reboot: /dev/wanted/ctl: No such file or directory\n");
  EXPECT_EQ(out_, "> > /\n> ");
}

}  // namespace
}  // namespace fusebox::testing
