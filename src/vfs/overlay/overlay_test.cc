// Every test runs with the upper layer in memory and in a folder: both must show the same.
#include "vfs/overlay/overlay.h"

#include "vfs/folder/folder_test_support.h"
#include "vfs/overlay/layer_names.h"

namespace fusebox::vfs {
namespace {

namespace fs = std::filesystem;
using testing::Guest;
using testing::Script;
using testing::Step;

enum class Upper { memory, folder };

class OverlayTest : public ::testing::TestWithParam<Upper> {
 protected:
  OverlayTest() {
    image::test::TarText tar;
    tar.file("a.txt", "alpha").file("dir/b.txt", "beta").file("dir/sub/c.txt", "gamma").directory("empty");
    tar.symlink("link", "dir").symlink("abs", "/dir/b.txt").symlink("dir/up", "../a.txt").file("d2/x", "x");
    lower_ = make_tree_mount(*image::test::build({tar}));
    start();
  }
  void start(std::optional<std::uint64_t> bytes_max = {}) {
    if (GetParam() == Upper::memory)
      upper_ = make_memory_upper(guest_.clock, bytes_max.value_or(1 << 20));
    else
      upper_ = *open_folder_upper(upper_path(), bytes_max);
    script_.emplace(*Namespace::build({.root = make_overlay(lower_, upper_), .mounts = {}}));
  }
  fs::path upper_path() const { return folder_.path() / "upper"; }
  std::string run(std::string_view line) { return script_->run(line); }
  void expect(std::initializer_list<Step> steps) {
    for (const Step& step : steps) {
      SCOPED_TRACE(step.command);
      EXPECT_EQ(run(step.command), step.answer);
    }
  }

  base::TempDir folder_ = std::move(*base::TempDir::create());
  Guest guest_;
  std::shared_ptr<Mount> lower_;
  std::shared_ptr<Mount> upper_;
  std::optional<Script> script_;
};
INSTANTIATE_TEST_SUITE_P(Uppers, OverlayTest, ::testing::Values(Upper::memory, Upper::folder),
                         [](const auto& upper) { return upper.param == Upper::memory ? "Memory" : "Folder"; });

TEST_P(OverlayTest, ShowsTheLowerMountUntilSomethingChanges) {
  expect({{"read /a.txt", "alpha"},
          {"ls /", "a.txt abs d2 dir empty link"},
          {"read /link/b.txt", "beta"},
          {"read /abs", "beta"},
          {"read /dir/up", "alpha"},
          {"readlink /abs", "/dir/b.txt"},
          {"lstat /link", "symlink"},
          {"read /none", "NOENT"},
          {"read /a.txt/x", "NOTDIR"},
          {"open /a.txt", "ok"},
          {"opendir /a.txt", "NOTDIR"},
          {"openw /dir", "ISDIR"}});
  EXPECT_EQ(guest_.names(*upper_), std::vector<std::string>());
}

TEST_P(OverlayTest, CopiesUpOnWrite) {
  expect({{"append /dir/b.txt +1", "ok"},
          {"read /dir/b.txt", "beta+1"},
          {"read /abs", "beta+1"},
          {"write /a.txt new", "ok"},
          {"read /dir/up", "new"},
          {"truncate /dir/sub/c.txt", "ok"},
          {"read /dir/sub/c.txt", ""},
          {"ls /dir", "b.txt sub up"},
          {"ls /", "a.txt abs d2 dir empty link"},
          {"create /a.txt", "EXIST"},
          {"write /link/new n", "ok"},
          {"read /dir/new", "n"}});
  EXPECT_EQ(*guest_.read(**guest_.open(*lower_, "dir/b.txt", Guest::kReads)), "beta");
  // The copy has the times of the original until it is changed.
  EXPECT_EQ(run("times /d2/x"), "ok");
  EXPECT_EQ(script_->names().stat(script_->call(), {}, "/d2/x", true)->modified_ns, 1'000'000'000u);
}

TEST_P(OverlayTest, AFileOpenedBeforeKeepsReadingWhatItOpened) {
  auto before = script_->open_file("/a.txt", {});
  EXPECT_EQ(run("write /a.txt changed"), "ok");
  EXPECT_EQ(*guest_.read(*before->file), "alpha");
  EXPECT_EQ(run("unlink /a.txt"), "ok");
  auto gone = script_->open_file("/new", {.write = true, .create = true});
  EXPECT_EQ(run("unlink /new"), "ok");
  EXPECT_EQ(*guest_.write(*gone->file, "still"), 5u);
  EXPECT_EQ(*gone->file->seek(0, Whence::set), 0u);
  EXPECT_EQ(*guest_.read(*gone->file), "still");
}

TEST_P(OverlayTest, RemovedNamesStayRemoved) {
  expect({{"unlink /a.txt", "ok"},
          {"read /a.txt", "NOENT"},
          {"unlink /a.txt", "NOENT"},
          {"ls /", "abs d2 dir empty link"},
          {"rmdir /empty", "ok"},
          {"stat /empty", "NOENT"},
          {"rmdir /dir", "NOTEMPTY"},
          {"unlink /dir", "ISDIR"},
          {"rmdir /abs", "NOTDIR"},
          {"unlink /link", "ok"},
          {"read /link/b.txt", "NOENT"},
          {"unlink /dir/sub/c.txt", "ok"},
          {"rmdir /dir/sub", "ok"},
          {"unlink /dir/b.txt", "ok"},
          {"unlink /dir/up", "ok"},
          {"ls /dir", ""},
          {"rmdir /dir", "ok"},
          {"read /dir/b.txt", "NOENT"},
          {"mkdir /dir", "ok"},
          {"ls /dir", ""},
          {"read /dir/b.txt", "NOENT"},
          {"write /dir/b.txt mine", "ok"},
          {"ls /dir", "b.txt"},
          {"unlink /dir/b.txt", "ok"},
          {"rmdir /dir", "ok"},
          {"stat /dir", "NOENT"},
          {"write /a.txt again", "ok"},
          {"read /a.txt", "again"},
          {"unlink /a.txt", "ok"},
          {"read /a.txt", "NOENT"},
          {"write /empty file-now", "ok"},
          {"read /empty", "file-now"},
          {"ls /", "abs d2 empty"}});
}

TEST_P(OverlayTest, RenamesFilesAndFoldersWithAllTheyHold) {
  expect({{"rename /a.txt /b", "ok"},
          {"read /a.txt", "NOENT"},
          {"read /b", "alpha"},
          {"rename /dir /moved", "ok"},
          {"ls /moved", "b.txt sub up"},
          {"read /moved/sub/c.txt", "gamma"},
          {"stat /dir", "NOENT"},
          {"mkdir /dir", "ok"},
          {"ls /dir", ""},
          {"rename /moved/sub /dir/sub", "ok"},
          {"read /dir/sub/c.txt", "gamma"},
          {"ls /moved", "b.txt up"},
          {"rename /dir /dir/x", "INVAL"},
          {"rename /b /dir", "ISDIR"},
          {"rename /dir /b", "NOTDIR"},
          {"rename /dir /d2", "NOTEMPTY"},
          {"unlink /d2/x", "ok"},
          {"rename /moved /d2", "ok"},
          {"ls /d2", "b.txt up"},
          {"read /d2/x", "NOENT"},
          {"rename /none /y", "NOENT"},
          {"rename /b /no/y", "NOENT"},
          {"rename /b /d2/b.txt", "ok"},
          {"read /d2/b.txt", "alpha"},
          {"rename /abs /d2/abs", "ok"},
          {"readlink /d2/abs", "/dir/b.txt"},
          {"rename /d2/abs /d2/abs", "ok"},
          {"rename /empty /d2", "NOTEMPTY"},
          {"rename /dir /empty", "ok"},
          {"ls /empty", "sub"},
          {"ls /", "d2 empty link"}});
}

// A folder that takes the place of a removed one does not show what that one held.
TEST_P(OverlayTest, AFolderRenamedOverALowerOneDoesNotMergeWithIt) {
  expect({{"mkdir /new", "ok"},
          {"write /new/f 1", "ok"},
          {"unlink /d2/x", "ok"},
          {"rename /new /d2", "ok"},
          {"ls /d2", "f"},
          {"unlink /dir/sub/c.txt", "ok"},
          {"rename /d2 /dir/sub", "ok"},
          {"ls /dir/sub", "f"},
          {"stat /d2", "NOENT"},
          {"rename /dir /d2", "ok"},
          {"ls /d2", "b.txt sub up"},
          {"ls /d2/sub", "f"},
          {"mkdir /dir", "ok"},
          {"ls /dir", ""}});
}

TEST_P(OverlayTest, LinksAndSymlinks) {
  expect({{"link /a.txt /hard", "ok"},
          {"append /hard !", "ok"},
          {"read /a.txt", "alpha!"},
          {"link /dir /d", "PERM"},
          {"link /a.txt /hard", "EXIST"},
          {"link /none /x", "NOENT"},
          {"rename /a.txt /hard", "ok"},
          {"read /a.txt", "alpha!"},
          {"symlink /dir/b.txt /s", "ok"},
          {"read /s", "beta"},
          {"symlink ../../.. /t", "ok"},
          {"ls /t/empty", ""},
          {"symlink x /s", "EXIST"},
          {"readlink /s", "/dir/b.txt"},
          {"readlink /hard", "INVAL"},
          {"symlink s2 /s1", "ok"},
          {"symlink s1 /s2", "ok"},
          {"read /s1", "LOOP"},
          {"write /s through", "ok"},
          {"read /dir/b.txt", "through"},
          {"lopen /s", "LOOP"},
          {"ltimes /abs", "ok"},
          {"lstat /abs", "symlink"},
          {"link /abs /abs2", "ok"},
          {"lstat /abs2", "symlink"},
          {"symlink made /dangling", "ok"},
          {"write /dangling y", "ok"},
          {"read /made", "y"}});
  EXPECT_EQ(script_->names().stat(script_->call(), {}, "/hard", true)->links, 2u);
}

TEST_P(OverlayTest, TheLayersOwnNamesAreOutOfReach) {
  expect({{"unlink /a.txt", "ok"},
          {"stat /.wh.a.txt", "NOENT"},
          {"unlink /.wh.a.txt", "NOENT"},
          {"read /.wh.a.txt", "NOENT"},
          {"write /.wh.dir x", "INVAL"},
          {"mkdir /.wh.dir", "INVAL"},
          {"symlink x /.wh.dir", "INVAL"},
          {"rename /d2 /.wh.dir", "INVAL"},
          {"rename /.wh.a.txt /a", "NOENT"},
          {"link /d2/x /dir/.wh.b.txt", "INVAL"},
          {"write /.wh.x/y z", "NOENT"},
          {"read /dir/b.txt", "beta"},
          {"rename /.wh.a.txt /.wh.b", "NOENT"},
          {"ls /", "abs d2 dir empty link"}});
}

TEST_P(OverlayTest, ListsTheSameWithAnyBufferWhileItChanges) {
  for (int i = 0; i < 50; ++i) run("write /dir/n" + std::to_string(100 + i) + " x");
  auto directory = script_->open_file("/dir", {});
  Guest guest;
  const auto all = guest.list(*directory->file);
  ASSERT_EQ(all->size(), 53u);
  const auto few = guest.list(*directory->file, 3);
  ASSERT_EQ(few->size(), 53u);
  for (std::size_t i = 0; i < all->size(); ++i) {
    EXPECT_EQ((*few)[i].name, (*all)[i].name);
    const auto stat = script_->names().stat(script_->call(), {"/dir", {}}, (*all)[i].name, false);
    EXPECT_EQ(stat->inode, (*all)[i].inode);
    EXPECT_EQ(stat->type, (*all)[i].type);
  }
}

TEST_P(OverlayTest, EndsAtItsQuotaWithoutLosingWhatIsThere) {
  start(20'000);
  const std::string text(60'000, 'x');
  const std::string answer = run("write /big " + text);
  EXPECT_TRUE(answer.starts_with("only ")) << answer;
  EXPECT_EQ(run("append /big x"), "DQUOT");
  EXPECT_EQ(run("append /a.txt x"), "DQUOT");  // no room to copy it up
  EXPECT_EQ(run("read /a.txt"), "alpha");
  EXPECT_EQ(run("unlink /big"), "ok");
  EXPECT_EQ(run("append /a.txt x"), "ok");
  EXPECT_EQ(run("read /a.txt"), "alphax");
}

TEST(FolderUpper, KeepsChangesAndIsALayer) {
  const auto folder = *base::TempDir::create();
  image::test::TarText tar;
  tar.file("a", "1").file("d/b", "2");
  const auto lower = make_tree_mount(*image::test::build({tar}));
  const auto script = [&] {
    return Script(*Namespace::build({.root = make_overlay(lower, *open_folder_upper(folder.path())), .mounts = {}}));
  };
  {
    auto first = script();
    first.run("unlink /a");
    first.run("append /d/b 3");
    first.run("symlink /etc/passwd /s");
  }
  EXPECT_TRUE(fs::exists(folder.path() / ".wh.a"));
  EXPECT_EQ(testing::get(folder.path() / "d" / "b"), "23");
  auto second = script();
  EXPECT_EQ(second.run("ls /"), "d s");
  EXPECT_EQ(second.run("read /d/b"), "23");
  EXPECT_EQ(second.run("read /s"), "NOENT");  // in the namespace, not of the host
}

TEST(MemoryUpper, CountsWhatItTakesAndGivesItBack) {
  const base::ManualClock clock;
  const auto upper = make_memory_upper(clock, 100'000);
  Guest guest;
  constexpr OpenRequest kMake{.write = true, .create = true};
  // Fill, remove, fill again: nothing is lost.
  for (int round = 0; round < 50; ++round) {
    std::size_t total = 0;
    {
      auto file = guest.open(*upper, "f", kMake);
      ASSERT_TRUE(file);
      while (true) {
        const auto n = guest.write(**file, std::string(1000, 'x'));
        if (!n) {
          EXPECT_EQ(n.error(), Errno::dquot);
          break;
        }
        total += *n;
      }
      EXPECT_GE(total, 90'000u);
      EXPECT_LE(total, 100'000u);
      EXPECT_TRUE(upper->unlink(guest.fresh(), "f"));
      EXPECT_EQ(
          guest.open(*upper, "g", kMake) ? guest.write(**guest.open(*upper, "g", kMake), "y").error() : Errno::dquot,
          Errno::dquot);  // still open
    }
    (void)upper->unlink(guest.fresh(), "g");
    ASSERT_TRUE(upper->create_directory(guest.fresh(), "d"));
    {
      auto open = guest.open(*upper, "d", Guest::kReads);
      (void)upper->remove_directory(guest.fresh(), "d");
    }
  }
}

TEST(MemoryUpper, HolesTakeNoPagesAndReadAsZeros) {
  const base::ManualClock clock;
  const auto upper = make_memory_upper(clock, 100'000);
  Guest guest;
  auto file = *guest.open(*upper, "f", {.write = true, .create = true});
  EXPECT_TRUE(file->set_size(10'000'000));
  EXPECT_EQ(*file->seek(9'999'999, Whence::set), 9'999'999u);
  EXPECT_EQ(*guest.write(*file, "z"), 1u);
  EXPECT_EQ(*file->seek(-3, Whence::end), 9'999'997u);
  EXPECT_EQ(*guest.read(*file), std::string("\0\0z", 3));
  EXPECT_EQ(file->set_size(1ull << 40).error(), Errno::dquot);
  EXPECT_EQ(file->set_size(UINT64_MAX).error(), Errno::fbig);
  EXPECT_EQ(file->allocate(0, 200'000).error(), Errno::dquot);
  // What is cut off does not come back.
  EXPECT_TRUE(file->set_size(0));
  EXPECT_EQ(*file->seek(0, Whence::set), 0u);
  EXPECT_EQ(*guest.write(*file, "secret"), 6u);
  EXPECT_TRUE(file->set_size(2));
  EXPECT_TRUE(file->set_size(6));
  EXPECT_EQ(*file->seek(0, Whence::set), 0u);
  EXPECT_EQ(*guest.read(*file), std::string("se\0\0\0\0", 6));
  EXPECT_TRUE(file->allocate(0, 8192));
  EXPECT_EQ(file->stat()->size, 8192u);
}

}  // namespace
}  // namespace fusebox::vfs
