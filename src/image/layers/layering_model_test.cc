// Random layers, merged by the tree and by a model that knows only entries: no directories that are merely implied, no
// nodes, no lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "base/random.h"
#include "image/tree_test_support.h"

namespace fusebox::image {
namespace {

using test::TarText;

struct Entry {
  char kind = 'f';   // f, d, l as visible; h, w, o as written: hard link, whiteout, opaque
  std::string path;  // for w and o: what is hidden, whose contents are hidden
  std::string text;  // content or target
};
using Layer = std::vector<Entry>;

bool is_below(const std::string& path, const std::string& directory) {
  return directory.empty() || path.starts_with(directory + "/");
}

class Model {
 public:
  // False: the image is refused.
  bool apply(const Layer& layer) {
    for (const Entry& entry : layer) {
      if (entry.kind == 'w') entries_.erase(entry.path);
      if (entry.kind == 'w' || entry.kind == 'o') erase_below(entry.path);
    }
    for (const Entry& entry : layer) {
      if (!put(entry)) return false;
    }
    return true;
  }

  std::vector<std::string> lines() const {
    std::map<std::string, std::string> seen;
    for (const auto& [path, entry] : entries_) {
      for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
        seen.try_emplace(path.substr(0, at), path.substr(0, at) + "/");
      }
      seen[path] = entry.kind == 'd' ? path + "/" : path + (entry.kind == 'l' ? " -> " : " = ") + entry.text;
    }
    std::vector<std::string> lines;
    for (const auto& [path, line] : seen) lines.push_back(line);
    return lines;
  }

 private:
  bool put(Entry entry) {
    if (entry.kind == 'w' || entry.kind == 'o') return true;
    if (entry.kind == 'h') {
      const auto target = entries_.find(entry.text);
      if (target == entries_.end() || target->second.kind == 'd') return false;
      entry = {target->second.kind, entry.path, target->second.text};
    }
    for (std::size_t at = entry.path.find('/'); at != entry.path.npos; at = entry.path.find('/', at + 1)) {
      const auto above = entries_.find(entry.path.substr(0, at));
      if (above != entries_.end() && above->second.kind != 'd') entries_.erase(above);
    }
    if (entry.kind != 'd') erase_below(entry.path);
    entries_[entry.path] = entry;
    return true;
  }
  void erase_below(const std::string& directory) {
    std::erase_if(entries_, [&](const auto& known) { return is_below(known.first, directory); });
  }
  std::map<std::string, Entry> entries_;
};

std::string random_path(base::Random& random) {
  std::string path(1, static_cast<char>('a' + random.below(3)));
  for (auto depth = random.below(4); depth > 0; --depth) path += {'/', static_cast<char>('a' + random.below(3))};
  return path;
}

Layer random_layer(base::Random& random) {
  constexpr std::string_view kinds = "ffffddllhwwwoo";
  Layer layer;
  for (auto count = random.below(12); count > 0; --count) {
    Entry entry{kinds[random.below(kinds.size())], random_path(random), std::to_string(random.below(1000))};
    if (entry.kind == 'h') entry.text = random_path(random);
    if (entry.kind == 'o' && random.below(8) == 0) entry.path.clear();
    layer.push_back(entry);
  }
  return layer;
}

std::string in_directory(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + '/' + std::string(name);
}

TarText tar_of(const Layer& layer, base::Random& random) {
  TarText tar;
  for (const Entry& entry : layer) {
    const std::size_t slash = entry.path.rfind('/');
    const std::string above = slash == std::string::npos ? "" : entry.path.substr(0, slash);
    const std::string written = (random.below(2) == 0 ? "./" : "") + entry.path;
    if (entry.kind == 'f') tar.file(written, entry.text);
    if (entry.kind == 'd') tar.directory(written + "/");
    if (entry.kind == 'l') tar.symlink(written, entry.text);
    if (entry.kind == 'h') tar.hard_link(written, entry.text);
    if (entry.kind == 'w') tar.file(in_directory(above, ".wh." + entry.path.substr(slash + 1)));
    if (entry.kind == 'o') tar.file(in_directory(entry.path, ".wh..wh..opq"));
  }
  return tar.end();
}

// Every visible path is found by its path too, and nothing hidden is.
void check_lookups(const Tree& tree, Tree::NodeId directory, const std::string& path, std::size_t& seen) {
  ++seen;
  const Tree::Found found = tree.find(path);
  EXPECT_EQ(found.how, Tree::Found::How::node) << path;
  EXPECT_EQ(found.node, directory) << path;
  EXPECT_EQ(found.used, path.size());
  for (const Tree::NodeId id : tree.children(directory)) {
    check_lookups(tree, id, in_directory(path, tree.node(id).name), seen);
  }
}

void play(std::uint64_t seed) {
  base::SeededRandom random(seed);
  Model model;
  bool accepted = true;
  std::vector<TarText> tars;
  for (auto count = 1 + random.below(5); count > 0; --count) {
    const Layer layer = random_layer(random);
    tars.push_back(tar_of(layer, random));
    accepted = accepted && model.apply(layer);
  }
  const auto tree = test::build(tars);
  ASSERT_EQ(tree.has_value(), accepted);
  if (!accepted) return;
  auto lines = test::lines_of(**tree);
  std::ranges::sort(lines);
  auto wanted = model.lines();
  std::ranges::sort(wanted);
  ASSERT_EQ(lines, wanted);
  std::size_t seen = 0;
  check_lookups(**tree, Tree::kRoot, "", seen);
  ASSERT_EQ(seen, (*tree)->node_count()) << "every node is below the root";
}

TEST(LayeringModel, RandomLayersMergeAsEntriesAloneWould) {
  const char* given = std::getenv("FUSEBOX_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  for (std::uint64_t round = seed; round < seed + 3000; ++round) {
    SCOPED_TRACE("FUSEBOX_SEED=" + std::to_string(round));
    play(round);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace fusebox::image
