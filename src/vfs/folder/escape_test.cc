// The escape corpus: whatever a guest asks, and whatever links lie in its folder, nothing outside is read or changed.
// Every case runs with the kernel's walk and with our own, and must be answered alike.
#include <fcntl.h>
#include <stdio.h>

#include <atomic>
#include <thread>

#include "vfs/folder/folder_test_support.h"

namespace fusebox::vfs {
namespace {

namespace fs = std::filesystem;
using fs::create_symlink;
using testing::FolderTest;
using testing::put;
using testing::Script;
using testing::Step;
using testing::Walk;

class EscapeTest : public FolderTest {
 protected:
  EscapeTest() {
    // To something that exists outside, in every form.
    create_symlink(outside() / "secret.txt", root() / "absolute");
    create_symlink(root() / "a.txt", root() / "absolute-inside");
    create_symlink("../outside/secret.txt", root() / "relative");
    create_symlink("dir/../../outside/secret.txt", root() / "zigzag");
    create_symlink("../root/a.txt", root() / "out-and-in");
    create_symlink("../../outside/secret.txt", root() / "dir" / "two-up");
    create_symlink("relative", root() / "through-relative");
    create_symlink("absolute", root() / "through-absolute");
    create_symlink("dir/two-up", root() / "through-dir");
    create_symlink("/proc/self/root/etc/passwd", root() / "proc-root-file");
    create_symlink("/proc/self/fd/0", root() / "proc-fd");
    create_symlink("/proc/self/exe", root() / "proc-exe");
    create_symlink("../outside/new", root() / "dangling-out");
    create_symlink(outside() / "new", root() / "dangling-absolute");
    // To folders outside.
    create_symlink(outside(), root() / "absolute-dir");
    create_symlink("../outside", root() / "relative-dir");
    create_symlink("..", root() / "parent");
    create_symlink("../", root() / "parent-slash");
    create_symlink("dir/../..", root() / "zigzag-dir");
    create_symlink("/", root() / "slash");
    create_symlink("/proc/self/root", root() / "proc-root");
    create_symlink("/proc/self/cwd", root() / "proc-cwd");
    create_symlink("parent/outside", root() / "through-parent");
    create_symlink("../../outside", root() / "dir" / "up-and-out");
    // Inside.
    create_symlink("a.txt", root() / "in-file");
    create_symlink("dir", root() / "in-dir");
    create_symlink("../a.txt", root() / "dir" / "in-up");
    create_symlink("in-dir/in-up", root() / "in-chain");
    create_symlink("dir/", root() / "in-slashed");
    create_symlink(".", root() / "in-dot");
    create_symlink("dir/deep/..", root() / "in-back");
    create_symlink("made", root() / "in-dangling");
    create_symlink("loop", root() / "loop");
    create_symlink("pong", root() / "ping");
    create_symlink("ping", root() / "pong");
  }
  void SetUp() override {
    FolderTest::SetUp();
    before_ = testing::fingerprint(outside());
  }
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_EQ(testing::fingerprint(outside()), before_);
    EXPECT_FALSE(fs::exists(outside() / "new"));
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    EXPECT_EQ(names, (std::vector<std::string>{"other", "outside", "root"}));
  }
  std::string before_;
};

INSTANTIATE_TEST_SUITE_P(Walks, EscapeTest, ::testing::Values(Walk::kernel, Walk::own), testing::name_of_walk);

constexpr const char* kLinksOut[] = {"absolute",     "absolute-inside",   "relative",         "zigzag",
                                     "out-and-in",   "dir/two-up",        "through-relative", "through-absolute",
                                     "through-dir",  "proc-root-file",    "proc-fd",          "proc-exe",
                                     "dangling-out", "dangling-absolute", "in-dir/two-up",    "in-dot/relative"};
constexpr const char* kDirsOut[] = {"absolute-dir",   "relative-dir",   "parent",       "parent-slash",
                                    "zigzag-dir",     "slash",          "proc-root",    "proc-cwd",
                                    "through-parent", "dir/up-and-out", "in-dot/parent"};

// 16 links x 9 calls.
TEST_P(EscapeTest, NoCallFollowsALinkThatLeadsOut) {
  for (const char* link : kLinksOut) {
    for (const char* verb : {"read", "openw", "truncate", "append", "stat", "times", "opendir", "lstat+"}) {
      const std::string path = std::string("/data/") + link;
      if (std::string_view(verb) == "lstat+") {
        // A slash at the end follows as well.
        EXPECT_EQ(run("lstat " + path + "/"), "NOTCAPABLE") << path;
        continue;
      }
      EXPECT_EQ(run(std::string(verb) + " " + path + " x"), "NOTCAPABLE") << verb << " " << path;
    }
    EXPECT_EQ(run(std::string("link+ /data/") + link + " /data/hard"), "NOTCAPABLE") << link;
  }
}

// 11 links x 18 calls, each with what exists there and what does not.
TEST_P(EscapeTest, NoCallGoesThroughALinkThatLeadsOut) {
  for (const char* link : kDirsOut) {
    for (const char* below : {"secret.txt", "new", "dir/file", "outside/secret.txt"}) {
      const std::string path = std::string("/data/") + link + "/" + below;
      for (const char* verb : {"read", "openw", "create", "write", "append", "truncate", "stat", "lstat", "ls", "mkdir",
                               "rmdir", "unlink", "readlink", "times", "ltimes"}) {
        EXPECT_EQ(run(std::string(verb) + " " + path + " x"), "NOTCAPABLE") << verb << " " << path;
      }
      for (const std::string& line :
           {"rename " + path + " /data/stolen", "rename /data/a.txt " + path, "link " + path + " /data/stolen",
            "link /data/a.txt " + path, "symlink x " + path, "rename /data/dir " + path}) {
        EXPECT_EQ(run(line), "NOTCAPABLE") << line;
      }
    }
  }
  EXPECT_EQ(run("read /data/a.txt"), "alpha");
  EXPECT_EQ(run("stat /data/stolen"), "NOENT");
}

TEST_P(EscapeTest, LinksThatLeadOutCanBeSeenMovedAndRemovedThemselves) {
  expect({{"lstat /data/absolute", "symlink"},
          {"lopen /data/relative", "LOOP"},
          {"readlink /data/relative", "../outside/secret.txt"},
          {"ltimes /data/relative", "ok"},
          {"rename /data/relative /data/moved", "ok"},
          {"read /data/moved", "NOTCAPABLE"},
          {"rename /data/moved /data/dir/deep/moved", "ok"},
          {"read /data/dir/deep/moved", "NOENT"},  // ../outside is now below dir
          {"link /data/absolute /data/dir/again", "ok"},
          {"read /data/dir/again", "NOTCAPABLE"},
          {"rename /data/a.txt /data/absolute", "ok"},  // replaces the link
          {"read /data/absolute", "alpha"},
          {"unlink /data/parent", "ok"},
          {"rmdir /data/slash", "NOTDIR"},
          {"unlink /data/slash", "ok"},
          {"unlink /data/proc-root", "ok"},
          {"mkdir /data/relative-dir", "EXIST"},
          {"symlink x /data/relative-dir", "EXIST"},
          {"create /data/dangling-out", "EXIST"},
          {"lcreate /data/dangling-out", "LOOP"},
          {"write /data/dangling-out x", "NOTCAPABLE"},
          {"write /data/dangling-absolute x", "NOTCAPABLE"}});
}

TEST_P(EscapeTest, FollowsLinksThatStayInside) {
  expect({{"read /data/in-file", "alpha"},
          {"read /data/in-dir/b.txt", "beta"},
          {"read /data/dir/in-up", "alpha"},
          {"read /data/in-chain", "alpha"},
          {"read /data/in-slashed/b.txt", "beta"},
          {"read /data/in-dot/in-dot/a.txt", "alpha"},
          {"read /data/in-back/b.txt", "beta"},
          {"stat /data/in-dot", "directory"},
          {"stat /data/in-back", "directory"},
          {"opendir /data/in-slashed", "ok"},
          {"opendir /data/in-dot", "ok"},
          {"times /data/in-dot", "ok"},
          {"ls /data/in-dir/deep", ""},
          {"write /data/in-file new", "ok"},
          {"read /data/a.txt", "new"},
          {"lstat /data/in-file", "symlink"},
          {"write /data/in-dangling made", "ok"},
          {"read /data/made", "made"},
          {"lstat /data/in-dangling", "symlink"},
          {"mkdir /data/in-dir/x", "ok"},
          {"rmdir /data/dir/x", "ok"},
          {"rename /data/in-dir/b.txt /data/in-slashed/c.txt", "ok"},
          {"unlink /data/in-dir/c.txt", "ok"},
          {"link+ /data/in-file /data/hard", "ok"},
          {"lstat /data/hard", "file 3"},
          {"link /data/in-file /data/hardlink", "ok"},
          {"lstat /data/hardlink", "symlink"},
          {"symlink ../a.txt /data/in-dir/s", "ok"},
          {"read /data/dir/s", "new"},
          {"rmdir /data/in-dir", "NOTDIR"},
          {"opendir /data/in-file", "NOTDIR"},
          {"read /data/in-file/", "NOTDIR"},
          {"read /data/in-file/x", "NOTDIR"}});
}

TEST_P(EscapeTest, EndlessLinksEnd) {
  expect({{"read /data/loop", "LOOP"},
          {"stat /data/ping", "LOOP"},
          {"read /data/ping/x", "LOOP"},
          {"write /data/loop x", "LOOP"},
          {"mkdir /data/loop/x", "LOOP"},
          {"unlink /data/ping/x", "LOOP"},
          {"times /data/loop", "LOOP"},
          {"link+ /data/loop /data/l", "LOOP"},
          {"rename /data/loop/x /data/y", "LOOP"},
          {"rename /data/a.txt /data/ping/y", "LOOP"},
          {"readlink /data/loop", "loop"},
          {"lstat /data/loop", "symlink"},
          {"unlink /data/loop", "ok"}});
}

TEST_P(EscapeTest, FollowsFortyLinksOfTheHostAndNoMore) {
  put(root() / "n0", "zero");
  for (int i = 1; i <= 41; ++i) create_symlink("n" + std::to_string(i - 1), root() / ("n" + std::to_string(i)));
  EXPECT_EQ(run("read /data/n40"), "zero");
  EXPECT_EQ(run("read /data/n41"), "LOOP");
  EXPECT_EQ(run("stat /data/n40"), "file 4");
  EXPECT_EQ(run("stat /data/n41"), "LOOP");
}

TEST_P(EscapeTest, DotsNeverLeadOut) {
  expect({{"read /data/../outside/secret.txt", "NOENT"},  // routed: /outside of the image
          {"read /data/../../outside/secret.txt", "NOENT"},
          {"read /data/dir/../../../secret.txt", "NOENT"},
          {"read /data/dir/../a.txt", "alpha"},
          {"read /data/./dir/./b.txt", "beta"},
          {"read /data//a.txt", "alpha"},
          {"read /data/dir/deep/../../../data/a.txt", "alpha"},
          {"mkdir /data/../outside", "ROFS"},
          {"unlink /data/../outside/secret.txt", "ROFS"},
          {"rename /data/a.txt /data/../a.txt", "XDEV"},
          {"rename /data/a.txt /data/../../../../a.txt", "XDEV"},
          {"write /data/.. x", "ROFS"},
          {"stat /data/..", "directory"},
          {"read /data/.../a.txt", "NOENT"},
          {"read /data/..a", "NOENT"},
          {"read /data/dir/..%2f..%2fsecret.txt", "NOENT"},
          {"read /data/dir\\..\\..\\outside\\secret.txt", "NOENT"}});
  script_->directory = "/data/dir";
  script_->confined_to = "/data";
  expect({{"read ../a.txt", "alpha"},
          {"read ../../outside/secret.txt", "NOTCAPABLE"},
          {"read ..", "ISDIR"},
          {"stat ../..", "NOTCAPABLE"},
          {"read ../../../../../../../../etc/passwd", "NOTCAPABLE"},
          {"read deep/../../../other/o.txt", "NOTCAPABLE"},
          {"mkdir ../../made", "NOTCAPABLE"},
          {"rename b.txt ../../b.txt", "NOTCAPABLE"},
          {"symlink x ../../s", "NOTCAPABLE"},
          {"read /etc/passwd", "NOENT"}});
}

TEST_P(EscapeTest, AZeroByteEndsNothing) {
  Script& script = *script_;
  const std::string_view path("/data/a.txt\0/../../outside", 26);
  EXPECT_EQ(script.open_file(path, {}).error(), Errno::inval);
  EXPECT_EQ(script.names().unlink(script.call(), {}, path).error(), Errno::inval);
  EXPECT_EQ(script.names().symlink(script.call(), std::string_view("a\0b", 3), {}, "/data/s").error(), Errno::inval);
}

TEST_P(EscapeTest, LinksWithAbsoluteTargetsCannotBeMade) {
  expect({{"symlink / /data/s", "NOTCAPABLE"},
          {"symlink /etc/passwd /data/s", "NOTCAPABLE"},
          {"symlink /data/a.txt /data/s", "NOTCAPABLE"},
          {"symlink //a /data/s", "NOTCAPABLE"},
          {"symlink /proc/self/root /data/dir/s", "NOTCAPABLE"},
          {"lstat /data/s", "NOENT"},
          {"symlink ../../../etc /data/s", "ok"},
          {"ls /data/s", "NOTCAPABLE"},
          {"read /data/s/passwd", "NOTCAPABLE"},
          {"symlink ~ /data/t", "NOENT"}});
}

TEST_P(EscapeTest, NothingMovesBetweenMounts) {
  expect({{"rename /data/a.txt /other/a.txt", "XDEV"},
          {"rename /other/o.txt /data/o.txt", "XDEV"},
          {"rename /data/dir /other/dir", "XDEV"},
          {"rename /data/a.txt /ro/a2.txt", "XDEV"},
          {"rename /ro/a.txt /data/a2.txt", "XDEV"},
          {"rename /image.txt /data/i", "XDEV"},
          {"rename /data/a.txt /a.txt", "XDEV"},
          {"link /data/a.txt /other/a.txt", "XDEV"},
          {"link+ /data/in-file /other/a.txt", "XDEV"},
          {"link /image.txt /data/i", "XDEV"},
          {"link /data/a.txt /a.txt", "XDEV"},
          {"rename /data /other/data", "BUSY"},
          {"rename /other /data/other", "BUSY"},
          {"rename /data/a.txt /other", "BUSY"},
          {"rename /data/a.txt /data", "BUSY"},
          {"rmdir /data", "BUSY"},
          {"unlink /data", "ISDIR"},
          {"mkdir /data", "EXIST"},
          {"link /data /data/d", "PERM"},
          {"link /data/a.txt /other", "EXIST"},
          {"symlink x /data", "EXIST"},
          {"read /data/a.txt", "alpha"},
          {"read /other/o.txt", "omega"},
          {"rename / /data/x", "XDEV"},
          {"rename /data/x /", "XDEV"}});
}

TEST_P(EscapeTest, LinksOfTheImageLeadIntoMountsAndStayThere) {
  expect({{"read /to-a", "alpha"},
          {"read /to-data/a.txt", "alpha"},
          {"read /to-data/relative", "NOTCAPABLE"},
          {"unlink /to-data/in-file", "ok"},
          {"mkdir /to-data/made", "ok"},
          {"rename /to-data/a.txt /data/renamed", "ok"},
          {"rename /to-data/renamed /other/x", "XDEV"},
          {"link /to-data/renamed /to-data/a.txt", "ok"},
          {"write /to-a changed", "ok"},
          {"read /data/a.txt", "changed"},
          {"write /to-data/parent/outside/secret.txt x", "NOTCAPABLE"},
          {"unlink /to-data", "ROFS"},
          {"rmdir /to-data", "ROFS"}});
}

TEST_P(EscapeTest, TheLinksOfProcfsLeadNowhere) {
  HostFolderOptions options;
  options.read_only = true;
  const auto proc = *Namespace::build(
      {.root = make_tree_mount(*image::test::build({})), .mounts = {{.path = "/p", .mount = mount("/proc", options)}}});
  testing::Script script(proc);
  for (const char* path :
       {"self/root", "self/root/etc/passwd", "self/cwd", "self/cwd/x", "self/exe", "self/fd/0", "self/fd/1",
        "thread-self/root", "thread-self/root/etc/passwd", "self/ns/net", "self/ns/mnt"}) {
    for (const char* verb : {"read", "stat", "ls"})
      EXPECT_EQ(script.run(std::string(verb) + " /p/" + path), "NOTCAPABLE") << verb << " " << path;
  }
  EXPECT_EQ(script.run("read /p/self/task/self/root"), "NOENT");
  EXPECT_NE(script.run("read /p/self/status").find("Name:"), std::string::npos);
  EXPECT_NE(script.run("read /p/thread-self/status").find("Name:"), std::string::npos);
  EXPECT_EQ(script.run("lstat /p/self/root"), "symlink");
  EXPECT_EQ(script.run("write /p/self/comm x"), "ROFS");
}

TEST_P(EscapeTest, DevicesPipesAndSocketsAreNotOpened) {
  ASSERT_EQ(::mkfifo((root() / "fifo").c_str(), 0666), 0);
  create_symlink("fifo", root() / "to-fifo");
  const base::Fd socket = base::Fd::adopt(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = (root() / "sock").string();
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  expect({{"open /data/fifo", "ACCES"},
          {"openw /data/fifo", "ACCES"},
          {"open /data/to-fifo", "ACCES"},
          {"open /data/sock", "ACCES"},
          {"truncate /data/fifo", "ACCES"},
          {"open /ro/fifo", "ACCES"},
          {"stat /data/fifo", "file 0"},
          {"stat /data/sock", "type 6"},
          {"opendir /data/fifo", "NOTDIR"},
          {"unlink /data/fifo", "ok"},
          {"rename /data/sock /data/s2", "ok"}});
  if (::mknod((root() / "null").c_str(), S_IFCHR | 0666, static_cast<dev_t>(0x103)) != 0)
    GTEST_SKIP() << "this user cannot make device nodes";
  expect({{"open /data/null", "ACCES"}, {"openw /data/null", "ACCES"}, {"stat /data/null", "type 2"}});
}

TEST_P(EscapeTest, AReadOnlyMountChangesNothing) {
  const std::string before = testing::fingerprint(root());
  expect({{"read /ro/a.txt", "alpha"},      {"openw /ro/a.txt", "ROFS"},       {"write /ro/a.txt x", "ROFS"},
          {"append /ro/a.txt x", "ROFS"},   {"truncate /ro/a.txt", "ROFS"},    {"create /ro/new", "ROFS"},
          {"mkdir /ro/new", "ROFS"},        {"mkdir /ro/dir", "ROFS"},         {"rmdir /ro/dir/deep", "ROFS"},
          {"unlink /ro/a.txt", "ROFS"},     {"unlink /ro/missing", "ROFS"},    {"rename /ro/a.txt /ro/b", "ROFS"},
          {"link /ro/a.txt /ro/b", "ROFS"}, {"symlink x /ro/b", "ROFS"},       {"times /ro/a.txt", "ROFS"},
          {"ltimes /ro/in-file", "ROFS"},   {"readlink /ro/in-file", "a.txt"}, {"read /ro/relative", "NOTCAPABLE"},
          {"write /ro/relative x", "ROFS"}, {"ls /ro/dir/deep", ""},           {"openw /ro/dir", "ROFS"}});
  auto file = script_->open_file("/ro/a.txt", {});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->file->set_size(0).error(), Errno::rofs);
  EXPECT_EQ(file->file->allocate(0, 9).error(), Errno::rofs);
  EXPECT_EQ(file->file->set_times({}, {}).error(), Errno::rofs);
  auto directory = script_->open_file("/ro/dir", {});
  EXPECT_EQ(directory->file->set_times({}, {}).error(), Errno::rofs);
  EXPECT_EQ(testing::fingerprint(root()), before);
}

// Two threads keep exchanging a folder for a link that leads out, while every call goes through the name.
TEST_P(EscapeTest, AFolderExchangedForALinkLeadsNowhere) {
  constexpr int kRounds = 1500;
  fs::create_directory(root() / "swap");
  put(root() / "swap" / "secret.txt", "inner");
  create_symlink("../outside", root() / "trap");
  std::atomic<bool> done{false};
  const auto exchange = [&] {
    const std::string a = (root() / "swap").string(), b = (root() / "trap").string();
    while (!done.load()) ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
  };
  std::thread one(exchange), two(exchange);
  int inside = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string content = run("read /data/swap/secret.txt");
    EXPECT_NE(content, "secret");
    inside += content == "inner" ? 1 : 0;
    for (const char* line :
         {"write /data/swap/secret.txt inner", "create /data/swap/new", "mkdir /data/swap/d",
          "rename /data/swap/new /data/swap/n2", "rename /data/swap/secret.txt /data/taken",
          "rename /data/taken /data/swap/secret.txt", "unlink /data/swap/n2", "rmdir /data/swap/d",
          "symlink x /data/swap/new", "unlink /data/swap/new", "link /data/swap/secret.txt /data/hard",
          "unlink /data/hard", "times /data/swap/secret.txt", "unlink /data/swap/dir/file", "rmdir /data/swap/dir"}) {
      run(line);
    }
    // What was moved out of the trap's twin must be the inner file only.
    EXPECT_NE(testing::get(root() / "taken"), "secret");
    if (i % 100 == 0) put(root() / "a.txt", "alpha");
  }
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(testing::get(outside() / "secret.txt"), "secret");
  EXPECT_TRUE(fs::exists(outside() / "dir" / "file"));
}

// The same for the last name: a file exchanged for a link.
TEST_P(EscapeTest, AFileExchangedForALinkLeadsNowhere) {
  constexpr int kRounds = 3000;
  put(root() / "swap", "inner");
  create_symlink("../outside/secret.txt", root() / "trap");
  std::atomic<bool> done{false};
  std::thread exchange([&] {
    const std::string a = (root() / "swap").string(), b = (root() / "trap").string();
    while (!done.load()) ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
  });
  for (int i = 0; i < kRounds; ++i) {
    EXPECT_NE(run("read /data/swap"), "secret");
    run("write /data/swap inner");
    run("truncate /data/swap");
    run("times /data/swap");
    run("link+ /data/swap /data/hard");
    // A name of the link itself is harmless.
    if (!fs::is_symlink(root() / "hard")) {
      EXPECT_NE(testing::get(root() / "hard"), "secret");
    }
    EXPECT_NE(run("read /data/hard"), "secret");
    run("unlink /data/hard");
  }
  done = true;
  exchange.join();
}

}  // namespace
}  // namespace fusebox::vfs
