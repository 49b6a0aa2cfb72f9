// Layers only look down. The map below is the house of docs/architecture.md; an include that is not on it fails here.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;
namespace {

using Edges = std::map<std::string, std::set<std::string>>;

// folder -> folders it may use. `base` uses nothing of ours.
const Edges kHouse = {
    {"base", {}},
    {"policy", {"base"}},
    {"engine", {"base"}},
    {"http", {"base"}},
    {"capability", {"base", "engine", "policy", "http"}},
    {"edge", {"base", "engine", "policy"}},
    {"image", {"base", "http"}},
    {"vfs", {"base", "image"}},
    {"wasi", {"base", "engine", "vfs"}},
    {"container", {"base", "engine", "image", "policy", "vfs", "wasi"}},
    {"host", {"base", "engine", "policy", "http", "image", "vfs", "wasi", "container"}},
    {"fleet", {"base", "http", "host"}},  // of host only host/api, see below
    {"cli",
     {"base", "engine", "policy", "http", "capability", "edge", "image", "vfs", "wasi", "container", "host", "fleet"}},
};

// public header -> the folder that owns it.
const std::map<std::string, std::string> kPublicHeaders = {
    {"fusebox/result.h", "base"},
    {"fusebox/policy.h", "policy"},
    {"fusebox/outcome.h", "engine"},
    {"fusebox/sandbox.h", "capability"},
    {"fusebox/sandbox_c.h", "capability"},
    {"fusebox/hash.h", "base"},
    {"fuse_types.h", "edge"},
    {"fuse.h", "edge"},
    {"fusebox/edge.h", "edge"},
};

// A library's headers -> the only folders that may include them.
struct Library {
  std::string_view prefix;
  std::set<std::string> folders;
};
const std::vector<Library> kLibraries = {
    {"wasmtime", {"engine"}},  {"wasm.h", {"engine"}},
    {"curl/", {"http"}},       {"openssl/", {"base", "vfs", "http"}},  // vfs: TLS and DTLS of /net
    {"boost/", {"http"}},      {"sqlite3.h", {"fleet"}},
    {"libpq-fe.h", {"fleet"}}, {"zlib.h", {"image", "vfs"}},
    {"zstd.h", {"image"}},     {"wabt/", {"cli"}},
    {"CLI/", {"cli"}},         {"yaml-cpp/", {"cli"}},
};

fs::path source_root() {
  return fs::path(FUSEBOX_SOURCE_DIR);
}

bool is_source(const fs::path& path) {
  return path.extension() == ".h" || path.extension() == ".cc";
}
bool is_test_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with("_test.cc") || name.ends_with("_bench.cc") || name.ends_with("_fuzz.cc") ||
         name.find("test_support") != std::string::npos;
}

std::vector<fs::path> sources_below(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && is_source(entry.path())) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> includes_of(const fs::path& file) {
  static const std::regex pattern(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::ifstream in(file);
  std::vector<std::string> found;
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_search(line, match, pattern)) found.push_back(match[1]);
  }
  return found;
}

// The folder of ours an include leads to, or "".
std::string folder_of(const std::string& include) {
  if (const auto known = kPublicHeaders.find(include); known != kPublicHeaders.end()) return known->second;
  const std::string first = include.substr(0, include.find('/'));
  return kHouse.contains(first) ? first : "";
}

TEST(Layering, EveryFolderOfSrcIsOnTheMap) {
  for (const auto& entry : fs::directory_iterator(source_root() / "src")) {
    EXPECT_TRUE(kHouse.contains(entry.path().filename().string())) << entry.path() << " is not a room of the house";
  }
}

TEST(Layering, EveryPublicHeaderHasAnOwner) {
  for (const auto& entry : fs::directory_iterator(source_root() / "include" / "fusebox")) {
    EXPECT_TRUE(kPublicHeaders.contains("fusebox/" + entry.path().filename().string())) << entry.path();
  }
}

TEST(Layering, IncludesFollowTheEdgesOfTheHouse) {
  for (const auto& [folder, may_use] : kHouse) {
    for (const fs::path& file : sources_below(source_root() / "src" / folder)) {
      for (const std::string& include : includes_of(file)) {
        const std::string target = folder_of(include);
        if (target.empty() || target == folder) continue;
        EXPECT_TRUE(may_use.contains(target))
            << file << " includes " << include << ": " << folder << " may not use " << target;
      }
    }
  }
}

// The control plane asks hosts through their client interface and knows nothing of what stands behind it.
TEST(Layering, TheFleetSeesOfHostsOnlyTheirInterface) {
  for (const fs::path& file : sources_below(source_root() / "src" / "fleet")) {
    if (is_test_file(file)) continue;
    for (const std::string& include : includes_of(file)) {
      if (!include.starts_with("host/")) continue;
      EXPECT_TRUE(include.starts_with("host/api/")) << file << " includes " << include;
    }
  }
}

// So that a simulator can run the real code: time, chance and network come through the seams of `base` and `http`.
TEST(Layering, TheFleetTakesTimeChanceAndNetworkThroughSeamsAlone) {
  const std::regex direct(
      R"(system_clock|steady_clock|clock_gettime|gettimeofday|\btime\(nullptr|random_device|getrandom|mt19937|)"
      R"(\brand\(|[^\w>]::socket\(|[^\w>]::connect\(|usleep|nanosleep|this_thread::sleep)");
  for (const fs::path& file : sources_below(source_root() / "src" / "fleet")) {
    if (is_test_file(file)) continue;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
      EXPECT_FALSE(std::regex_search(line, direct)) << file << ": " << line;
  }
}

// The edge core runs on microcontrollers: no heap, no hosted library, nothing of the other rooms.
TEST(Layering, TheEdgeCoreUsesNothingOfAHostedSystem) {
  const std::set<std::string> standard = {"atomic", "cstddef", "cstdint", "cstring", "limits", "new", "type_traits"};
  for (const char* folder : {"src/edge/core", "src/edge/hal"}) {
    for (const fs::path& file : sources_below(source_root() / folder)) {
      if (is_test_file(file)) continue;
      for (const std::string& include : includes_of(file)) {
        const bool own = include.starts_with("edge/core/") || include.starts_with("edge/hal/") ||
                         include == "edge/backend.h" || include == "edge/port.h" || include == "edge/inputs.h" ||
                         include == "fuse_types.h" || include == "fusebox/edge.h";
        EXPECT_TRUE(own || standard.contains(include)) << file << " includes " << include;
      }
    }
  }
}

TEST(Layering, ALibraryIsIncludedByItsFolderAlone) {
  for (const auto& [folder, unused] : kHouse) {
    for (const fs::path& file : sources_below(source_root() / "src" / folder)) {
      if (is_test_file(file)) continue;
      for (const std::string& include : includes_of(file)) {
        for (const Library& library : kLibraries) {
          if (!include.starts_with(library.prefix)) continue;
          EXPECT_TRUE(library.folders.contains(folder)) << file << " includes " << include;
        }
      }
    }
  }
}

TEST(Layering, WasmtimeIsSeenOnlyByTheEngineFilesNamedForIt) {
  for (const fs::path& file : sources_below(source_root() / "src" / "engine")) {
    if (is_test_file(file)) continue;
    for (const std::string& include : includes_of(file)) {
      if (!include.starts_with("wasmtime.h") && !include.starts_with("wasmtime/") && include != "wasm.h") continue;
      EXPECT_TRUE(file.filename().string().starts_with("wasmtime_")) << file << " includes " << include;
    }
  }
}

TEST(Layering, PublicHeadersIncludeOnlyPublicHeadersAndTheStandardLibrary) {
  for (const fs::path& file : sources_below(source_root() / "include")) {
    for (const std::string& include : includes_of(file)) {
      const bool ours = include.starts_with("fusebox/");
      const bool standard = include.find('/') == std::string::npos;
      EXPECT_TRUE(ours || standard) << file << " includes " << include;
    }
  }
}

}  // namespace
