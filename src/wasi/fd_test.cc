// Rows 7-16, 18, 19, 23-26: what can be asked of a descriptor besides its content.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;

class Fd : public Guest {
 protected:
  void SetUp() override {
    root_->add("file", FileType::regular, "0123456789");
    root_->add("dir", FileType::directory);
    data_->add("file", FileType::regular, "data");
    dev_->streams["a"] = std::make_shared<Stream>();
    Guest::SetUp();
  }
};

TEST_F(Fd, TheLayoutIsConsoleThenFoldersThenRoot) {
  EXPECT_EQ(process_->open_fds(), 6u);
  const std::pair<std::uint32_t, std::string> preopens[] = {{kData, "/data"}, {kFixed, "/fixed"}, {kRoot, "/"}};
  for (const auto& [fd, name] : preopens) {
    ASSERT_EQ(call("fd_prestat_get", {fd, kOut}), Errno::success);
    EXPECT_EQ(get<std::uint32_t>(kOut), 0u);
    ASSERT_EQ(get<std::uint32_t>(kOut + 4), name.size());
    ASSERT_EQ(call("fd_prestat_dir_name", {fd, kText, static_cast<std::int64_t>(name.size())}), Errno::success);
    EXPECT_EQ(text(kText, name.size()), name);
  }
  for (const std::int64_t fd : {0, 1, 2, 6, 1000, -1}) {
    EXPECT_EQ(call("fd_prestat_get", {fd, kOut}), Errno::badf);
    EXPECT_EQ(call("fd_prestat_dir_name", {fd, kText, 100}), Errno::badf);
  }
  EXPECT_EQ(opened("file"), kFirstFree);
  EXPECT_EQ(call("fd_prestat_get", {kFirstFree, kOut}), Errno::badf);
}

TEST_F(Fd, PreopenNamesAreExactBytes) {
  put_text(kText, "xxxxxxxxxx");
  EXPECT_EQ(call("fd_prestat_dir_name", {kData, kText, 4}), Errno::nametoolong);
  EXPECT_EQ(text(kText, 5), "xxxxx");
  EXPECT_EQ(call("fd_prestat_dir_name", {kData, kText, 5}), Errno::success);
  EXPECT_EQ(text(kText, 6), "/datax") << "no NUL";
  EXPECT_EQ(call("fd_prestat_dir_name", {kData, kMemoryBytes - 5, 5}), Errno::success);
  EXPECT_EQ(call("fd_prestat_dir_name", {kData, kMemoryBytes - 4, 5}), Errno::fault);
  EXPECT_EQ(call("fd_prestat_get", {kData, kMemoryBytes - 8}), Errno::success);
  EXPECT_EQ(call("fd_prestat_get", {kData, kMemoryBytes - 7}), Errno::fault);
}

TEST_F(Fd, ACompatibleProcessCountsTheNul) {
  ProcessOptions options;
  options.prestat_nul = true;
  start(std::move(options));
  ASSERT_EQ(call("fd_prestat_get", {kData, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut + 4), 6u);
  EXPECT_EQ(call("fd_prestat_dir_name", {kData, kText, 5}), Errno::nametoolong);
  put_text(kText, "xxxxxxxxxx");
  EXPECT_EQ(call("fd_prestat_dir_name", {kData, kText, 6}), Errno::success);
  EXPECT_EQ(text(kText, 7), std::string("/data\0x", 7));
}

TEST_F(Fd, StatusTellsTypeFlagsAndRights) {
  const auto status = [&](std::int64_t fd) {
    EXPECT_EQ(call("fd_fdstat_get", {fd, kOut}), Errno::success);
    return std::tuple(get<std::uint8_t>(kOut), get<std::uint16_t>(kOut + 2), get<std::uint64_t>(kOut + 8),
                      get<std::uint64_t>(kOut + 16));
  };
  const std::uint64_t full = ~std::uint64_t{0};
  EXPECT_EQ(status(0), std::tuple(2, 0, 0xffffffffffffffdb, 0xffffffffffffffdb));
  EXPECT_EQ(status(kData), std::tuple(3, 0, full, full));
  EXPECT_EQ(status(kFixed), std::tuple(3, 0, 0xfffffffff824e0be, 0xfffffffff824e0be));
  EXPECT_EQ(status(kRoot), std::tuple(3, 0, full, full));
  const auto fd = opened("file", {.base = kReadOnly, .inheriting = 2, .fd_flags = 4});
  EXPECT_EQ(status(fd), std::tuple(4, 4, 0x3f, 2));
  EXPECT_EQ(call("fd_fdstat_get", {0, kMemoryBytes - 24}), Errno::success);
  EXPECT_EQ(call("fd_fdstat_get", {0, kMemoryBytes - 23}), Errno::fault);
  EXPECT_EQ(call("fd_fdstat_get", {77, kOut}), Errno::badf);
}

TEST_F(Fd, FlagsCanBeSetAsFarAsTheNodeHasThem) {
  const auto file = opened("file");
  EXPECT_EQ(call("fd_fdstat_set_flags", {file, 31}), Errno::success);
  EXPECT_EQ(call("fd_fdstat_get", {file, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint16_t>(kOut + 2), 31);
  EXPECT_EQ(call("fd_fdstat_set_flags", {file, 32}), Errno::notsup);
  EXPECT_EQ(call("fd_fdstat_set_flags", {file, 0x10004}), Errno::notsup);
  EXPECT_EQ(call("fd_fdstat_set_flags", {0, 4}), Errno::success);
  EXPECT_EQ(call("fd_fdstat_set_flags", {0, 1}), Errno::notsup) << "a stream cannot append";
  EXPECT_EQ(read(0), "AGAIN");
  EXPECT_EQ(call("fd_fdstat_set_flags", {0, 0}), Errno::success);
  EXPECT_EQ(call("fd_fdstat_set_flags", {99, 0}), Errno::badf);
}

TEST_F(Fd, RightsOnlyShrinkAndAreCheckedFromThenOn) {
  const auto fd = opened("file", {.base = 0xff});
  EXPECT_EQ(call("fd_filestat_get", {fd, kOut}), Errno::success) << "not asked for, but not shrunk either";
  EXPECT_EQ(call("fd_fdstat_set_rights", {fd, 0x1ff, kAll}), Errno::notcapable);
  EXPECT_EQ(call("fd_filestat_get", {fd, kOut}), Errno::success) << "a refusal changes nothing";
  EXPECT_EQ(call("fd_fdstat_set_rights", {fd, 0xff, 0}), Errno::success);
  EXPECT_EQ(call("fd_filestat_get", {fd, kOut}), Errno::notcapable);
  EXPECT_EQ(call("fd_fdstat_set_rights", {fd, 0xff, 1}), Errno::notcapable);
  EXPECT_EQ(call("fd_fdstat_set_rights", {99, 0, 0}), Errno::badf);
}

struct RightCase {
  const char* name;
  std::uint64_t right;
  std::vector<std::int64_t> arguments;  // after the descriptor
};

TEST_F(Fd, EveryCallNeedsItsRightOnceRightsWereShrunk) {
  using namespace vfs::right;
  path("x");
  vectors({{kText, 1}});
  const RightCase cases[] = {
      {"fd_advise", fd_advise, {0, 0, 0}},
      {"fd_allocate", fd_allocate, {0, 1}},
      {"fd_datasync", fd_datasync, {}},
      {"fd_fdstat_set_flags", fd_fdstat_set_flags, {0}},
      {"fd_filestat_get", fd_filestat_get, {kOut}},
      {"fd_filestat_set_size", fd_filestat_set_size, {1}},
      {"fd_filestat_set_times", fd_filestat_set_times, {0, 0, 0}},
      {"fd_pread", fd_read, {kVectors, 1, 0, kOut}},
      {"fd_pwrite", fd_write, {kVectors, 1, 0, kOut}},
      {"fd_read", fd_read, {kVectors, 1, kOut}},
      {"fd_write", fd_write, {kVectors, 1, kOut}},
      {"fd_readdir", fd_readdir, {kText, 10, 0, kOut}},
      {"fd_seek", fd_seek, {1, 0, kOut}},
      {"fd_seek", fd_tell, {0, 1, kOut}},
      {"fd_sync", fd_sync, {}},
      {"fd_tell", fd_tell, {kOut}},
      {"path_create_directory", path_create_directory, {kPath, 1}},
      {"path_filestat_get", path_filestat_get, {0, kPath, 1, kOut}},
      {"path_filestat_set_times", path_filestat_set_times, {0, kPath, 1, 0, 0, 0}},
      {"path_open", path_open, {0, kPath, 1, 0, 0, 0, 0, kOut}},
      {"path_open", path_open | path_create_file, {0, kPath, 1, 1, 0, 0, 0, kOut}},
      {"path_open", path_open | path_filestat_set_size, {0, kPath, 1, 8, 0, 0, 0, kOut}},
      {"path_readlink", path_readlink, {kPath, 1, kText, 10, kOut}},
      {"path_remove_directory", path_remove_directory, {kPath, 1}},
      {"path_unlink_file", path_unlink_file, {kPath, 1}},
      {"sock_accept", sock_accept, {0, kOut}},
      {"sock_recv", fd_read, {kVectors, 1, 0, kOut, kOut + 8}},
      {"sock_send", fd_write, {kVectors, 1, 0, kOut}},
      {"sock_shutdown", sock_shutdown, {1}},
  };
  for (const RightCase& each : cases) {
    std::vector<std::int64_t> arguments = {0};
    arguments.insert(arguments.end(), each.arguments.begin(), each.arguments.end());
    const bool on_path = std::string_view(each.name).starts_with("path");
    for (const bool has : {true, false}) {
      std::uint64_t right = each.right;
      if (!has) right = on_path && std::popcount(right) > 1 ? path_open : 0;
      const auto fd = on_path ? opened("/dir", {.flags = 2, .base = ~2ll & ~64ll & ~1ll}) : opened("/file");
      arguments[0] = fd;
      ASSERT_EQ(call("fd_fdstat_set_rights", {fd, static_cast<std::int64_t>(right), 0}), Errno::success) << each.name;
      path("x");
      vectors({{kText, 1}});
      EXPECT_EQ(call(each.name, arguments) == Errno::notcapable, !has) << each.name << " " << right;
      EXPECT_EQ(call("fd_close", {fd}), Errno::success);
    }
  }
}

TEST_F(Fd, CallsWithTwoPathsNeedBothRights) {
  using namespace vfs::right;
  const auto tries = [&](const std::string& name, vfs::Rights from, vfs::Rights to) {
    const auto a = opened("/dir", {.flags = 2, .base = ~64ll});
    const auto b = opened("/dir", {.flags = 2, .base = ~64ll});
    EXPECT_EQ(call("fd_fdstat_set_rights", {a, static_cast<std::int64_t>(from), 0}), Errno::success);
    EXPECT_EQ(call("fd_fdstat_set_rights", {b, static_cast<std::int64_t>(to), 0}), Errno::success);
    path("x");
    put_text(kPath2, "y");
    const Errno error =
        name == "path_link" ? call(name, {a, 0, kPath, 1, b, kPath2, 1}) : call(name, {a, kPath, 1, b, kPath2, 1});
    EXPECT_EQ(call("fd_close", {a}), Errno::success);
    EXPECT_EQ(call("fd_close", {b}), Errno::success);
    return error;
  };
  EXPECT_EQ(tries("path_link", path_link_source, path_link_target), Errno::noent);
  EXPECT_EQ(tries("path_link", path_link_target, path_link_target), Errno::notcapable);
  EXPECT_EQ(tries("path_link", path_link_source, path_link_source), Errno::notcapable);
  EXPECT_EQ(tries("path_rename", path_rename_source, path_rename_target), Errno::noent);
  EXPECT_EQ(tries("path_rename", path_rename_target, path_rename_target), Errno::notcapable);
  EXPECT_EQ(tries("path_rename", path_rename_source, path_rename_source), Errno::notcapable);
}

TEST_F(Fd, StatHasEveryField) {
  Node& node = *data_->find("file");
  node.links = 3;
  node.accessed_ns = 11;
  node.modified_ns = 12;
  const auto fd = opened("/data/file");
  ASSERT_EQ(call("fd_filestat_get", {fd, kOut}), Errno::success);
  EXPECT_EQ(text(kOut, 4), "Modl");
  EXPECT_EQ(get<std::uint64_t>(kOut + 8), node.inode);
  EXPECT_EQ(get<std::uint64_t>(kOut + 16), 4u);
  EXPECT_EQ(get<std::uint64_t>(kOut + 24), 3u);
  EXPECT_EQ(get<std::uint64_t>(kOut + 32), 4u);
  EXPECT_EQ(get<std::uint64_t>(kOut + 40), 11u);
  EXPECT_EQ(get<std::uint64_t>(kOut + 48), 12u);
  EXPECT_EQ(get<std::uint64_t>(kOut + 56), 0u);
  EXPECT_EQ(call("fd_filestat_get", {fd, kMemoryBytes - 64}), Errno::success);
  EXPECT_EQ(call("fd_filestat_get", {fd, kMemoryBytes - 63}), Errno::fault);
  EXPECT_EQ(call("fd_filestat_get", {99, kOut}), Errno::badf);
}

TEST_F(Fd, TheSnapshotBeforeHasAShorterStat) {
  data_->find("file")->links = std::uint64_t{1} << 40;
  const auto fd = opened("/data/file");
  memory()[kOut + 56] = std::byte{0x77};
  ASSERT_EQ(call("u.fd_filestat_get", {fd, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint8_t>(kOut + 16), 4u);
  EXPECT_EQ(get<std::uint32_t>(kOut + 20), UINT32_MAX);
  EXPECT_EQ(get<std::uint64_t>(kOut + 24), 4u);
  EXPECT_EQ(memory()[kOut + 56], std::byte{0x77});
  EXPECT_EQ(call("u.fd_filestat_get", {fd, kMemoryBytes - 56}), Errno::success);
  EXPECT_EQ(call("u.fd_filestat_get", {fd, kMemoryBytes - 55}), Errno::fault);
}

TEST_F(Fd, AdviceIsForFilesAlone) {
  const auto file = opened("file");
  for (std::int64_t advice = 0; advice < 6; ++advice)
    EXPECT_EQ(call("fd_advise", {file, 0, 10, advice}), Errno::success);
  EXPECT_EQ(call("fd_advise", {file, 0, 10, 6}), Errno::inval);
  EXPECT_EQ(call("fd_advise", {0, 0, 10, 0}), Errno::spipe);
  EXPECT_EQ(call("fd_advise", {kRoot, 0, 10, 0}), Errno::badf);
  EXPECT_EQ(call("fd_advise", {99, 0, 10, 6}), Errno::badf);
}

TEST_F(Fd, SizesOfFilesCanBeChanged) {
  const auto file = opened("file");
  EXPECT_EQ(call("fd_filestat_set_size", {file, 3}), Errno::success);
  EXPECT_EQ(root_->find("file")->data, "012");
  EXPECT_EQ(call("fd_allocate", {file, 2, 4}), Errno::success);
  EXPECT_EQ(root_->find("file")->data, std::string("012\0\0\0", 6));
  EXPECT_EQ(call("fd_allocate", {0, 0, 1}), Errno::badf);
  EXPECT_EQ(call("fd_allocate", {kRoot, 0, 1}), Errno::badf);
  EXPECT_EQ(call("fd_allocate", {99, 0, 1}), Errno::badf);
  EXPECT_EQ(call("fd_filestat_set_size", {0, 1}), Errno::inval);
  EXPECT_EQ(call("fd_filestat_set_size", {99, 1}), Errno::badf);
}

TEST_F(Fd, AReadOnlyDescriptorResizesNothing) {
  const auto file = opened("file", {.base = kReadOnly});
  const std::string before = root_->find("file")->data;
  EXPECT_EQ(call("fd_filestat_set_size", {file, 1}), Errno::badf);
  EXPECT_EQ(call("fd_allocate", {file, 0, 1000}), Errno::badf);
  EXPECT_EQ(root_->find("file")->data, before);
}

TEST_F(Fd, TimesHaveOneFormEach) {
  const auto file = opened("file");
  Node& node = *root_->find("file");
  EXPECT_EQ(call("fd_filestat_set_times", {file, 5, 6, 1 | 4}), Errno::success);
  EXPECT_EQ(std::pair(node.accessed_ns, node.modified_ns), (std::pair<std::uint64_t, std::uint64_t>(5, 6)));
  EXPECT_EQ(call("fd_filestat_set_times", {file, 7, 8, 2}), Errno::success);
  EXPECT_EQ(std::pair(node.accessed_ns, node.modified_ns),
            (std::pair<std::uint64_t, std::uint64_t>(1'000'000'000'000, 6)));
  for (const std::int64_t flags : {1 | 2, 4 | 8, 15, 16, -1})
    EXPECT_EQ(call("fd_filestat_set_times", {file, 9, 9, flags}), Errno::inval);
  EXPECT_EQ(node.modified_ns, 6u);
  EXPECT_EQ(call("fd_filestat_set_times", {0, 9, 9, 1}), Errno::badf);
  EXPECT_EQ(call("fd_filestat_set_times", {99, 9, 9, 1}), Errno::badf);
}

TEST_F(Fd, SyncingWorksEverywhere) {
  for (const std::int64_t fd : {std::int64_t{0}, std::int64_t{kRoot}, std::int64_t{opened("file")}}) {
    EXPECT_EQ(call("fd_sync", {fd}), Errno::success);
    EXPECT_EQ(call("fd_datasync", {fd}), Errno::success);
  }
  EXPECT_EQ(call("fd_sync", {99}), Errno::badf);
  EXPECT_EQ(call("fd_datasync", {99}), Errno::badf);
}

TEST_F(Fd, SeekingMovesTheCursor) {
  const auto file = opened("file");
  const auto seek = [&](std::int64_t offset, std::int64_t whence, const char* name = "fd_seek") -> std::int64_t {
    const Errno error = call(name, {file, offset, whence, kOut});
    return error == Errno::success ? get<std::int64_t>(kOut) : -static_cast<std::int64_t>(error);
  };
  EXPECT_EQ(seek(4, 0), 4);
  EXPECT_EQ(seek(2, 1), 6);
  EXPECT_EQ(seek(-1, 2), 9);
  EXPECT_EQ(read(file), "9");
  EXPECT_EQ(seek(-1, 0), -static_cast<std::int64_t>(Errno::inval));
  EXPECT_EQ(seek(0, 3), -static_cast<std::int64_t>(Errno::inval));
  EXPECT_EQ(seek(0, -1), -static_cast<std::int64_t>(Errno::inval));
  EXPECT_EQ(call("fd_tell", {file, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint64_t>(kOut), 10u);
  EXPECT_EQ(call("fd_tell", {file, kMemoryBytes - 8}), Errno::success);
  EXPECT_EQ(call("fd_tell", {file, kMemoryBytes - 7}), Errno::fault);
  EXPECT_EQ(call("fd_seek", {file, 1, 0, kMemoryBytes - 7}), Errno::fault);
  EXPECT_EQ(call("fd_tell", {file, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint64_t>(kOut), 10u) << "a bad pointer moves nothing";
  EXPECT_EQ(call("fd_seek", {1, 0, 1, kOut}), Errno::spipe);
  EXPECT_EQ(call("fd_tell", {1, kOut}), Errno::spipe);
  EXPECT_EQ(call("fd_seek", {kRoot, 0, 0, kOut}), Errno::isdir);
  EXPECT_EQ(call("fd_seek", {99, 0, 0, kOut}), Errno::badf);
  EXPECT_EQ(call("fd_tell", {99, kOut}), Errno::badf);
}

TEST_F(Fd, TheSnapshotBeforeNumbersWhencesOtherwise) {
  const auto file = opened("file");
  const auto seek = [&](std::int64_t offset, std::int64_t whence) {
    EXPECT_EQ(call("u.fd_seek", {file, offset, whence, kOut}), Errno::success);
    return get<std::int64_t>(kOut);
  };
  EXPECT_EQ(seek(4, 2), 4);
  EXPECT_EQ(seek(2, 0), 6);
  EXPECT_EQ(seek(-1, 1), 9);
  EXPECT_EQ(call("u.fd_seek", {file, 0, 3, kOut}), Errno::inval);
}

TEST_F(Fd, ClosingFreesTheLowestNumber) {
  const auto a = opened("file");
  const auto b = opened("file");
  EXPECT_EQ(call("fd_close", {a}), Errno::success);
  EXPECT_EQ(call("fd_close", {a}), Errno::badf);
  EXPECT_EQ(read(a), "BADF");
  EXPECT_EQ(opened("file"), a);
  EXPECT_EQ(b, a + 1);
  for (const std::uint32_t fd : {0u, 1u, 2u, kData, kFixed, kRoot}) {
    EXPECT_EQ(call("fd_close", {fd}), Errno::success);
    EXPECT_EQ(call("fd_fdstat_get", {fd, kOut}), Errno::success) << "consoles and preopens stay";
  }
  EXPECT_EQ(call("fd_close", {-1}), Errno::badf);
}

TEST_F(Fd, ClosingReportsWhatWentWrongAndClosesAllTheSame) {
  dev_->streams["a"]->closes_with = Errno::fbig;
  const auto fd = opened("/dev/a");
  EXPECT_EQ(call("fd_close", {fd}), Errno::fbig);
  EXPECT_EQ(call("fd_close", {fd}), Errno::badf);
}

TEST_F(Fd, RenumberingReplacesAtOnce) {
  const auto file = opened("file");
  const auto stream = opened("/dev/a");
  EXPECT_EQ(call("fd_renumber", {file, 99}), Errno::badf);
  EXPECT_EQ(call("fd_renumber", {99, file}), Errno::badf);
  EXPECT_EQ(call("fd_renumber", {file, file}), Errno::success);
  EXPECT_EQ(call("fd_renumber", {file, stream}), Errno::success);
  EXPECT_EQ(call("fd_close", {file}), Errno::badf);
  EXPECT_EQ(read(stream), "0123456789");
  EXPECT_EQ(call("fd_renumber", {stream, 0}), Errno::success) << "consoles can be replaced";
  EXPECT_EQ(call("fd_seek", {0, 0, 0, kOut}), Errno::success);
  EXPECT_EQ(read(0, 3), "012");
}

// A number that was shrunk, confined or read from and then closed says nothing about what is opened at it next.
TEST_F(Fd, ANumberThatIsUsedAgainHasTheRightsOfItsNewFile) {
  const auto shrunk = opened("file");
  ASSERT_EQ(call("fd_fdstat_set_rights", {shrunk, 2, 0}), Errno::success);
  ASSERT_EQ(write(shrunk, "x"), Errno::notcapable);
  ASSERT_EQ(read(shrunk, 3), "012");
  ASSERT_EQ(call("fd_close", {shrunk}), Errno::success);
  ASSERT_EQ(opened("file", {.base = kReadOnly}), shrunk);
  EXPECT_EQ(read(shrunk, 3), "012") << "from its start";
  EXPECT_EQ(call("fd_filestat_get", {shrunk, kOut}), Errno::success);
  EXPECT_EQ(write(shrunk, "x"), Errno::badf);
  ASSERT_EQ(call("fd_close", {shrunk}), Errno::success);
  ASSERT_EQ(opened("file"), shrunk);
  EXPECT_EQ(write(shrunk, "x"), Errno::success);
}

TEST_F(Fd, ANumberThatIsUsedAgainHasTheConfinementOfItsNewFolder) {
  data_->add("dir", FileType::directory);
  fixed_->add("dir", FileType::directory);
  const auto looks_up = [&](std::uint32_t fd) {
    return call("path_filestat_get", {fd, 1, kPath, path("../../dir"), kOut});
  };
  const auto fd = opened("/data/dir", {.flags = 2, .base = kDirectoryRights});
  EXPECT_EQ(looks_up(fd), Errno::notcapable);
  EXPECT_EQ(open("made", {.flags = 1, .base = 64, .at = fd}), Errno::success);
  ASSERT_EQ(call("fd_close", {get<std::uint32_t>(kOut)}), Errno::success);
  ASSERT_EQ(call("fd_close", {fd}), Errno::success);
  ASSERT_EQ(opened("dir", {.flags = 2, .base = kDirectoryRights}), fd);
  EXPECT_EQ(looks_up(fd), Errno::success) << "the image's folders are not confined";
  ASSERT_EQ(call("fd_close", {fd}), Errno::success);
  ASSERT_EQ(opened("dir", {.flags = 2, .base = kDirectoryRights, .inheriting = 2, .at = kFixed}), fd);
  EXPECT_EQ(looks_up(fd), Errno::notcapable);
  EXPECT_EQ(open("made", {.flags = 1, .base = 64, .at = fd}), Errno::notcapable) << "nor is what it may give";
  // Renumbering takes all of it along.
  const auto wide = opened("/data/dir", {.flags = 2, .base = kDirectoryRights});
  ASSERT_EQ(call("fd_renumber", {fd, wide}), Errno::success);
  EXPECT_EQ(open("made", {.flags = 1, .base = 64, .at = wide}), Errno::notcapable);
  ASSERT_EQ(opened("dir", {.flags = 2, .base = kDirectoryRights}), fd);
  EXPECT_EQ(looks_up(fd), Errno::success);
}

TEST_F(Fd, DescriptorsHaveABound) {
  ProcessOptions options;
  options.fds_max = 8;
  start(std::move(options));
  EXPECT_EQ(opened("file"), 6u);
  EXPECT_EQ(opened("file"), 7u);
  EXPECT_EQ(open("made", {.flags = 1}), Errno::mfile);
  EXPECT_EQ(root_->find("made"), nullptr) << "nothing is created without a number for it";
  EXPECT_EQ(call("fd_close", {6}), Errno::success);
  EXPECT_EQ(opened("file"), 6u);
}

TEST_F(Fd, ClosingAllLeavesNothing) {
  opened("file");
  process_->close_all();
  EXPECT_EQ(process_->open_fds(), 0u);
  EXPECT_EQ(call("fd_fdstat_get", {0, kOut}), Errno::badf);
}

}  // namespace
}  // namespace fusebox::wasi
