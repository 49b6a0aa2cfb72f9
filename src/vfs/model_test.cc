// Random operations on real mounts against a model that is a map of names. A failure names its seed and step.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/random.h"
#include "vfs/folder/folder_test_support.h"
#include "vfs/overlay/overlay.h"

namespace fusebox::vfs {
namespace {

using testing::Script;

struct Node {
  bool directory = false;
  std::string content;
  std::map<std::string, std::shared_ptr<Node>> children;
};
using NodePtr = std::shared_ptr<Node>;

// What POSIX says, on paths of letters.
class Model {
 public:
  std::string run(const std::string& verb, const std::string& a, const std::string& b) {
    if (verb == "read") return read(a);
    if (verb == "ls") return list(a);
    if (verb == "write" || verb == "append" || verb == "create") return write(verb, a, b);
    if (verb == "mkdir") return make(a, true);
    if (verb == "unlink") return remove(a, false);
    if (verb == "rmdir") return remove(a, true);
    if (verb == "rename") return rename(a, b);
    return link(a, b);
  }

 private:
  struct Place {
    NodePtr parent;
    std::string name;
    NodePtr node;
    std::string error;  // of the way to the parent
  };
  Place find(const std::string& path) const {
    Place place{.parent = root_, .name = {}, .node = root_, .error = {}};
    for (std::size_t at = 1; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      if (!place.node) return {.parent = {}, .name = {}, .node = {}, .error = "NOENT"};
      if (!place.node->directory) return {.parent = {}, .name = {}, .node = {}, .error = "NOTDIR"};
      place.parent = place.node;
      place.name = path.substr(at, end - at);
      const auto child = place.parent->children.find(place.name);
      place.node = child == place.parent->children.end() ? nullptr : child->second;
      at = end + 1;
    }
    return place;
  }
  std::string read(const std::string& path) const {
    const Place place = find(path);
    if (!place.error.empty()) return place.error;
    if (!place.node) return "NOENT";
    return place.node->directory ? "ISDIR" : place.node->content;
  }
  std::string list(const std::string& path) const {
    const Place place = find(path);
    if (!place.error.empty()) return place.error;
    if (!place.node) return "NOENT";
    if (!place.node->directory) return "NOTDIR";
    std::string all;
    for (const auto& [name, node] : place.node->children) all += (all.empty() ? "" : " ") + name;
    return all;
  }
  std::string make(const std::string& path, bool directory) {
    const Place place = find(path);
    if (!place.error.empty()) return place.error;
    if (place.node) return "EXIST";
    place.parent->children[place.name] = std::make_shared<Node>(directory);
    return "ok";
  }
  std::string write(const std::string& verb, const std::string& path, const std::string& text) {
    if (verb == "create") return make(path, false);
    const Place place = find(path);
    if (!place.error.empty()) return place.error;
    if (place.node && place.node->directory) return "ISDIR";
    if (!place.node) {
      if (verb == "append") return "NOENT";
      place.parent->children[place.name] = std::make_shared<Node>(false, text);
      return "ok";
    }
    place.node->content = verb == "append" ? place.node->content + text : text;
    return "ok";
  }
  std::string remove(const std::string& path, bool directory) {
    const Place place = find(path);
    if (!place.error.empty()) return place.error;
    if (!place.node) return "NOENT";
    if (!directory && place.node->directory) return "ISDIR";
    if (directory && !place.node->directory) return "NOTDIR";
    if (directory && !place.node->children.empty()) return "NOTEMPTY";
    place.parent->children.erase(place.name);
    return "ok";
  }
  std::string rename(const std::string& from, const std::string& to) {
    const Place a = find(from);
    if (!a.error.empty()) return a.error;
    const Place b = find(to);
    if (!b.error.empty()) return b.error;
    if (!a.node) return "NOENT";
    if (a.node->directory && to.starts_with(from + "/")) return "INVAL";
    if (b.node == a.node) return "ok";
    if (b.node) {
      if (from.starts_with(to + "/")) return "NOTEMPTY";
      if (b.node->directory && !a.node->directory) return "ISDIR";
      if (!b.node->directory && a.node->directory) return "NOTDIR";
      if (!b.node->children.empty()) return "NOTEMPTY";
    }
    a.parent->children.erase(a.name);
    b.parent->children[b.name] = a.node;
    return "ok";
  }
  std::string link(const std::string& from, const std::string& to) {
    const Place a = find(from);
    if (!a.error.empty()) return a.error;
    if (!a.node) return "NOENT";
    const Place b = find(to);
    if (!b.error.empty()) return b.error;
    if (b.node) return "EXIST";
    if (a.node->directory) return "PERM";
    b.parent->children[b.name] = a.node;
    return "ok";
  }

  NodePtr root_ = std::make_shared<Node>(true);
};

std::string random_path(base::Random& random) {
  std::string path;
  for (std::uint64_t depth = random.below(4) + 1; depth > 0; --depth)
    path += std::string("/") + static_cast<char>('a' + random.below(3));
  return path;
}

// The order of a host folder's listing is the host's.
std::string sorted(const std::string& words) {
  std::vector<std::string> names;
  std::istringstream in(words);
  for (std::string name; in >> name;) names.push_back(name);
  std::ranges::sort(names);
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
  return all;
}

// What an error says when both sides of a two-path call are wrong is left open.
bool agree(const std::string& verb, const std::string& got, const std::string& want) {
  const auto is_error = [](const std::string& text) { return text != "ok"; };
  if (verb == "rename" || verb == "link") return is_error(got) == is_error(want);
  return (verb == "ls" ? sorted(got) : got) == want;
}

void play(Script& script, const std::string& prefix, Model& model, std::uint64_t seed, int steps) {
  constexpr const char* kVerbs[] = {"read",  "ls",    "write",  "write", "append", "create", "mkdir",
                                    "mkdir", "mkdir", "unlink", "rmdir", "rename", "rename", "link"};
  base::SeededRandom random(seed);
  for (int step = 0; step < steps; ++step) {
    const std::string verb = kVerbs[random.below(std::size(kVerbs))];
    const std::string a = random_path(random);
    const bool two_paths = verb == "rename" || verb == "link";
    std::string b = two_paths ? random_path(random) : "";
    if (verb == "write" || verb == "append") b = "t" + std::to_string(step);
    const std::string line = verb + " " + prefix + a + " " + (two_paths ? prefix : "") + b;
    const std::string want = model.run(verb, a, b);
    const std::string got = script.run(line);
    ASSERT_TRUE(agree(verb, got, want)) << "seed " << seed << " step " << step << ": " << line << "\n got  " << got
                                        << "\n want " << want;
    const std::string root_want = model.run("ls", "/", "");
    ASSERT_EQ(sorted(script.run("ls " + prefix + "/")), root_want)
        << "seed " << seed << " step " << step << ": " << line;
  }
}

void compare_all(Script& script, const std::string& prefix, Model& model) {
  std::vector<std::string> ahead{""};
  while (!ahead.empty()) {
    const std::string path = ahead.back();
    ahead.pop_back();
    const std::string names = model.run("ls", path.empty() ? "/" : path, "");
    if (names == "NOTDIR") {
      EXPECT_EQ(script.run("read " + prefix + path), model.run("read", path, ""));
      continue;
    }
    EXPECT_EQ(sorted(script.run("ls " + prefix + path + "/")), names) << path;
    std::istringstream in(names);
    for (std::string name; in >> name;) ahead.push_back(path + "/" + name);
  }
}

TEST(ModelTest, HostFoldersDoWhatTheModelDoes) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    for (const bool kernel_walk : {true, false}) {
      const auto folder = *base::TempDir::create();
      HostFolderOptions options;
      options.kernel_walk = kernel_walk;
      options.bytes_max = 1 << 20;  // never met; the ledger goes along
      Namespace::Options names{.root = make_tree_mount(*image::test::build({})), .mounts = {}};
      names.mounts.push_back({.path = "/d", .mount = *open_host_folder(folder.path(), options), .host_folder = true});
      Script script(*Namespace::build(std::move(names)));
      Model model;
      play(script, "/d", model, seed, 1500);
      compare_all(script, "/d", model);
    }
  }
}

TEST(ModelTest, WritableLayersDoWhatTheModelDoes) {
  image::test::TarText tar;
  Model start;
  for (const char* folder : {"/a", "/a/b", "/b", "/b/a", "/b/a/c", "/c"}) {
    tar.directory(folder);
    start.run("mkdir", folder, "");
  }
  for (const char* file : {"/a/a", "/a/b/a", "/a/b/b", "/b/b", "/b/a/c/a", "/c/a"}) {
    tar.file(file, "lower");
    start.run("write", file, "lower");
  }
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
    for (const bool in_memory : {true, false}) {
      const auto folder = *base::TempDir::create();
      const base::ManualClock clock;
      const auto upper = in_memory ? make_memory_upper(clock, 1 << 22) : *open_folder_upper(folder.path());
      const auto lower = make_tree_mount(*image::test::build({tar}));
      Script script(*Namespace::build({.root = make_overlay(lower, upper), .mounts = {}}));
      Model model;
      for (const char* folder_path : {"/a", "/a/b", "/b", "/b/a", "/b/a/c", "/c"}) model.run("mkdir", folder_path, "");
      for (const char* file : {"/a/a", "/a/b/a", "/a/b/b", "/b/b", "/b/a/c/a", "/c/a"})
        model.run("write", file, "lower");
      play(script, "", model, seed, in_memory ? 1500 : 500);
      compare_all(script, "", model);
      // The lower mount is as it was.
      Script below(*Namespace::build({.root = lower, .mounts = {}}));
      compare_all(below, "", start);
    }
  }
}

}  // namespace
}  // namespace fusebox::vfs
