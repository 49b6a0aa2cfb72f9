// A host folder that is mounted at /data, another at /other, the first again read-only at /ro, and everything outside
// them that must never be touched. Each test runs with the kernel's walk and with our own.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "base/beneath.h"
#include "base/files.h"
#include "image/tree_test_support.h"
#include "vfs/folder/host_folder.h"
#include "vfs/script_test_support.h"
#include "vfs/tar/tree_mount.h"

namespace fusebox::vfs::testing {

namespace fs = std::filesystem;

enum class Walk { kernel, own };
inline std::string name_of_walk(const ::testing::TestParamInfo<Walk>& info) {
  return info.param == Walk::kernel ? "Kernel" : "Own";
}

inline void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}
inline std::string get(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every name below, with type, size, content and times of change.
inline std::string fingerprint(const fs::path& folder) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat info{};
    ::lstat(entry.path().c_str(), &info);
    std::string line = entry.path().string() + " " + std::to_string(info.st_mode) + " " +
                       std::to_string(info.st_nlink) + " " + std::to_string(info.st_ctim.tv_sec) + "." +
                       std::to_string(info.st_ctim.tv_nsec);
    if (S_ISREG(info.st_mode)) line += " " + get(entry.path());
    lines.push_back(std::move(line));
  }
  std::ranges::sort(lines);
  std::string all;
  for (const std::string& line : lines) all += line + '\n';
  return all;
}

class FolderTest : public ::testing::TestWithParam<Walk> {
 protected:
  FolderTest() {
    for (const auto& folder : {root() / "dir" / "deep", other(), outside() / "dir"}) fs::create_directories(folder);
    put(root() / "a.txt", "alpha");
    put(root() / "dir" / "b.txt", "beta");
    put(other() / "o.txt", "omega");
    put(outside() / "secret.txt", "secret");
    put(outside() / "dir" / "file", "outer");
  }
  void SetUp() override {
    if (GetParam() == Walk::kernel && !base::kernel_can_walk_beneath())
      GTEST_SKIP() << "openat2 is refused on this machine";
    script_.emplace(names());
  }
  fs::path outside() const { return folder_.path() / "outside"; }
  fs::path root() const { return folder_.path() / "root"; }
  fs::path other() const { return folder_.path() / "other"; }

  std::shared_ptr<Mount> mount(const fs::path& path, HostFolderOptions options = {}) const {
    options.kernel_walk = GetParam() == Walk::kernel;
    auto opened = open_host_folder(path, std::move(options));
    EXPECT_TRUE(opened) << opened.error().message;
    return *opened;
  }
  std::shared_ptr<const Namespace> names() const {
    image::test::TarText tar;
    tar.file("image.txt", "image").symlink("to-data", "/data").symlink("to-a", "data/a.txt");
    HostFolderOptions read_only;
    read_only.read_only = true;
    Namespace::Options options{.root = make_tree_mount(*image::test::build({tar})), .mounts = {}};
    options.mounts.push_back({.path = "/data", .mount = mount(root()), .host_folder = true});
    options.mounts.push_back({.path = "/other", .mount = mount(other()), .host_folder = true});
    options.mounts.push_back(
        {.path = "/ro", .mount = mount(root(), read_only), .host_folder = true, .read_only = true});
    return *Namespace::build(std::move(options));
  }
  std::string run(std::string_view line) { return script_->run(line); }
  void expect(std::span<const Step> steps) {
    for (const Step& step : steps) {
      SCOPED_TRACE(step.command);
      EXPECT_EQ(run(step.command), step.answer);
    }
  }
  void expect(std::initializer_list<Step> steps) { expect(std::span(steps.begin(), steps.size())); }

  base::TempDir folder_ = std::move(*base::TempDir::create());
  std::optional<Script> script_;
};

}  // namespace fusebox::vfs::testing
