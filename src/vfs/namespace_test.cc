#include "vfs/namespace.h"

#include <gtest/gtest.h>

#include <set>

#include "image/tree_test_support.h"
#include "vfs/config/config_mount.h"
#include "vfs/script_test_support.h"
#include "vfs/tar/tree_mount.h"

namespace fusebox::vfs {
namespace {

using testing::Guest;
using testing::Script;
using testing::Step;

std::shared_ptr<Mount> tree_of(const image::test::TarText& tar) {
  return make_tree_mount(*image::test::build({tar}));
}

image::test::TarText image_text() {
  image::test::TarText tar;
  tar.file("app/main.txt", "main").file("b.txt", "bee").directory("empty").file("etc/hosts", "local");
  tar.file("dev/shadowed", "x").file("real/file", "r").symlink("abs", "/app/main.txt").symlink("up", "../../b.txt");
  tar.symlink("loop", "loop").symlink("ping", "pong").symlink("pong", "ping").symlink("dir", "app");
  tar.symlink("app/deep", "../dir").symlink("to-config", "/etc/config").symlink("nowhere", "missing/x");
  tar.symlink("slashed", "app/").symlink("file-slashed", "b.txt/").file("etc2", "a file above a mount");
  return tar;
}

struct Built {
  explicit Built(std::vector<Namespace::MountAt> mounts, std::size_t path_bytes_max = 4096) {
    auto built = Namespace::build(
        {.root = tree_of(image_text()), .mounts = std::move(mounts), .path_bytes_max = path_bytes_max});
    EXPECT_TRUE(built) << built.error().message;
    names = *built;
  }
  std::shared_ptr<const Namespace> names;
};

Namespace::MountAt text_at(std::string path, std::string text = "text") {
  auto mount = make_config_mount(std::move(text), path);
  return {.path = std::move(path), .mount = std::move(mount)};
}
Namespace::MountAt tree_at(std::string path) {
  image::test::TarText tar;
  tar.file("null", "n").file("sub/leaf", "leaf");
  return {.path = std::move(path), .mount = tree_of(tar)};
}

void expect(Script& script, std::span<const Step> steps) {
  for (const Step& step : steps) {
    SCOPED_TRACE(step.command);
    EXPECT_EQ(script.run(step.command), step.answer);
  }
}

TEST(Normalise, CollapsesLexically) {
  struct Case {
    const char *directory, *path, *normal;
    bool must_be_directory;
  };
  constexpr Case kCases[] = {
      {"/", "/a/b", "/a/b", false},
      {"/", "a", "/a", false},
      {"/x", "a", "/x/a", false},
      {"/x", "/a", "/a", false},
      {"/", "//a//b", "/a/b", false},
      {"/", "/a/./b", "/a/b", false},
      {"/", "/a/../b", "/b", false},
      {"/", "/..", "/", true},
      {"/", "../../..", "/", true},
      {"/x/y", "..", "/x", true},
      {"/x/y", "../..", "/", true},
      {"/x/y", "../../..", "/", true},
      {"/x", "", "/x", true},
      {"/x", ".", "/x", true},
      {"/", "/", "/", true},
      {"/", "/a/", "/a", true},
      {"/", "/a/.", "/a", true},
      {"/", "/a/..", "/", true},
      {"/", "/a/../", "/", true},
      {"/", "...", "/...", false},
      {"/", "/..a/b..", "/..a/b..", false},
      {"/x/y", "../z/./../w", "/x/w", false},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::string(c.directory) + " + " + c.path);
    const auto normal = normalise(c.directory, c.path, 4096);
    ASSERT_TRUE(normal);
    EXPECT_EQ(normal->path, c.normal);
    EXPECT_EQ(normal->must_be_directory, c.must_be_directory);
  }
}

TEST(Normalise, BoundsComponentsPathsAndArguments) {
  const std::string component(255, 'c');
  EXPECT_TRUE(normalise("/", component, 4096));
  EXPECT_EQ(normalise("/", component + "c", 4096).error(), Errno::nametoolong);
  const std::string path(30, 'p');  // "/" + 30 = 31
  EXPECT_TRUE(normalise("/", path, 32));
  EXPECT_EQ(normalise("/", path, 31).error(), Errno::nametoolong);
  EXPECT_EQ(normalise("/" + path, "x", 32).error(), Errno::nametoolong);
  EXPECT_TRUE(normalise("/", std::string(4095, '/'), 4096));
  EXPECT_EQ(normalise("/", std::string(4096, '/'), 4096).error(), Errno::nametoolong);
  std::string long_way;
  for (int i = 0; i < 100; ++i) long_way += path + "/../";
  EXPECT_EQ(normalise("/", long_way + "x", 32)->path, "/x");
}

TEST(Normalise, RefusesAZeroByte) {
  EXPECT_EQ(normalise("/", std::string_view("a\0b", 3), 4096).error(), Errno::inval);
}

TEST(Namespace, RefusesMountsThatAreNowhereOrTwiceSomewhere) {
  for (const char* path : {"", "/", "relative", "/a/", "/a//b", "/a/../b", "/a/.", "/a/.."}) {
    SCOPED_TRACE(path);
    const auto built = Namespace::build({.root = tree_of({}), .mounts = {text_at(path)}});
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().code, base::Errc::invalid);
    EXPECT_NE(built.error().message.find("the path must be absolute, without \".\", \"..\""), std::string::npos);
  }
  const auto twice = Namespace::build({.root = tree_of({}), .mounts = {text_at("/a"), text_at("/a")}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, base::Errc::exists);
  EXPECT_EQ(twice.error().message, "mount \"/a\": something is mounted there");
}

TEST(Namespace, TheLongestMountOnAComponentBoundaryAnswers) {
  Built built({tree_at("/dev"), text_at("/etc/config", "outer"), text_at("/app/main.txt", "mounted"), tree_at("/m"),
               text_at("/m/sub/leaf", "inner")});
  Script script(built.names);
  expect(script, std::array{
                     Step{"read /etc/config", "outer"},
                     Step{"read /etc/configx", "NOENT"},
                     Step{"read /etc/config/x", "NOTDIR"},
                     Step{"read /etc/hosts", "local"},
                     Step{"read /app/main.txt", "mounted"},
                     Step{"read /dev/null", "n"},
                     Step{"read /dev/shadowed", "NOENT"},
                     Step{"read /development", "NOENT"},
                     Step{"read /m/sub/leaf", "inner"},
                     Step{"read /m/null", "n"},
                     Step{"read //etc/../etc/./config", "outer"},
                 });
}

TEST(Namespace, RelativePathsStartAtTheirDirectoryAndAbsoluteOnesAtTheRoot) {
  Built built({text_at("/etc/config")});
  Script script(built.names);
  script.directory = "/app";
  expect(script, std::array{
                     Step{"read main.txt", "main"},
                     Step{"read ../b.txt", "bee"},
                     Step{"read ../../../b.txt", "bee"},
                     Step{"read /b.txt", "bee"},
                     Step{"read b.txt", "NOENT"},
                     Step{"read ../etc/config", "text"},
                     Step{"stat ~", "directory"},
                     Step{"stat .", "directory"},
                 });
}

TEST(Namespace, ARelativePathThatLeavesAHostFolderIsNotCapable) {
  Built built({tree_at("/data")});
  Script script(built.names);
  script.directory = "/data/sub";
  script.confined_to = "/data";
  expect(script, std::array{
                     Step{"read leaf", "leaf"},
                     Step{"read ../null", "n"},
                     Step{"read ../../b.txt", "NOTCAPABLE"},
                     Step{"read ../../data/null", "n"},
                     Step{"read ../../database", "NOTCAPABLE"},
                     Step{"mkdir ../../x", "NOTCAPABLE"},
                     Step{"rmdir ../../x", "NOTCAPABLE"},
                     Step{"unlink ../../x", "NOTCAPABLE"},
                     Step{"rename leaf ../../x", "NOTCAPABLE"},
                     Step{"rename ../../x leaf", "NOTCAPABLE"},
                     Step{"link leaf ../../x", "NOTCAPABLE"},
                     Step{"link ../../x leaf", "NOTCAPABLE"},
                     Step{"symlink t ../../x", "NOTCAPABLE"},
                     Step{"readlink ../../x", "NOTCAPABLE"},
                     Step{"stat ../../x", "NOTCAPABLE"},
                     Step{"times ../../x", "NOTCAPABLE"},
                     Step{"write ../../x t", "NOTCAPABLE"},
                     Step{"read /b.txt", "bee"},
                 });
}

TEST(Namespace, AncestorsOfMountPointsAreDirectories) {
  Built built({tree_at("/dev"), text_at("/far/away/config"), text_at("/far/other"), text_at("/etc2/config")});
  Script script(built.names);
  expect(script, std::array{
                     Step{"stat /far", "directory"},
                     Step{"ls /far", "away other"},
                     Step{"ls /far/away", "config"},
                     Step{"opendir /far/away/", "ok"},
                     Step{"openw /far/away", "ROFS"},
                     Step{"create /far/away", "EXIST"},
                     Step{"write /far/new x", "ROFS"},
                     Step{"read /far/missing", "NOENT"},
                     Step{"read /far", "ISDIR"},
                     Step{"mkdir /far", "EXIST"},
                     Step{"rmdir /far", "BUSY"},
                     Step{"unlink /far", "ISDIR"},
                     Step{"rename /far /x", "BUSY"},
                     Step{"rename /b.txt /far", "BUSY"},
                     Step{"times /far", "ROFS"},
                     Step{"readlink /far", "INVAL"},
                     // Mounts shadow what the image has there.
                     Step{"stat /etc2", "directory"},
                     Step{"read /etc2/config", "text"},
                 });
  const auto stat = built.names->stat(script.call(), {}, "/far", true);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->device, device_code("MntD"));
  EXPECT_EQ(stat->links, 1u);
}

TEST(Namespace, TheRootListsTheImageThenTheTreesThenTheMountsInOrder) {
  Built built({tree_at("/dev"), tree_at("/net"), tree_at("/proc"), text_at("/zeta"), text_at("/etc/config"),
               text_at("/alpha/x")});
  Script script(built.names);
  EXPECT_EQ(script.run("ls /"),
            "abs app b.txt dir empty etc2 file-slashed loop nowhere ping pong real slashed to-config up "
            "dev net proc zeta etc alpha");
  EXPECT_EQ(script.run("ls /etc"), "hosts config");
  EXPECT_EQ(script.run("ls /empty"), "");
}

TEST(Namespace, ListingsAreTheSameHoweverSmallTheBuffer) {
  Built built({tree_at("/dev"), text_at("/zeta"), text_at("/etc/config")});
  Script script(built.names);
  auto root = script.open_file("/", {.directory = true});
  ASSERT_TRUE(root);
  const auto whole = script.guest.list(*root->file);
  for (const std::size_t at_once : {1u, 2u, 3u, 7u}) {
    const auto parts = script.guest.list(*root->file, at_once);
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), whole->size());
    for (std::size_t i = 0; i < whole->size(); ++i) EXPECT_EQ((*parts)[i].name, (*whole)[i].name);
  }
}

TEST(Namespace, ListedInodesAndTypesAreThoseOfStat) {
  Built built({tree_at("/dev"), tree_at("/net"), tree_at("/proc"), text_at("/zeta"), text_at("/etc/config"),
               text_at("/far/x")});
  Script script(built.names);
  for (const char* path : {"/", "/etc", "/far", "/app", "/dev"}) {
    auto directory = script.open_file(path, {.directory = true});
    ASSERT_TRUE(directory) << path;
    std::set<std::string> names;
    const auto entries = script.guest.list(*directory->file);
    ASSERT_TRUE(entries);
    for (const auto& entry : *entries) {
      SCOPED_TRACE(std::string(path) + " " + entry.name);
      const auto stat = built.names->stat(script.call(), {directory->path, {}}, entry.name, false);
      ASSERT_TRUE(stat);
      EXPECT_EQ(stat->inode, entry.inode);
      EXPECT_NE(stat->inode, 0u);
      EXPECT_EQ(stat->type, entry.type);
      EXPECT_TRUE(names.insert(entry.name).second);
      if (entry.type == FileType::symlink) continue;
      auto opened = script.open_file(std::string(path) + "/" + entry.name, {});
      ASSERT_TRUE(opened);
      EXPECT_EQ(opened->file->stat()->inode, entry.inode);
    }
  }
  const auto inode = [&](const char* path) { return built.names->stat(script.call(), {}, path, true)->inode; };
  EXPECT_EQ(inode("/dev"), 65537u);
  EXPECT_EQ(inode("/net"), 65538u);
  EXPECT_EQ(inode("/proc"), 65539u);
  EXPECT_EQ(inode("/zeta"), 65540u);
  EXPECT_EQ(inode("/etc"), 65541u);
  EXPECT_EQ(inode("/far"), 65542u);
}

TEST(Namespace, FollowsLinksOfTheImageThroughTheWholeNamespace) {
  Built built({tree_at("/dev"), text_at("/etc/config")});
  Script script(built.names);
  expect(script, std::array{
                     Step{"read /abs", "main"},
                     Step{"read /up", "bee"},
                     Step{"read /dir/main.txt", "main"},
                     Step{"read /app/deep/deep/deep/main.txt", "main"},
                     Step{"read /to-config", "text"},
                     Step{"read /loop", "LOOP"},
                     Step{"read /ping", "LOOP"},
                     Step{"read /ping/x", "LOOP"},
                     Step{"stat /loop", "LOOP"},
                     Step{"lstat /loop", "symlink"},
                     Step{"read /nowhere", "NOENT"},
                     Step{"lopen /abs", "LOOP"},
                     Step{"lopen /dir/main.txt", "ok"},
                     Step{"lstat /abs", "symlink"},
                     Step{"lstat /dir/", "directory"},
                     Step{"stat /abs", "file 4"},
                     Step{"readlink /abs", "/app/main.txt"},
                     Step{"readlink /app/deep", "../dir"},
                     Step{"readlink /app/deep/deep", "../dir"},
                     Step{"readlink /b.txt", "INVAL"},
                     Step{"readlink /missing", "NOENT"},
                     Step{"readlink /etc/config", "INVAL"},
                     Step{"opendir /slashed", "ok"},
                     Step{"read /file-slashed", "NOTDIR"},
                     Step{"ls /dir", "deep main.txt"},
                 });
}

TEST(Namespace, FollowsFortyLinksAndNoMore) {
  image::test::TarText tar;
  tar.file("0", "zero");
  for (int i = 1; i <= 41; ++i) tar.symlink(std::to_string(i), std::to_string(i - 1));
  const auto names = *Namespace::build({.root = tree_of(tar), .mounts = {}});
  Script script(names);
  EXPECT_EQ(script.run("read /40"), "zero");
  EXPECT_EQ(script.run("read /41"), "LOOP");
}

TEST(Namespace, ImagesRefuseEveryChange) {
  Built built({text_at("/etc/config")});
  Script script(built.names);
  expect(script, std::array{
                     Step{"openw /b.txt", "ROFS"},         Step{"write /b.txt x", "ROFS"},
                     Step{"write /missing x", "ROFS"},     Step{"write /no/such/dir x", "ROFS"},
                     Step{"create /new", "ROFS"},          Step{"append /b.txt x", "ROFS"},
                     Step{"truncate /b.txt", "ROFS"},      Step{"openw /app", "ROFS"},
                     Step{"mkdir /new", "ROFS"},           Step{"mkdir /app", "ROFS"},
                     Step{"rmdir /empty", "ROFS"},         Step{"rmdir /missing", "ROFS"},
                     Step{"unlink /b.txt", "ROFS"},        Step{"unlink /missing", "ROFS"},
                     Step{"rename /b.txt /c", "ROFS"},     Step{"rename /missing /c", "ROFS"},
                     Step{"link /b.txt /c", "ROFS"},       Step{"symlink x /c", "ROFS"},
                     Step{"times /b.txt", "ROFS"},         Step{"openw /etc/config", "ROFS"},
                     Step{"unlink /etc/config", "ROFS"},   Step{"truncate /etc/config", "ROFS"},
                     Step{"rename /b.txt /etc/x", "ROFS"},
                 });
}

TEST(Namespace, SaysWhatIsNoDirectory) {
  Built built({text_at("/etc/config")});
  Script script(built.names);
  expect(script, std::array{
                     Step{"read /b.txt/", "NOTDIR"},
                     Step{"opendir /b.txt", "NOTDIR"},
                     Step{"stat /b.txt/", "NOTDIR"},
                     Step{"stat /b.txt/x", "NOTDIR"},
                     Step{"read /b.txt/x", "NOTDIR"},
                     Step{"opendir /etc/config", "NOTDIR"},
                     Step{"read /etc/config/", "NOTDIR"},
                     Step{"opendir /app/", "ok"},
                     Step{"read /app", "ISDIR"},
                     Step{"unlink /b.txt/", "NOTDIR"},
                     Step{"readlink /b.txt/", "NOTDIR"},
                     Step{"readlink /app/", "INVAL"},
                 });
}

TEST(Namespace, PreopensAreTheHostFoldersInOrder) {
  auto one = tree_at("/z"), two = tree_at("/a"), three = tree_at("/m");
  one.host_folder = three.host_folder = true;
  Built built({one, two, three});
  ASSERT_EQ(built.names->preopens().size(), 2u);
  EXPECT_EQ(built.names->preopens()[0]->path, "/z");
  EXPECT_EQ(built.names->preopens()[1]->path, "/m");
  Script script(built.names);
  EXPECT_EQ(script.open_file("/z/sub", {})->confined_to, "/z");
  EXPECT_EQ(script.open_file("/z/sub", {})->path, "/z/sub");
  EXPECT_EQ(script.open_file("/a/sub", {})->confined_to, "");
}

TEST(Namespace, HonoursTheLongestPathOfTheProfile) {
  Built built({}, 8);
  Script script(built.names);
  EXPECT_EQ(script.run("read /b.txt"), "bee");
  EXPECT_EQ(script.run("read /1234567"), "NAMETOOLONG");
  EXPECT_EQ(script.run("read /123456"), "NOENT");
}

TEST(TreeMount, ShowsSizeTimesAndContents) {
  image::test::TarText tar;
  tar.raw(image::test::HeaderBlock("f", '0', 5).modified_s(77).sealed()).raw(image::test::padded("hello"));
  const auto mount = tree_of(tar);
  Guest guest;
  const auto stat = mount->stat(guest.fresh(), "f", true);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->device, device_code("TarF"));
  EXPECT_EQ(stat->type, FileType::regular);
  EXPECT_EQ(stat->size, 5u);
  EXPECT_EQ(stat->links, 1u);
  for (const std::uint64_t ns : {stat->accessed_ns, stat->modified_ns, stat->changed_ns})
    EXPECT_EQ(ns, 77'000'000'000u);
}

TEST(TreeMount, ReadsSeeksAndReadsAt) {
  image::test::TarText tar;
  tar.file("f", "hello").file("d/x");
  const auto mount = tree_of(tar);
  Guest guest;
  const auto file = *guest.open(*mount, "f", Guest::kReads);
  EXPECT_EQ(*guest.read(*file, 2), "he");
  EXPECT_EQ(*guest.read(*file, 100), "llo");
  EXPECT_EQ(*guest.read(*file, 100), "");
  EXPECT_EQ(*file->seek(0, Whence::current), 5u);
  EXPECT_EQ(*file->seek(-2, Whence::end), 3u);
  EXPECT_EQ(*guest.read(*file), "lo");
  EXPECT_EQ(*file->seek(100, Whence::set), 5u);
  EXPECT_EQ(*file->seek(INT64_MAX, Whence::end), 5u);
  EXPECT_EQ(*file->seek(-5, Whence::end), 0u);
  EXPECT_EQ(file->seek(-6, Whence::end).error(), Errno::inval);
  EXPECT_EQ(file->seek(-1, Whence::set).error(), Errno::inval);
  EXPECT_EQ(file->seek(INT64_MIN, Whence::current).error(), Errno::inval);
  std::byte a[2], b[9];
  const std::span<std::byte> both[] = {a, b};
  EXPECT_EQ(*file->read_at(guest.fresh(), both, 1), 4u);
  EXPECT_EQ(static_cast<char>(b[0]), 'l');
  EXPECT_EQ(*file->read_at(guest.fresh(), both, UINT64_MAX), 0u);
  EXPECT_EQ(*file->seek(0, Whence::current), 0u);
  EXPECT_EQ(file->set_size(1).error(), Errno::rofs);
  EXPECT_EQ(file->allocate(0, 1).error(), Errno::rofs);
  EXPECT_EQ(file->set_times({}, {}).error(), Errno::rofs);
  EXPECT_TRUE(file->sync(false));
  const auto directory = *guest.open(*mount, "d", Guest::kReads);
  EXPECT_EQ(directory->seek(0, Whence::set).error(), Errno::isdir);
  EXPECT_EQ(guest.read(*directory).error(), Errno::isdir);
  EXPECT_EQ(guest.write(*directory, "x").error(), Errno::isdir);
}

TEST(ConfigMount, IsOneFileWithAContent) {
  const auto mount = make_config_mount("a=1", "/etc/config");
  Guest guest;
  const auto one = *guest.open(*mount, "", Guest::kReads);
  const auto two = *guest.open(*mount, "", Guest::kReads);
  EXPECT_EQ(*guest.read(*one, 1), "a");
  EXPECT_EQ(*guest.read(*two), "a=1");  // its own cursor
  EXPECT_EQ(*guest.read(*one), "=1");
  EXPECT_EQ(one->stat()->device, device_code("Conf"));
  EXPECT_EQ(one->stat()->size, 3u);
  EXPECT_EQ(one->stat()->inode, inode_of("/etc/config"));
  EXPECT_EQ(guest.open(*mount, "", Guest::kWrites).error(), Errno::rofs);
  EXPECT_EQ(guest.open(*mount, "", {.create = true}).error(), Errno::rofs);
  EXPECT_EQ(guest.open(*mount, "x", Guest::kReads).error(), Errno::notdir);
  EXPECT_EQ(guest.open(*mount, "", {.directory = true}).error(), Errno::notdir);
  EXPECT_EQ(mount->unlink(guest.fresh(), "").error(), Errno::rofs);
  const auto empty = make_config_mount("", "/e");
  EXPECT_EQ(*guest.read(**guest.open(*empty, "", Guest::kReads)), "");
}

}  // namespace
}  // namespace fusebox::vfs
