#include "vfs/folder/host_folder.h"

#include "vfs/folder/folder_test_support.h"

namespace fusebox::vfs {
namespace {

namespace fs = std::filesystem;
using testing::FolderTest;
using testing::get;
using testing::Guest;
using testing::put;
using testing::Script;
using testing::Walk;

class HostFolderTest : public FolderTest {};
INSTANTIATE_TEST_SUITE_P(Walks, HostFolderTest, ::testing::Values(Walk::kernel, Walk::own), testing::name_of_walk);

TEST_P(HostFolderTest, FilesAndFoldersAreMadeChangedAndRemoved) {
  expect({{"write /data/new one", "ok"},     {"append /data/new two", "ok"},  {"read /data/new", "onetwo"},
          {"create /data/new", "EXIST"},     {"truncate /data/new", "ok"},    {"stat /data/new", "file 0"},
          {"mkdir /data/d", "ok"},           {"mkdir /data/d", "EXIST"},      {"mkdir /data/d/", "EXIST"},
          {"mkdir /data/no/d", "NOENT"},     {"mkdir /data/new/d", "NOTDIR"}, {"rename /data/new /data/d/moved", "ok"},
          {"rmdir /data/d", "NOTEMPTY"},     {"unlink /data/d", "ISDIR"},     {"unlink /data/d/moved/", "NOTDIR"},
          {"rmdir /data/d/moved", "NOTDIR"}, {"unlink /data/d/moved", "ok"},  {"unlink /data/d/moved", "NOENT"},
          {"rmdir /data/d/", "ok"},          {"rmdir /data/d", "NOENT"},      {"open /data/no", "NOENT"},
          {"open /data/a.txt/x", "NOTDIR"},  {"openw /data/dir", "ISDIR"},    {"write /data/dir x", "ISDIR"},
          {"truncate /data/dir", "ISDIR"},   {"write /data/dir/ x", "ISDIR"}, {"write /data/none/ x", "ISDIR"},
          {"opendir /data/a.txt", "NOTDIR"}});
  put(root() / "mode", "");
  EXPECT_EQ(run("write /data/m x"), "ok");
  EXPECT_EQ(run("mkdir /data/md"), "ok");
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(static_cast<mode_t>(fs::status(root() / "m").permissions()), 0644u & ~mask);
  EXPECT_EQ(static_cast<mode_t>(fs::status(root() / "md").permissions()), 0755u & ~mask);
}

TEST_P(HostFolderTest, RenamesAsPosixSays) {
  expect({{"mkdir /data/x", "ok"},
          {"mkdir /data/y", "ok"},
          {"write /data/x/f 1", "ok"},
          {"rename /data/x /data/y", "ok"},  // over an empty folder
          {"read /data/y/f", "1"},
          {"mkdir /data/x", "ok"},
          {"rename /data/x /data/y", "NOTEMPTY"},
          {"rename /data/a.txt /data/y", "ISDIR"},
          {"rename /data/y /data/a.txt", "NOTDIR"},
          {"rename /data/y /data/y/z", "INVAL"},
          {"rename /data/none /data/z", "NOENT"},
          {"rename /data/a.txt/ /data/z", "NOTDIR"},
          {"rename /data/a.txt /data/z/", "NOTDIR"},
          {"rename /data/y/ /data/z/", "ok"},
          {"rename /data/a.txt /data/z/f", "ok"},  // over a file
          {"read /data/z/f", "alpha"},
          {"rename /data/z/f /data/z/f", "ok"},
          {"read /data/z/f", "alpha"}});
}

TEST_P(HostFolderTest, LinksAsPosixSays) {
  expect({{"link /data/a.txt /data/hard", "ok"},
          {"append /data/hard !", "ok"},
          {"read /data/a.txt", "alpha!"},
          {"link /data/a.txt /data/hard", "EXIST"},
          {"link /data/dir /data/d2", "PERM"},
          {"link /data/none /data/n", "NOENT"},
          {"link /data/a.txt /data/no/n", "NOENT"},
          {"link /data/a.txt/ /data/n", "NOTDIR"},
          {"link /data/a.txt /data/n/", "NOENT"},
          {"link /data/dir/ /data/n", "PERM"},
          {"symlink a.txt /data/s", "ok"},
          {"symlink a.txt /data/s", "EXIST"},
          {"readlink /data/s", "a.txt"},
          {"readlink /data/a.txt", "INVAL"},
          {"readlink /data/none", "NOENT"},
          {"readlink /data", "INVAL"},
          {"symlink a.txt /data/t/", "NOENT"},
          {"symlink a.txt /data/dir/", "EXIST"},
          {"unlink /data/s", "ok"},
          {"read /data/a.txt", "alpha!"}});
  Script& script = *script_;
  EXPECT_EQ(script.names().stat(script.call(), {}, "/data/hard", true)->links, 2u);
  EXPECT_EQ(script.names().symlink(script.call(), std::string(4096, 'x'), {}, "/data/long").error(),
            Errno::nametoolong);
  EXPECT_EQ(script.run("write /data/" + std::string(256, 'n') + " x"), "NAMETOOLONG");
  EXPECT_EQ(script.run("write /data/" + std::string(255, 'n') + " x"), "ok");
}

TEST_P(HostFolderTest, StatAndTimes) {
  Script& script = *script_;
  const SetTime one{.how = SetTime::How::at, .ns = 1'500'000'000}, two{.how = SetTime::How::at, .ns = 2'000'000'003};
  ASSERT_TRUE(script.names().set_times(script.call(), {}, "/data/a.txt", true, one, two));
  auto stat = script.names().stat(script.call(), {}, "/data/a.txt", true);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->accessed_ns, one.ns);
  EXPECT_EQ(stat->modified_ns, two.ns);
  EXPECT_EQ(stat->size, 5u);
  EXPECT_EQ(stat->device & 0xffffffff, device_code("Linu"));
  const auto opened = script.open_file("/data/a.txt", {.write = true});
  ASSERT_TRUE(opened->file->set_times({}, one));
  EXPECT_EQ(opened->file->stat()->accessed_ns, one.ns);
  EXPECT_EQ(opened->file->stat()->modified_ns, one.ns);
  HostFolderOptions options;
  options.mount_index = 7;
  Guest guest;
  EXPECT_EQ(mount(root(), options)->stat(guest.fresh(), "a.txt", true)->device, device_code("Linu") | 7ull << 32);
  EXPECT_EQ(run("times /data/none"), "NOENT");
}

TEST_P(HostFolderTest, ReadsWritesSeeksAndResizes) {
  const auto opened = script_->open_file("/data/f", {.write = true, .create = true});
  ASSERT_TRUE(opened);
  File& file = *opened->file;
  Guest guest;
  EXPECT_EQ(*guest.write(file, "hello"), 5u);
  EXPECT_EQ(*file.seek(-2, Whence::current), 3u);
  EXPECT_EQ(*guest.read(file), "lo");
  EXPECT_EQ(file.seek(-1, Whence::set).error(), Errno::inval);
  EXPECT_EQ(*file.seek(10, Whence::end), 15u);
  EXPECT_EQ(*guest.write(file, "x"), 1u);
  EXPECT_EQ(file.stat()->size, 16u);
  const std::span<const std::byte> parts[] = {base::as_bytes("AB"), base::as_bytes(""), base::as_bytes("C")};
  EXPECT_EQ(*file.write_at(guest.fresh(), parts, 1), 3u);
  std::byte a[2], b[3];
  const std::span<std::byte> both[] = {a, b};
  EXPECT_EQ(*file.read_at(guest.fresh(), both, 0), 5u);
  EXPECT_EQ(get(root() / "f").substr(0, 5), "hABCo");
  EXPECT_EQ(file.read_at(guest.fresh(), both, UINT64_MAX).error(), Errno::inval);
  EXPECT_EQ(file.write_at(guest.fresh(), parts, UINT64_MAX).error(), Errno::inval);
  EXPECT_TRUE(file.set_size(3));
  EXPECT_EQ(get(root() / "f"), "hAB");
  EXPECT_EQ(file.set_size(UINT64_MAX).error(), Errno::inval);
  EXPECT_TRUE(file.allocate(2, 8));
  EXPECT_EQ(file.stat()->size, 10u);
  EXPECT_EQ(file.allocate(0, 0).error(), Errno::inval);
  EXPECT_EQ(file.allocate(UINT64_MAX, 2).error(), Errno::fbig);
  EXPECT_TRUE(file.sync(true));
  EXPECT_TRUE(file.sync(false));
  EXPECT_TRUE(file.advise(0, 0));
  EXPECT_TRUE(file.poll(guest.fresh(), true).ready);
  std::vector<std::span<const std::byte>> many(2000, base::as_bytes("z"));
  EXPECT_GE(*file.write_at(guest.fresh(), many, 0), 1u);
}

TEST_P(HostFolderTest, FlagsCanBeChangedAfterTheOpen) {
  const auto opened = script_->open_file("/data/a.txt", {.write = true});
  File& file = *opened->file;
  Guest guest;
  const auto append = static_cast<FdFlags>(FdFlag::append);
  ASSERT_TRUE(file.set_flags(append));
  EXPECT_EQ(file.flags(), append);
  EXPECT_EQ(*guest.write(file, "1"), 1u);
  const std::span<const std::byte> two[] = {base::as_bytes("2")};
  EXPECT_EQ(*file.write_at(guest.fresh(), two, 0), 1u);  // at the end as well
  EXPECT_EQ(get(root() / "a.txt"), "alpha12");
  ASSERT_TRUE(file.set_flags(0));
  EXPECT_EQ(*file.seek(0, Whence::set), 0u);
  EXPECT_EQ(*guest.write(file, "A"), 1u);
  EXPECT_EQ(get(root() / "a.txt"), "Alpha12");
  EXPECT_TRUE(file.set_flags(31));
  EXPECT_EQ(*guest.write(file, "!"), 1u);
  EXPECT_EQ(file.set_flags(32).error(), Errno::notsup);
  EXPECT_EQ(file.flags(), 31u);
}

TEST_P(HostFolderTest, ListsManyFilesOnceWithAnyBuffer) {
  for (int i = 0; i < 700; ++i) put(root() / "dir" / "deep" / ("file-" + std::to_string(i)), "");
  const auto opened = script_->open_file("/data/dir/deep", {});
  Guest guest;
  for (const std::size_t at_once : {1u, 33u, 10000u}) {
    const auto entries = guest.list(*opened->file, at_once);
    ASSERT_TRUE(entries);
    std::vector<std::string> names;
    for (const auto& entry : *entries) {
      names.push_back(entry.name);
      EXPECT_EQ(entry.type, FileType::regular);
    }
    std::ranges::sort(names);
    EXPECT_EQ(names.size(), 700u);
    EXPECT_EQ(std::ranges::unique(names).begin(), names.end());
  }
  testing::Script& script = *script_;
  const auto entries = guest.list(*opened->file);
  for (const auto& entry : *entries)
    ASSERT_EQ(script.names().stat(script.call(), {opened->path, {}}, entry.name, false)->inode, entry.inode);
}

TEST_P(HostFolderTest, TheSameFolderMountedTwiceIsTwoMounts) {
  EXPECT_EQ(run("rename /data/a.txt /ro/b"), "XDEV");
  EXPECT_EQ(run("write /data/a.txt seen"), "ok");
  EXPECT_EQ(run("read /ro/a.txt"), "seen");
}

TEST_P(HostFolderTest, WalksFoldersDeeperThanHandlesAreKept) {
  std::string path = "/data";
  for (int i = 0; i < 600; ++i) {
    path += "/d";
    ASSERT_EQ(run("mkdir " + path), "ok") << i;
  }
  EXPECT_EQ(run("write " + path + "/f deep"), "ok");
  EXPECT_EQ(run("read " + path + "/f"), "deep");
  EXPECT_EQ(run("symlink ../d/f " + path + "/up"), "ok");
  EXPECT_EQ(run("read " + path + "/up"), "deep");
}

TEST(OpenHostFolder, MakesMissingFoldersForTheirOwnerOnly) {
  const auto folder = *base::TempDir::create();
  HostFolderOptions options;
  options.create = true;
  ASSERT_TRUE(open_host_folder(folder.path() / "a" / "b", options));
  ASSERT_TRUE(open_host_folder(folder.path() / "a" / "b", options));
  EXPECT_EQ(fs::status(folder.path() / "a").permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(folder.path() / "a" / "b").permissions(), fs::perms::owner_all);
}

TEST(OpenHostFolder, NoLinkLeadsOutOfTheFolderItIsBeneath) {
  const auto folder = *base::TempDir::create();
  const fs::path top = folder.path() / "top";
  const fs::path outside = folder.path() / "outside";
  fs::create_directories(top / "dir");
  fs::create_directory(outside);
  fs::create_symlink("dir", top / "in");
  fs::create_symlink("../outside", top / "out");
  fs::create_symlink(outside, top / "absolute");
  fs::create_symlink("../outside/new", top / "dangling");
  const struct {
    fs::path path;
    bool opens;
  } cases[] = {
      {top, true},
      {top / "", true},
      {top / "dir", true},
      {top / "in" / "made", true},
      {top / "a" / "b" / "", true},
      {top / "out", false},
      {top / "out" / "new", false},
      {top / "absolute", false},
      {top / "dangling", false},
      {top / ".." / "outside", false},
      {outside, false},
  };
  for (const bool kernel : {true, false}) {
    for (const auto& c : cases) {
      SCOPED_TRACE(c.path.string() + (kernel ? "" : ", our own walk"));
      HostFolderOptions options;
      options.create = true;
      options.beneath = top;
      options.kernel_walk = kernel;
      const auto opened = open_host_folder(c.path, options);
      ASSERT_EQ(opened.has_value(), c.opens);
      if (!opened) {
        EXPECT_EQ(opened.error().code, base::Errc::denied) << opened.error().message;
      }
    }
  }
  EXPECT_TRUE(fs::is_empty(outside));
  EXPECT_EQ(fs::status(top / "a" / "b").permissions(), fs::perms::owner_all);
  EXPECT_TRUE(fs::exists(top / "dir" / "made"));
  HostFolderOptions read_only;
  read_only.read_only = true;
  read_only.beneath = top;
  EXPECT_EQ(open_host_folder(top / "none", read_only).error().code, base::Errc::not_found);
}

TEST(OpenHostFolder, SaysWhatIsWrong) {
  const auto folder = *base::TempDir::create();
  const auto missing = open_host_folder(folder.path() / "none", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::not_found);
  EXPECT_NE(missing.error().message.find("cannot open the folder " + (folder.path() / "none").string()),
            std::string::npos);
  put(folder.path() / "file", "x");
  const auto file = open_host_folder(folder.path() / "file", {});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, base::Errc::invalid);
  HostFolderOptions options;
  options.create = true;
  const auto below = open_host_folder(folder.path() / "file" / "x", options);
  ASSERT_FALSE(below);
  EXPECT_NE(below.error().message.find("cannot make the folder"), std::string::npos);
}

}  // namespace
}  // namespace fusebox::vfs
