// Layers laid on each other: contract 14.2 and 14.3, row by row.
#include <gtest/gtest.h>

#include "image/tree_test_support.h"

namespace fusebox::image {
namespace {

using test::build;
using test::TarText;
using Lines = std::vector<std::string>;

TarText tar() {
  return {};
}

Lines merged(const std::vector<TarText>& layers) {
  auto tree = build(layers);
  EXPECT_TRUE(tree) << tree.error().message;
  return tree ? test::lines_of(**tree) : Lines{};
}

std::string refusal(const std::vector<TarText>& layers) {
  const auto tree = build(layers);
  if (tree) return "";
  EXPECT_EQ(tree.error().name, "BAD_IMAGE");
  return tree.error().message;
}

TEST(Layering, AFileTakesThePlaceOfAFile) {
  EXPECT_EQ(merged({tar().file("f", "low"), tar().file("f", "up")}), (Lines{"f = up"}));
  EXPECT_EQ(merged({tar().file("f", "low"), tar().symlink("f", "up")}), (Lines{"f -> up"}));
  EXPECT_EQ(merged({tar().file("f", "low").file("g", "target"), tar().hard_link("f", "g")}),
            (Lines{"f = target", "g = target"}));
  EXPECT_EQ(merged({tar().symlink("f", "low"), tar().file("f", "up")}), (Lines{"f = up"}));
}

TEST(Layering, AFileHidesAFolderWithAllBelowIt) {
  const TarText low = tar().directory("d").file("d/e/f", "low");
  EXPECT_EQ(merged({low, tar().file("d", "up")}), (Lines{"d = up"}));
  EXPECT_EQ(merged({low, tar().symlink("d", "up")}), (Lines{"d -> up"}));
  EXPECT_EQ(merged({low, tar().file("d", "up"), tar().file("d/x", "top")}), (Lines{"d/", "d/x = top"}));
}

TEST(Layering, FoldersAreMergedWithTheUpperMetadata) {
  const std::string low = test::HeaderBlock("d", '5', 0).modified_s(1).sealed();
  const std::string up = test::HeaderBlock("d", '5', 0).modified_s(2).sealed();
  const auto tree = build({tar().raw(low).file("d/a", "low"), tar().raw(up).file("d/b", "up")});
  ASSERT_TRUE(tree);
  EXPECT_EQ(test::lines_of(**tree), (Lines{"d/", "d/a = low", "d/b = up"}));
  EXPECT_EQ((*tree)->node((*tree)->find("d").node).modified_ns, 2'000'000'000u);
}

TEST(Layering, AnImpliedFolderKeepsTheLowerMetadata) {
  const std::string low = test::HeaderBlock("d", '5', 0).modified_s(1).sealed();
  const auto tree = build({tar().raw(low), tar().file("d/b", "up")});
  ASSERT_TRUE(tree);
  EXPECT_EQ((*tree)->node((*tree)->find("d").node).modified_ns, 1'000'000'000u);
}

TEST(Layering, AFolderTakesThePlaceOfAFileOrLinkAndPathsAreLiteral) {
  for (const TarText& low : {tar().file("d", "low").directory("e"), tar().symlink("d", "e").directory("e")}) {
    EXPECT_EQ(merged({low, tar().directory("d")}), (Lines{"d/", "e/"}));
    EXPECT_EQ(merged({low, tar().file("d/x", "up")}), (Lines{"d/", "d/x = up", "e/"}));
  }
}

TEST(Layering, WithinOneLayerTheLastEntryOfAPathWins) {
  EXPECT_EQ(merged({tar().file("f", "1").file("./f", "2").file("/f", "3")}), (Lines{"f = 3"}));
  EXPECT_EQ(merged({tar().file("d/x", "1").file("d", "2")}), (Lines{"d = 2"}));
  EXPECT_EQ(merged({tar().file("d", "1").file("d/x", "2")}), (Lines{"d/", "d/x = 2"}));
}

TEST(Layering, EmptyFoldersAreKept) {
  EXPECT_EQ(merged({tar().directory("a/b/").directory("./c")}), (Lines{"a/", "a/b/", "c/"}));
}

TEST(Layering, TheRootMayHaveAnEntry) {
  const std::string root = test::HeaderBlock("./", '5', 0).modified_s(3).sealed();
  const auto tree = build({tar().raw(root).file("./a", "x")});
  ASSERT_TRUE(tree);
  EXPECT_EQ(test::lines_of(**tree), (Lines{"a = x"}));
  EXPECT_EQ((*tree)->node(Tree::kRoot).modified_ns, 3'000'000'000u);
  EXPECT_EQ(refusal({tar().file("./", "x")}), "byte 0: the root of an image is not a directory");
}

TEST(Layering, DevicesAndUnknownMembersAreLeftOut) {
  std::vector<std::string> dropped;
  const auto tree = build({tar().entry("dev/null", '3').entry("b", '4').entry("p", '6').entry("v", 'V', "x").file("f")},
                          Tree::Strictness::run, &dropped);
  ASSERT_TRUE(tree);
  EXPECT_EQ(test::lines_of(**tree), (Lines{"f = "}));
  EXPECT_EQ(dropped, (Lines{"byte 1536: \"v\" is of the unknown type \"V\": left out"}));
}

TEST(HardLink, HasTheContentOfItsTargetAtThatPoint) {
  EXPECT_EQ(merged({tar().file("a", "1").hard_link("b", "a").file("a", "2")}), (Lines{"a = 2", "b = 1"}));
  EXPECT_EQ(merged({tar().file("a", "1"), tar().hard_link("b", "./a"), tar().file("a", "3")}),
            (Lines{"a = 3", "b = 1"}));
  EXPECT_EQ(merged({tar().symlink("a", "t").hard_link("b", "/a")}), (Lines{"a -> t", "b -> t"}));
  EXPECT_EQ(merged({tar().file("a", "1").hard_link("a", "a")}), (Lines{"a = 1"}));
  EXPECT_EQ(merged({tar().file("d/a", "1").hard_link("d", "d/a")}), (Lines{"d = 1"}));
}

TEST(HardLink, SharesTheInodeAndOthersDoNot) {
  const auto tree = build({tar().file("a", "1").hard_link("b", "a").file("c", "1"), tar().file("a", "2")});
  ASSERT_TRUE(tree);
  const auto inode = [&](std::string_view path) { return (*tree)->node((*tree)->find(path).node).inode; };
  EXPECT_NE(inode("a"), inode("b"));
  EXPECT_NE(inode("b"), inode("c"));
  EXPECT_NE(inode("a"), 0u);
  const auto linked = build({tar().file("a", "1").hard_link("b", "a")});
  ASSERT_TRUE(linked);
  EXPECT_EQ((*linked)->node((*linked)->find("a").node).inode, (*linked)->node((*linked)->find("b").node).inode);
}

TEST(HardLink, WithoutATargetIsRefused) {
  const std::string what = " of the hard link \"b\" is not there";
  EXPECT_EQ(refusal({tar().hard_link("b", "a")}), "byte 0: the target \"a\"" + what);
  EXPECT_EQ(refusal({tar().hard_link("b", "b")}), "byte 0: the target \"b\"" + what);
  EXPECT_EQ(refusal({tar().hard_link("b", "a").file("a")}), "byte 0: the target \"a\"" + what) << "comes later";
  EXPECT_EQ(refusal({tar().file("a"), tar().hard_link("b", "a").file(".wh.a")}),
            "layer 2: byte 0: the target \"a\"" + what)
      << "hidden by the layer itself";
  EXPECT_EQ(refusal({tar().file("c").hard_link("b", "x/../c")}), "byte 512: the target \"x/../c\"" + what);
  EXPECT_EQ(refusal({tar().directory("d").hard_link("b", "d")}), "byte 512: the hard link \"b\" leads to a directory");
  EXPECT_EQ(refusal({tar().symlink("s", "d").file("d/f").hard_link("b", "s/f")}),
            "byte 1024: the target \"s/f\"" + what)
      << "not followed through links";
}

TEST(Whiteouts, HideAPathAndAllBelowIt) {
  const TarText low = tar().file("a", "1").directory("d").file("d/e/f", "2").file("d2", "3");
  EXPECT_EQ(merged({low, tar().file(".wh.a")}), (Lines{"d/", "d/e/", "d/e/f = 2", "d2 = 3"}));
  EXPECT_EQ(merged({low, tar().file(".wh.d")}), (Lines{"a = 1", "d2 = 3"}));
  EXPECT_EQ(merged({low, tar().file("d/.wh.e")}), (Lines{"a = 1", "d/", "d2 = 3"}));
  EXPECT_EQ(merged({low, tar().file(".wh.nothing").file("x/.wh.y")}), merged({low}));
}

TEST(Whiteouts, HideInAllLowerLayersAndNotInUpperOnes) {
  EXPECT_EQ(merged({tar().file("a", "1"), tar().file("a", "2"), tar().file(".wh.a")}), (Lines{}));
  EXPECT_EQ(merged({tar().file("a", "1"), tar().file(".wh.a"), tar().file("a", "3")}), (Lines{"a = 3"}));
  EXPECT_EQ(merged({tar().file("d/a", "1").file("d/b", "1"), tar().file(".wh.d"), tar().file("d/b", "3")}),
            (Lines{"d/", "d/b = 3"}));
}

TEST(Whiteouts, OpaqueHidesTheContentsAndKeepsTheFolder) {
  const TarText low = tar().directory("d").file("d/a", "1").file("d/e/f", "2").file("x", "3");
  EXPECT_EQ(merged({low, tar().file("d/.wh..wh..opq")}), (Lines{"d/", "x = 3"}));
  EXPECT_EQ(merged({low, tar().file("d/.wh..wh..opq").file("d/e/g", "up")}),
            (Lines{"d/", "d/e/", "d/e/g = up", "x = 3"}));
  EXPECT_EQ(merged({low, tar().file(".wh..wh..opq").file("y", "up")}), (Lines{"y = up"}));
}

TEST(Whiteouts, ActBeforeTheLayersOwnEntriesWhereverTheyStand) {
  const TarText low = tar().file("a", "1").file("d/b", "1").file("d/c", "1");
  EXPECT_EQ(merged({low, tar().file("a", "2").file(".wh.a").file("d/b", "2").file("d/.wh..wh..opq")}),
            (Lines{"a = 2", "d/", "d/b = 2"}));
  EXPECT_EQ(merged({low, tar().file(".wh.a").file("a", "2").file("d/.wh..wh..opq").file("d/b", "2")}),
            (Lines{"a = 2", "d/", "d/b = 2"}));
}

TEST(Whiteouts, AreNeverSeenAndMeanNothingInTheLowestLayer) {
  const TarText low = tar().file("a", "1").file(".wh.a").file("d/b", "1").file("d/.wh..wh..opq").file(".wh..wh.plnk/x");
  EXPECT_EQ(merged({low}), (Lines{"a = 1", "d/", "d/b = 1"}));
  EXPECT_EQ(merged({tar(), tar().file(".wh..wh.orph/x", "y").directory(".wh..wh.plnk")}), (Lines{}));
}

TEST(Whiteouts, DoNotFollowLinksAndDoNotTurnFilesIntoFolders) {
  const TarText low = tar().directory("d").file("d/f", "1").symlink("s", "d").file("p", "2");
  EXPECT_EQ(merged({low, tar().file("s/.wh.f").file("s/.wh..wh..opq").file("p/.wh.x")}), merged({low}));
}

TEST(Whiteouts, AFolderLeftEmptyStaysOnlyWhereItHasAnEntry) {
  EXPECT_EQ(merged({tar().file("d/e/f"), tar().file("d/e/.wh.f")}), (Lines{}));
  EXPECT_EQ(merged({tar().directory("d").file("d/e/f"), tar().file("d/e/.wh.f")}), (Lines{"d/"}));
  EXPECT_EQ(merged({tar().file("d/f"), tar().directory("d").file("d/.wh.f")}), (Lines{"d/"}));
  EXPECT_EQ(merged({tar().directory("d").file("d/f"), tar().file(".wh.d").file("d/g"), tar().file("d/.wh.g")}),
            (Lines{}))
      << "the entry itself was hidden";
  EXPECT_EQ(merged({tar().file("d/f"), tar().file("d/.wh..wh..opq")}), (Lines{}));
  EXPECT_EQ(merged({tar(), tar().file("d/.wh.x")}), (Lines{})) << "a marker implies no folder";
}

TEST(Whiteouts, RefusedOnesSayWhere) {
  EXPECT_EQ(refusal({tar().file("d/.wh.")}), "byte 0: the whiteout \"d/.wh.\" names nothing to hide");
  EXPECT_EQ(refusal({tar().file("a"), tar().file("b").file(".wh..")}),
            "layer 2: byte 512: the whiteout \".wh..\" names nothing to hide");
  EXPECT_EQ(refusal({tar(), tar().directory(".wh.d")}),
            "layer 2: byte 0: the whiteout \".wh.d\" is not a regular file");
  EXPECT_EQ(refusal({tar().entry(".wh.c", '3')}), "byte 0: the whiteout \".wh.c\" is not a regular file");
}

}  // namespace
}  // namespace fusebox::image
