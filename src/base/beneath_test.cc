// Every case runs with the kernel's walk and with our own: both must answer the same.
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace fusebox::base {
namespace {

namespace fs = std::filesystem;

enum class Walk { kernel, own };

class BeneathTest : public ::testing::TestWithParam<Walk> {
 protected:
  BeneathTest() {
    fs::create_directories(root() / "dir" / "deep");
    std::ofstream(root() / "a") << "alpha";
    std::ofstream(folder_.path() / "secret") << "secret";
    const auto link = [&](const char* target, const char* name) { fs::create_symlink(target, root() / name); };
    link("a", "to-a");
    link("dir", "to-dir");
    link("../a", "dir/up");
    link("dir/", "slashed");
    link("a/", "file-slashed");
    link(".", "dot");
    link("dir/deep/..", "back");
    link("new", "dangling");
    link("no/new", "dangling-deep");
    link("../secret", "out");
    link("..", "parent");
    link("dir/../../root/a", "out-and-in");
    link("/", "slash");
    link("loop", "loop");
    handle_ = Fd::adopt(::open(root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void SetUp() override {
    if (GetParam() == Walk::kernel && !kernel_can_walk_beneath()) GTEST_SKIP() << "openat2 is refused on this machine";
  }
  fs::path root() const { return folder_.path() / "root"; }
  Beneath walk(bool follow_links = true) const {
    return {handle_.get(), {.follow_links = follow_links, .kernel_walk = GetParam() == Walk::kernel}};
  }
  // "name", "name missing", or why not.
  static std::string text(const Beneathed<Place>& place) {
    if (place) return place->name + (place->exists ? "" : " missing");
    switch (place.error().what) {
      case BeneathFailure::link:
        return "link";
      case BeneathFailure::leaves:
        return "leaves";
      case BeneathFailure::too_deep:
        return "too deep";
      case BeneathFailure::no_more_folders:
        return "no more folders";
      case BeneathFailure::system:
        break;
    }
    return place.error().saved_errno == ENOENT ? "ENOENT" : place.error().saved_errno == ENOTDIR ? "ENOTDIR" : "other";
  }

  TempDir folder_ = std::move(*TempDir::create());
  Fd handle_;
};
INSTANTIATE_TEST_SUITE_P(Walks, BeneathTest, ::testing::Values(Walk::kernel, Walk::own),
                         [](const auto& walk) { return walk.param == Walk::kernel ? "Kernel" : "Own"; });

struct Case {
  const char *path, *followed, *kept, *denied;  // following the last link, keeping it, with links not allowed at all
};
constexpr Case kCases[] = {
    {"a", "a", "a", "a"},
    {"dir/deep", "deep", "deep", "deep"},
    {"none", "none missing", "none missing", "none missing"},
    {"no/thing", "ENOENT", "ENOENT", "ENOENT"},
    {"a/x", "ENOTDIR", "ENOTDIR", "ENOTDIR"},
    {"to-a", "a", "to-a", "link"},
    {"to-a/x", "ENOTDIR", "ENOTDIR", "link"},
    {"to-dir", "dir", "to-dir", "link"},
    {"to-dir/up", "a", "up", "link"},
    {"dir/up", "a", "up", "link"},
    {"slashed", ".", "slashed", "link"},
    {"slashed/deep", "deep", "deep", "link"},
    {"file-slashed", "ENOTDIR", "file-slashed", "link"},
    {"dot", ".", "dot", "link"},
    {"dot/dot/a", "a", "a", "link"},
    {"back", ".", "back", "link"},
    {"back/deep", "deep", "deep", "link"},
    {"dangling", "new missing", "dangling", "link"},
    {"dangling-deep", "ENOENT", "dangling-deep", "link"},
    {"dangling/x", "ENOENT", "ENOENT", "link"},
    {"out", "leaves", "out", "link"},
    {"parent", "leaves", "parent", "link"},
    {"parent/secret", "leaves", "leaves", "link"},
    {"out-and-in", "leaves", "out-and-in", "link"},
    {"slash", "leaves", "slash", "link"},
    {"slash/etc", "leaves", "leaves", "link"},
    {"loop", "link", "loop", "link"},
    {"loop/x", "link", "link", "link"},
};

TEST_P(BeneathTest, EndsWhereItShould) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.path);
    EXPECT_EQ(text(walk().find(c.path, true)), c.followed);
    EXPECT_EQ(text(walk().find(c.path, false)), c.kept);
    EXPECT_EQ(text(walk(false).find(c.path, true)), c.denied);
  }
}

TEST_P(BeneathTest, WithoutLinksTheLastNameMayStillBeSeen) {
  EXPECT_EQ(text(walk(false).find("to-a", false)), "to-a");
  EXPECT_EQ(text(walk(false).find("to-dir/deep", false)), "link");
}

TEST_P(BeneathTest, APlaceIsTheFolderOfTheName) {
  const auto place = walk().find("to-dir/up", true);
  ASSERT_TRUE(place);
  EXPECT_TRUE(S_ISREG(place->info.st_mode));
  EXPECT_EQ(::faccessat(place->directory.get(), "dir", F_OK, 0), 0);  // the root: the link led up
  const auto deep = walk().find("back/deep", true);
  EXPECT_TRUE(S_ISDIR(deep->info.st_mode));
}

TEST_P(BeneathTest, OpensWhatThePathLeadsTo) {
  for (const char* path : {"a", "to-a", "dir/up", "dot/a"}) {
    const auto fd = walk().open(path, O_RDONLY | O_CLOEXEC);
    ASSERT_TRUE(fd) << path;
    EXPECT_EQ(*read_fd(fd->get(), 100), "alpha");
  }
  EXPECT_EQ(walk().open("out", O_RDONLY).error().what, BeneathFailure::leaves);
  EXPECT_EQ(walk(false).open("to-a", O_RDONLY).error().what, BeneathFailure::link);
  EXPECT_EQ(walk().open("none", O_RDONLY).error().saved_errno, ENOENT);
}

TEST_P(BeneathTest, MakesMissingFoldersUntilNoneIsLeft) {
  std::uint64_t left = 2;
  EXPECT_EQ(text(walk().find("new1/new2/file", true, &left)), "file missing");
  EXPECT_EQ(left, 0u);
  EXPECT_TRUE(fs::is_directory(root() / "new1" / "new2"));
  EXPECT_EQ(text(walk().find("new1/new2/new3/file", true, &left)), "no more folders");
  EXPECT_FALSE(fs::exists(root() / "new1" / "new2" / "new3"));
  left = 5;
  EXPECT_EQ(text(walk().find("parent/made/file", true, &left)), "leaves");
  EXPECT_EQ(left, 5u);
}

TEST_P(BeneathTest, RemembersEnoughFoldersForLinksThatLeadUp) {
  fs::path deep;
  for (int i = 0; i < 300; ++i) deep /= "d";
  fs::create_directories(root() / deep);
  const auto up = [](int levels) {
    std::string target;
    for (int i = 0; i < levels; ++i) target += "../";
    return target;
  };
  fs::create_symlink(up(200) + "d", root() / deep / "near");
  fs::create_symlink(up(300) + "a", root() / deep / "far");
  EXPECT_EQ(text(walk().find((deep / "near").string(), true)), "d");
  // The kernel has no handles to run out of.
  EXPECT_EQ(
      text(Beneath(handle_.get(), {.follow_links = true, .kernel_walk = false}).find((deep / "far").string(), true)),
      "too deep");
}

}  // namespace
}  // namespace fusebox::base
