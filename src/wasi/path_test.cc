// Rows 28-37 and contract 15.4: calls that name files.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;

class Paths : public Guest {
 protected:
  void SetUp() override {
    root_->add("file", FileType::regular, "0123456789");
    root_->add("dir", FileType::directory);
    root_->add("dir/inner", FileType::regular, "inner");
    root_->add("link", FileType::symlink, "/file");
    root_->add("loop", FileType::symlink, "/loop");
    root_->add("dirlink", FileType::symlink, "dir");
    data_->add("file", FileType::regular, "data");
    data_->add("dir", FileType::directory);
    fixed_->add("file", FileType::regular, "fixed");
    fixed_->add("dir", FileType::directory);
    Guest::SetUp();
  }
  // A call of one path.
  Errno on(const std::string& name, std::string_view where, std::int64_t fd = kRoot) {
    return call(name, {fd, kPath, path(where)});
  }
  Errno two(const std::string& name, std::string_view from, std::string_view to) {
    const std::int64_t from_size = path(from);
    const std::int64_t to_size = put_text(kPath2, to);
    if (name == "path_link") return call(name, {kRoot, 0, kPath, from_size, kRoot, kPath2, to_size});
    if (name == "path_symlink") return call(name, {kPath, from_size, kRoot, kPath2, to_size});
    return call(name, {kRoot, kPath, from_size, kRoot, kPath2, to_size});
  }
  Errno stat(std::string_view where, std::int64_t lookup = 1, std::int64_t fd = kRoot) {
    return call("path_filestat_get", {fd, lookup, kPath, path(where), kOut});
  }
};

TEST_F(Paths, OpenGivesTheLowestNumberAndWhatWasAsked) {
  EXPECT_EQ(opened("file"), kFirstFree);
  EXPECT_EQ(opened("/data/file"), kFirstFree + 1);
  EXPECT_EQ(read(kFirstFree + 1), "data");
  EXPECT_EQ(open("none"), Errno::noent);
  EXPECT_EQ(open("file/below"), Errno::notdir);
  EXPECT_EQ(open("file/"), Errno::notdir);
  EXPECT_EQ(open("", {.flags = 2, .base = kDirectoryRights}), Errno::success) << "the empty path is \".\"";
}

TEST_F(Paths, OpenFlagsMeanWhatTheySay) {
  EXPECT_EQ(open("new", {.flags = 1}), Errno::success);
  EXPECT_NE(root_->find("new"), nullptr);
  EXPECT_EQ(open("new", {.flags = 1}), Errno::success);
  EXPECT_EQ(open("new", {.flags = 1 | 4}), Errno::exist);
  EXPECT_EQ(open("file", {.flags = 8}), Errno::success);
  EXPECT_EQ(root_->find("file")->data, "");
  EXPECT_EQ(open("file", {.flags = 2, .base = kDirectoryRights}), Errno::notdir);
  EXPECT_EQ(open("dir", {.flags = 2, .base = kDirectoryRights}), Errno::success);
  EXPECT_EQ(open("dir", {.flags = 2, .base = 64}), Errno::isdir);
  EXPECT_EQ(open("new2", {.flags = 1 | 2}), Errno::inval);
  EXPECT_EQ(open("new2", {.flags = 16}), Errno::inval);
  EXPECT_EQ(open("new2", {.flags = 1, .fd_flags = 32}), Errno::inval);
  EXPECT_EQ(open("new2", {.flags = 1, .lookup = 2}), Errno::inval);
  EXPECT_EQ(root_->find("new2"), nullptr);
}

TEST_F(Paths, LinksAreFollowedWhenAsked) {
  EXPECT_EQ(read(opened("link")), "0123456789");
  EXPECT_EQ(open("link", {.lookup = 0}), Errno::loop);
  EXPECT_EQ(read(opened("dirlink/inner", {.lookup = 0})), "inner") << "links on the way always are";
  EXPECT_EQ(open("loop"), Errno::loop);
}

TEST_F(Paths, RightsBeyondTheDirectorysAreRefusedFirst) {
  EXPECT_EQ(open("file", {.base = 64, .at = kFixed}), Errno::notcapable);
  EXPECT_EQ(open("new", {.flags = 1, .base = 2, .at = kFixed}), Errno::rofs);
  EXPECT_EQ(open("none", {.base = 64, .at = kFixed}), Errno::notcapable);
  const auto directory = opened("dir", {.flags = 2, .base = kDirectoryRights, .inheriting = 2 | 4});
  EXPECT_EQ(open("inner", {.base = 2, .at = directory}), Errno::success);
  EXPECT_EQ(open("inner", {.base = 2 | 64, .at = directory}), Errno::notcapable);
  EXPECT_EQ(call("fd_fdstat_get", {opened("inner", {.base = 2, .inheriting = kAll, .at = directory}), kText}),
            Errno::success);
  EXPECT_EQ(get<std::uint64_t>(kText + 8), 2u);
  EXPECT_EQ(get<std::uint64_t>(kText + 16), 6u) << "inheriting is cut to the directory's";
}

TEST_F(Paths, AbsolutePathsDoNotDependOnTheDirectory) {
  for (const std::uint32_t fd : {0u, kData, kFixed, kRoot}) {
    EXPECT_EQ(stat("/file", 1, fd), Errno::success) << fd;
    EXPECT_EQ(get<std::uint64_t>(kOut + 32), 10u);
  }
  EXPECT_EQ(stat("file", 1, kData), Errno::success);
  EXPECT_EQ(get<std::uint64_t>(kOut + 32), 4u);
  EXPECT_EQ(stat("file", 1, 0), Errno::notdir) << "a relative path starts at a directory";
  EXPECT_EQ(stat("/file", 1, 99), Errno::badf);
  EXPECT_EQ(stat("../file", 1, kData), Errno::notcapable) << "a relative path stays in its folder";
  EXPECT_EQ(stat("../dir/../file", 1, opened_directory("dir")), Errno::success);
  EXPECT_EQ(stat("../../../file", 1, opened_directory("dir")), Errno::success) << "\"..\" at the root stays there";
}

TEST_F(Paths, PathsMustLieInMemoryAndBeShort) {
  put_text(kMemoryBytes - 4, "file");
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kMemoryBytes - 4, 4, kOut}), Errno::success);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kMemoryBytes - 4, 5, kOut}), Errno::fault);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, -1, 1, kOut}), Errno::fault);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, 4, -1, kOut}), Errno::fault);
  EXPECT_EQ(stat(std::string(4094, '/') + "f"), Errno::noent);
  EXPECT_EQ(stat(std::string(4095, '/') + "f"), Errno::nametoolong);
  EXPECT_EQ(stat(std::string(255, 'n')), Errno::noent);
  EXPECT_EQ(stat(std::string(256, 'n')), Errno::nametoolong);
  EXPECT_EQ(stat(std::string("fi\0le", 5)), Errno::inval);
}

TEST_F(Paths, EveryCallChecksItsPathsAndDescriptors) {
  const std::int64_t far = kMemoryBytes - 3;
  put_text(kPath, "none");
  for (const char* name : {"path_create_directory", "path_remove_directory", "path_unlink_file"}) {
    EXPECT_EQ(call(name, {kRoot, far, 4}), Errno::fault) << name;
    EXPECT_EQ(call(name, {99, kPath, 4}), Errno::badf) << name;
    EXPECT_EQ(call(name, {1, kPath, 4}), Errno::notdir) << name;
  }
  EXPECT_EQ(call("path_filestat_set_times", {kRoot, 0, far, 4, 0, 0, 0}), Errno::fault);
  EXPECT_EQ(call("path_filestat_set_times", {99, 0, kPath, 4, 0, 0, 0}), Errno::badf);
  EXPECT_EQ(call("path_link", {kRoot, 0, far, 4, kRoot, kPath, 4}), Errno::fault);
  EXPECT_EQ(call("path_link", {kRoot, 0, kPath, 4, kRoot, far, 4}), Errno::fault);
  EXPECT_EQ(call("path_link", {99, 0, kPath, 4, kRoot, kPath, 4}), Errno::badf);
  EXPECT_EQ(call("path_link", {kRoot, 0, kPath, 4, 99, kPath, 4}), Errno::badf);
  EXPECT_EQ(call("path_link", {kRoot, 2, kPath, 4, kRoot, kPath, 4}), Errno::inval);
  EXPECT_EQ(call("path_rename", {kRoot, far, 4, kRoot, kPath, 4}), Errno::fault);
  EXPECT_EQ(call("path_rename", {kRoot, kPath, 4, kRoot, far, 4}), Errno::fault);
  EXPECT_EQ(call("path_rename", {99, kPath, 4, kRoot, kPath, 4}), Errno::badf);
  EXPECT_EQ(call("path_rename", {kRoot, kPath, 4, 99, kPath, 4}), Errno::badf);
  EXPECT_EQ(call("path_symlink", {far, 4, kRoot, kPath, 4}), Errno::fault);
  EXPECT_EQ(call("path_symlink", {kPath, 4, kRoot, far, 4}), Errno::fault);
  EXPECT_EQ(call("path_symlink", {kPath, 4, 99, kPath, 4}), Errno::badf);
  EXPECT_EQ(call("path_readlink", {kRoot, far, 4, kText, 1, kOut}), Errno::fault);
  EXPECT_EQ(call("path_readlink", {kRoot, kPath, 4, far, 4, kOut}), Errno::fault);
  EXPECT_EQ(call("path_readlink", {kRoot, kPath, 4, kText, 4, far}), Errno::fault);
  EXPECT_EQ(call("path_readlink", {99, kPath, 4, kText, 4, kOut}), Errno::badf);
  EXPECT_EQ(call("path_open", {kRoot, 0, far, 4, 1, 2, 2, 0, kOut}), Errno::fault);
  EXPECT_EQ(call("path_open", {kRoot, 0, kPath, 4, 1, 2, 2, 0, far}), Errno::fault);
  EXPECT_EQ(call("path_open", {99, 0, kPath, 4, 1, 2, 2, 0, kOut}), Errno::badf);
  EXPECT_EQ(root_->find("none"), nullptr) << "nothing was done";
}

TEST_F(Paths, DirectoriesAreMadeAndRemoved) {
  EXPECT_EQ(on("path_create_directory", "made"), Errno::success);
  EXPECT_EQ(root_->find("made")->type, FileType::directory);
  EXPECT_EQ(on("path_create_directory", "made"), Errno::exist);
  EXPECT_EQ(on("path_create_directory", "none/made"), Errno::noent);
  EXPECT_EQ(on("path_create_directory", "/data"), Errno::exist);
  EXPECT_EQ(on("path_create_directory", "new", kFixed), Errno::rofs);
  EXPECT_EQ(on("path_remove_directory", "dir"), Errno::notempty);
  EXPECT_EQ(on("path_remove_directory", "file"), Errno::notdir);
  EXPECT_EQ(on("path_remove_directory", "made/"), Errno::success);
  EXPECT_EQ(on("path_remove_directory", "made"), Errno::noent);
  EXPECT_EQ(on("path_remove_directory", "dir", kFixed), Errno::rofs);
  EXPECT_EQ(on("path_remove_directory", "..", kData), Errno::notcapable);
}

TEST_F(Paths, FilesAreUnlinked) {
  EXPECT_EQ(on("path_unlink_file", "file"), Errno::success);
  EXPECT_EQ(on("path_unlink_file", "file"), Errno::noent);
  EXPECT_EQ(on("path_unlink_file", "dir"), Errno::isdir);
  EXPECT_EQ(on("path_unlink_file", "/data"), Errno::isdir);
  EXPECT_EQ(on("path_unlink_file", "link"), Errno::success) << "the link, not what it leads to";
  EXPECT_EQ(on("path_unlink_file", "file", kFixed), Errno::rofs);
}

TEST_F(Paths, StatHasNoSideEffectAndKnowsLinks) {
  ASSERT_EQ(stat("link", 0), Errno::success);
  EXPECT_EQ(get<std::uint8_t>(kOut + 16), 7);
  ASSERT_EQ(stat("link", 1), Errno::success);
  EXPECT_EQ(get<std::uint8_t>(kOut + 16), 4);
  EXPECT_EQ(get<std::uint64_t>(kOut + 24), 1u);
  EXPECT_EQ(get<std::uint64_t>(kOut + 32), 10u);
  EXPECT_EQ(stat("link", 2), Errno::inval);
  EXPECT_EQ(stat("loop", 1), Errno::loop);
  EXPECT_EQ(stat("file/"), Errno::notdir);
  const std::int64_t size = path("file");
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kPath, size, kMemoryBytes - 64}), Errno::success);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kPath, size, kMemoryBytes - 63}), Errno::fault);
  path("file");
  EXPECT_EQ(call("u.path_filestat_get", {kRoot, 0, kPath, size, kMemoryBytes - 56}), Errno::success);
  EXPECT_EQ(get<std::uint64_t>(kMemoryBytes - 32), 10u);
  EXPECT_EQ(call("u.path_filestat_get", {kRoot, 0, kPath, size, kMemoryBytes - 55}), Errno::fault);
}

TEST_F(Paths, TimesOfNamedFilesAreSet) {
  const auto set = [&](std::string_view where, std::int64_t flags, std::int64_t lookup = 0) {
    return call("path_filestat_set_times", {kRoot, lookup, kPath, path(where), 5, 6, flags});
  };
  EXPECT_EQ(set("file", 1 | 8), Errno::success);
  EXPECT_EQ(root_->find("file")->accessed_ns, 5u);
  EXPECT_EQ(root_->find("file")->modified_ns, 1'000'000'000'000u);
  EXPECT_EQ(set("file", 3), Errno::inval);
  EXPECT_EQ(set("file", 12), Errno::inval);
  EXPECT_EQ(set("file", 16), Errno::inval);
  EXPECT_EQ(set("file", 1, 2), Errno::inval);
  EXPECT_EQ(set("none", 1), Errno::noent);
  EXPECT_EQ(set("/fixed/file", 1), Errno::rofs);
}

TEST_F(Paths, RenameAndLinkStayInOneMount) {
  EXPECT_EQ(two("path_rename", "file", "dir/moved"), Errno::success);
  EXPECT_EQ(root_->find("dir/moved")->data, "0123456789");
  EXPECT_EQ(two("path_rename", "none", "x"), Errno::noent);
  EXPECT_EQ(two("path_rename", "dir", "dir/below"), Errno::inval);
  EXPECT_EQ(two("path_rename", "dir/moved", "/data/x"), Errno::xdev);
  EXPECT_EQ(two("path_rename", "/fixed/file", "/fixed/x"), Errno::rofs);
  EXPECT_EQ(two("path_rename", "dir/moved", "dir"), Errno::isdir);
  EXPECT_EQ(two("path_link", "dir/moved", "again"), Errno::success);
  EXPECT_EQ(root_->find("again"), root_->find("dir/moved"));
  EXPECT_EQ(two("path_link", "dir/moved", "again"), Errno::exist);
  EXPECT_EQ(two("path_link", "dir/moved", "/data/x"), Errno::xdev);
  EXPECT_EQ(two("path_link", "/fixed/file", "/fixed/x"), Errno::rofs);
  EXPECT_EQ(two("path_link", "none", "x"), Errno::noent);
}

TEST_F(Paths, SymbolicLinksAreMadeAndRead) {
  EXPECT_EQ(two("path_symlink", "dir/inner", "made"), Errno::success);
  EXPECT_EQ(read(opened("made")), "inner");
  EXPECT_EQ(two("path_symlink", "x", "made"), Errno::exist);
  EXPECT_EQ(two("path_symlink", "", "made2"), Errno::noent);
  EXPECT_EQ(two("path_symlink", "x", "/fixed/made"), Errno::rofs);
  const auto read_link = [&](std::string_view where, std::int64_t room) {
    const Errno error = call("path_readlink", {kRoot, kPath, path(where), kText, room, kOut});
    return error == Errno::success ? text(kText, get<std::uint32_t>(kOut)) : std::string(vfs::to_string(error));
  };
  EXPECT_EQ(read_link("made", 100), "dir/inner");
  EXPECT_EQ(read_link("made", 9), "dir/inner");
  EXPECT_EQ(read_link("made", 8), "dir/inne") << "a short buffer cuts";
  EXPECT_EQ(read_link("made", 0), "");
  EXPECT_EQ(read_link("file", 100), "INVAL");
  EXPECT_EQ(read_link("none", 100), "NOENT");
}

}  // namespace
}  // namespace fusebox::wasi
