#include "image/tree.h"

#include <gtest/gtest.h>

#include "image/tree_test_support.h"

namespace fusebox::image {
namespace {

using test::build;
using test::TarText;
using How = Tree::Found::How;
using Lines = std::vector<std::string>;
using Strictness = Tree::Strictness;

std::shared_ptr<const Tree> good(const std::vector<TarText>& layers) {
  auto tree = build(layers);
  EXPECT_TRUE(tree) << tree.error().message;
  return tree.value_or(nullptr);
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

TEST(TreeFind, SaysHowFarAPathLeads) {
  const auto tree = good({TarText().file("d/e/f", "x").symlink("d/s", "e").directory("d/empty")});
  const struct {
    const char* path;
    How how;
    const char* node;  // name of the node found
    std::size_t used;
  } cases[] = {
      {"", How::node, "", 0},
      {"d", How::node, "d", 1},
      {"d/e/f", How::node, "f", 5},
      {"d/s", How::node, "s", 3},
      {"d/s/f", How::link, "s", 3},
      {"d/s/f/g", How::link, "s", 3},
      {"d/e/f/g", How::not_directory, "f", 5},
      {"x", How::missing, "", 0},
      {"d/x", How::missing, "", 0},
      {"d/x/y", How::missing, "", 0},
      {"d/e/", How::missing, "", 0},
      {"d/em", How::missing, "", 0},
      {"D", How::missing, "", 0},
      {"e/f", How::missing, "", 0},
      {"d/empty/x", How::missing, "", 0},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    const Tree::Found found = tree->find(c.path);
    EXPECT_EQ(found.how, c.how);
    EXPECT_EQ(found.used, c.used);
    EXPECT_EQ(tree->node(found.node).name, c.node);
  }
}

TEST(TreeFind, TellsPathsApartThatShareAllComponentNames) {
  const auto tree = good({TarText().file("a/b/c", "1").file("b/a/c", "2").file("ab/c", "3").file("a/bc", "4")});
  const auto content = [&](std::string_view path) {
    return std::string(base::as_text(tree->node(tree->find(path).node).content));
  };
  EXPECT_EQ(content("a/b/c"), "1");
  EXPECT_EQ(content("b/a/c"), "2");
  EXPECT_EQ(content("ab/c"), "3");
  EXPECT_EQ(content("a/bc"), "4");
}

TEST(TreeChildren, AreSortedBytewiseAndComplete) {
  TarText tar;
  for (int i = 499; i >= 0; --i) tar.file("d/" + std::to_string(i));
  tar.file("d/\xC3\xA4").file("d/Z").file("d/a");
  const auto tree = good({tar});
  const auto children = tree->children(tree->find("d").node);
  ASSERT_EQ(children.size(), 503u);
  for (std::size_t i = 1; i < children.size(); ++i) {
    EXPECT_LT(tree->node(children[i - 1]).name, tree->node(children[i]).name);
  }
  EXPECT_EQ(tree->node(children.back()).name, "\xC3\xA4") << "as unsigned bytes";
  EXPECT_EQ(tree->children(tree->find("d/a").node).size(), 0u) << "a file has none";
}

TEST(TreeNode, ContentIsAViewIntoTheLayerWhichTheTreeKeeps) {
  std::weak_ptr<const void> owner;
  std::shared_ptr<const Tree> tree;
  {
    const LayerBytes layer = test::layer_of(TarText().file("f", "content").end());
    owner = layer.owner;
    auto built = Tree::build({&layer, 1}, {}, Strictness::run);
    ASSERT_TRUE(built);
    tree = *built;
    EXPECT_EQ(tree->node(tree->find("f").node).content.data(), layer.bytes.data() + 512);
  }
  EXPECT_FALSE(owner.expired());
  EXPECT_EQ(base::as_text(tree->node(tree->find("f").node).content), "content");
  tree.reset();
  EXPECT_TRUE(owner.expired()) << "index and layers go with the tree";
}

TEST(TreeNode, NamesOfEveryLengthAreStable) {
  TarText tar;
  std::vector<std::string> names;
  for (std::size_t size = 1; size <= 255; ++size) {
    names.push_back(std::string(size, 'n'));
    tar.gnu_name("some/long/folder/" + names.back()).file("x", names.back());
  }
  const auto tree = good({tar});
  for (const std::string& name : names) {
    const Tree::Found found = tree->find("some/long/folder/" + name);
    ASSERT_EQ(found.how, How::node) << name;
    EXPECT_EQ(tree->node(found.node).name, name);
    EXPECT_EQ(base::as_text(tree->node(found.node).content), name);
  }
}

TEST(TreeBuild, OfNothingIsAnEmptyRoot) {
  const auto tree = good({});
  EXPECT_EQ(tree->node_count(), 1u);
  EXPECT_EQ(tree->children(Tree::kRoot).size(), 0u);
  EXPECT_EQ(tree->find("a").how, How::missing);
  EXPECT_EQ(tree->node(Tree::kRoot).name, "");
  EXPECT_NE(tree->node(Tree::kRoot).inode, 0u);
}

// Contract 14.5, the rows where the two columns differ.
TEST(TreeBuild, APathThatClimbsIsLeftOutToRunAndRefusedToKeep) {
  for (const char* path : {"../evil", "a/../../evil", "a/..", "/..", "d/../.wh.a"}) {
    SCOPED_TRACE(path);
    const TarText tar = TarText().file("good", "x").file(path, "evil").directory("after");
    Lines dropped;
    const auto run = build({tar}, Strictness::run, &dropped);
    ASSERT_TRUE(run);
    EXPECT_EQ(test::lines_of(**run), (Lines{"after/", "good = x"}));
    EXPECT_EQ(dropped, (Lines{"byte 1024: \"" + std::string(path) + "\" has \"..\" in its path: left out"}));
    const auto keep = build({tar}, Strictness::keep);
    ASSERT_FALSE(keep);
    EXPECT_EQ(keep.error().name, "BAD_IMAGE");
    EXPECT_EQ(keep.error().message, "byte 1024: \"" + std::string(path) + "\" has \"..\" in its path");
  }
}

TEST(TreeBuild, AClimbingWhiteoutHidesNothing) {
  Lines dropped;
  const auto tree = build({TarText().file("a", "x"), TarText().file("d/../.wh.a")}, Strictness::run, &dropped);
  ASSERT_TRUE(tree);
  EXPECT_EQ(test::lines_of(**tree), (Lines{"a = x"}));
  EXPECT_EQ(dropped, (Lines{"layer 2: byte 0: \"d/../.wh.a\" has \"..\" in its path: left out"}));
}

TEST(TreeBuild, LinksThatLoopOrLeadOutsideAreAccepted) {
  for (const Strictness strictness : {Strictness::run, Strictness::keep}) {
    const auto tree = build(
        {TarText().symlink("a", "b").symlink("b", "a").symlink("up", "../../etc").symlink("abs", "/x")}, strictness);
    ASSERT_TRUE(tree);
    EXPECT_EQ(test::lines_of(**tree), (Lines{"a -> b", "abs -> /x", "b -> a", "up -> ../../etc"}));
  }
}

TEST(TreeBuild, SaysALotOfDroppedEntriesInFewSentences) {
  const auto dropped_of = [](std::size_t count) {
    TarText tar;
    for (std::size_t i = 0; i < count; ++i) tar.file("../x");
    Lines dropped;
    EXPECT_TRUE(build({tar}, Strictness::run, &dropped));
    return dropped;
  };
  EXPECT_EQ(dropped_of(100).size(), 100u);
  EXPECT_TRUE(dropped_of(100).back().ends_with("left out"));
  const Lines many = dropped_of(150);
  ASSERT_EQ(many.size(), 101u);
  EXPECT_EQ(many.back(), "50 more entries were left out");
  EXPECT_TRUE(build({TarText().file("../x")}, Strictness::run, nullptr)) << "nobody listens";
}

struct BoundCase {
  const char* name;
  std::vector<TarText> layers;
  Limits limits;
  const char* error;  // "" = accepted
  base::Errc code = base::Errc::exhausted;
};

Limits entries(std::uint32_t count) {
  Limits limits;
  limits.entries_max = count;
  return limits;
}
Limits bytes(std::uint64_t count) {
  Limits limits;
  limits.image_bytes_max = count;
  return limits;
}
Limits layers(std::uint32_t count) {
  Limits limits;
  limits.layers_max = count;
  return limits;
}

std::vector<BoundCase> bound_cases() {
  const TarText two = TarText().file("a").directory("d");
  const TarText skipped = TarText().entry("dev", '3').file(".wh.x").file("../up");
  const TarText deep = TarText().gnu_name(repeated("d/", 127) + "f").file("x", "deep");
  const TarText deeper = TarText().gnu_name(repeated("d/", 128) + "f").file("x");
  const TarText wide = TarText().gnu_name(std::string(255, 'c')).file("x");
  const TarText wider = TarText().gnu_name(std::string(256, 'c')).file("x");
  const std::string folders = repeated(std::string(254, 'x') + '/', 16);
  const TarText longest = TarText().gnu_name(folders + std::string(15, 'y')).file("x");
  const TarText longer = TarText().gnu_name(folders + std::string(16, 'y')).file("x");
  return {
      {"as many entries as allowed", {two, two}, entries(4), ""},
      {"one entry more", {two, two}, entries(3), "layer 2: byte 512: more than 3 entries"},
      {"entries that are not visible count", {skipped}, entries(2), "byte 1024: more than 2 entries"},
      {"extended headers do not count", {deep}, entries(1), ""},
      {"as many layers as allowed", {two, two}, layers(2), ""},
      {"one layer more", {two, two, two}, layers(2), "3 layers, an image may have 2"},
      {"as many bytes as allowed", {two, two}, bytes(2048), ""},
      {"one byte more", {two, two}, bytes(2047), "the layers have more than 2047 bytes"},
      {"as deep as allowed", {deep}, {}, ""},
      {"one deeper", {deeper}, {}, "byte 1024: a path of more than 128 components", base::Errc::invalid},
      {"component as long as allowed", {wide}, {}, ""},
      {"component one byte longer",
       {wider},
       {},
       "byte 1024: a component of more than 255 bytes: \"",
       base::Errc::invalid},
      {"path as long as allowed", {longest}, {}, ""},
      {"path one byte longer", {longer}, {}, "byte 4608: a path of more than 4095 bytes", base::Errc::invalid},
      {"empty name", {TarText().file("")}, {}, "byte 0: an empty name", base::Errc::invalid},
      {"empty GNU name", {TarText().gnu_name("").file("x")}, {}, "byte 512: an empty name", base::Errc::invalid},
      {"name with NUL",
       {TarText().pax(test::pax_record("path", {"a\0b", 3})).file("x")},
       {},
       "byte 1024: a name with a NUL byte",
       base::Errc::invalid},
      {"target with a component too long",
       {TarText().gnu_link(std::string(256, 'c')).hard_link("h", "")},
       {},
       "byte 1024: a component of more than 255 bytes: \"",
       base::Errc::invalid},
  };
}

TEST(TreeBuild, KeepsEachBoundInBothColumns) {
  for (const BoundCase& c : bound_cases()) {
    for (const Strictness strictness : {Strictness::run, Strictness::keep}) {
      if (strictness == Strictness::keep && std::string_view(c.name).starts_with("entries that")) continue;  // climbs
      SCOPED_TRACE(c.name);
      const auto tree = build(c.layers, strictness, nullptr, c.limits);
      ASSERT_EQ(tree.has_value(), *c.error == '\0') << (tree ? "" : tree.error().message);
      if (tree) continue;
      EXPECT_EQ(tree.error().code, c.code);
      EXPECT_EQ(tree.error().name, "BAD_IMAGE");
      EXPECT_TRUE(tree.error().message.starts_with(c.error)) << tree.error().message;
    }
  }
}

TEST(TreeBuild, RefusesInBothColumnsWhatTheReaderRefuses) {
  const std::string cut = TarText().file("a", std::string(600, 'x')).text().substr(0, 700);
  for (const Strictness strictness : {Strictness::run, Strictness::keep}) {
    const LayerBytes good_layer = test::layer_of(TarText().file("b"));
    const LayerBytes layers_of[] = {good_layer, test::layer_of(cut)};
    const auto tree = Tree::build(layers_of, {}, strictness);
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().message, "layer 2: byte 0: \"a\" has 600 bytes, the archive has 188 left");
  }
}

// One header per entry, without calling the slow builder of text.
std::string headers_of(std::size_t count, const std::function<std::string(std::size_t)>& name) {
  std::string text;
  text.reserve(count * 512);
  for (std::size_t i = 0; i < count; ++i) text += test::HeaderBlock(name(i), '0', 0).plain();
  return text;
}

std::string numbered(std::size_t i) {
  std::string text = std::to_string(i);
  return std::string(6 - text.size(), '0') + text;
}

TEST(TreeBuild, TheLargestTreeStaysWithin64MiB) {
  constexpr std::uint64_t kMax = 64u << 20;
  const auto check = [&](const char* what, const std::string& text, std::size_t nodes) {
    SCOPED_TRACE(what);
    const LayerBytes layer{nullptr, base::as_bytes(text)};
    const auto tree = Tree::build({&layer, 1}, {}, Strictness::keep);
    ASSERT_TRUE(tree) << tree.error().message;
    EXPECT_EQ((*tree)->node_count(), nodes);
    EXPECT_LT((*tree)->index_bytes(), kMax);
  };
  const std::size_t most = Limits{}.entries_max;
  check("names of 32 bytes", headers_of(most, [](std::size_t i) { return std::string(26, 'n') + numbered(i); }),
        most + 1);
  check("names of 100 bytes", headers_of(most, [](std::size_t i) { return std::string(94, 'n') + numbered(i); }),
        most + 1);
  check("a folder of its own for as many as may be implied",
        headers_of(most, [](std::size_t i) { return std::string(20, 'd') + numbered(i % 65536) + "/" + numbered(i); }),
        most + 65536 + 1);
}

TEST(TreeBuild, OneEntryTooManyIsRefusedAtTheDefaultBoundToo) {
  const std::string text = headers_of(Limits{}.entries_max + 1, numbered);
  const LayerBytes layer{nullptr, base::as_bytes(text)};
  const auto tree = Tree::build({&layer, 1}, {}, Strictness::run);
  ASSERT_FALSE(tree);
  EXPECT_EQ(tree.error().message, "byte 134217728: more than 262144 entries");
}

TEST(TreeBuild, PathsCannotImplyFoldersWithoutBound) {
  const std::string text = headers_of(65537, [](std::size_t i) { return numbered(i) + "/f"; });
  const LayerBytes all{nullptr, base::as_bytes(text)};
  const LayerBytes all_but_one{nullptr, base::as_bytes(std::string_view(text).substr(512))};
  EXPECT_TRUE(Tree::build({&all_but_one, 1}, {}, Strictness::run));
  const auto tree = Tree::build({&all, 1}, {}, Strictness::run);
  ASSERT_FALSE(tree);
  EXPECT_EQ(tree.error().code, base::Errc::exhausted);
  EXPECT_EQ(tree.error().message, "byte 33554432: more than 65,536 directories without an entry");
  // A folder that gets its entry later is not merely implied.
  std::string later;
  for (std::size_t i = 0; i < 65537; ++i) {
    later += test::HeaderBlock(numbered(i) + "/f", '0', 0).plain() + test::HeaderBlock(numbered(i), '5', 0).plain();
  }
  const LayerBytes explicit_later{nullptr, base::as_bytes(later)};
  EXPECT_TRUE(Tree::build({&explicit_later, 1}, {}, Strictness::run));
}

// Were each whiteout or replacement to look at its folder's whole list, this would take hours.
TEST(TreeBuild, NoOrderOfWhiteoutsIsSlow) {
  constexpr std::size_t kFiles = 120'000;
  const std::string low = headers_of(kFiles, [](std::size_t i) { return "d/" + numbered(i); });
  const std::string up = headers_of(kFiles, [](std::size_t i) {
    return i % 2 == 0 ? "d/.wh." + numbered(kFiles - 2 - i / 2) : std::string("d/.wh..wh..opq");
  });
  const std::string one_by_one = headers_of(kFiles, [](std::size_t i) { return "d/.wh." + numbered(i); });
  for (const std::string& text : {up, one_by_one}) {
    const LayerBytes layers_of[] = {{nullptr, base::as_bytes(low)}, {nullptr, base::as_bytes(text)}};
    const auto tree = Tree::build(layers_of, {}, Strictness::run);
    ASSERT_TRUE(tree) << tree.error().message;
    EXPECT_EQ((*tree)->node_count(), 1u);
  }
}

}  // namespace
}  // namespace fusebox::image
