#include "edge/config/find_binary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "base/files.h"

namespace fusebox::edge::config {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class FindBinary : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-find");
    ASSERT_TRUE(folder);
    temp_.emplace(std::move(*folder));
    for (const char* name : {"config/out", "modules", "more"}) fs::create_directories(at(name));
  }
  fs::path at(std::string_view name) const { return temp_->path() / name; }
  void put(std::string_view name, std::string_view bytes = std::string_view("\0asm", 4)) const {
    std::ofstream(at(name), std::ios::binary) << bytes;
  }
  // Relative to the test's folder, or the error's message.
  std::string find(std::string_view binary) const {
    const std::vector<fs::path> folders = {at("modules"), at("more")};
    const auto found = find_binary(binary, at("config"), folders);
    return found ? found->lexically_relative(temp_->path()).string() : found.error().message;
  }
  std::optional<base::TempDir> temp_;
};

constexpr std::string_view kWamrImage("\0aot\6\0\0\0", 8);

TEST_F(FindBinary, WhatIsThereIsTaken) {
  put("config/out/m.wasm");
  EXPECT_EQ(find("out/m.wasm"), "config/out/m.wasm");
  put("config/out/m.aot", "fusebox's own");
  EXPECT_EQ(find("out/m.aot"), "config/out/m.aot");
  EXPECT_EQ(find((at("config/out/m.wasm")).string()), "config/out/m.wasm");
}

TEST_F(FindBinary, AMissingOrForeignImageIsReplacedByItsWasm) {
  put("config/out/m.wasm");
  EXPECT_EQ(find("out/m.aot"), "config/out/m.wasm");
  put("config/out/m.aot", kWamrImage);
  EXPECT_EQ(find("out/m.aot"), "config/out/m.wasm");
  EXPECT_EQ(find(at("config/out/m.aot").string()), "config/out/m.wasm");
  fs::remove(at("config/out/m.wasm"));
  EXPECT_THAT(find("out/m.aot"),
              HasSubstr("there is no module \"out/m.aot\", and no .wasm it was built from; looked at"));
}

TEST_F(FindBinary, FoldersAreLookedAtInOrder) {
  put("more/m.wasm");
  EXPECT_EQ(find("out/m.aot"), "more/m.wasm") << "by its file name alone";
  put("modules/m.wasm");
  EXPECT_EQ(find("out/m.aot"), "modules/m.wasm");
  fs::create_directories(at("modules/out"));
  put("modules/out/m.aot", "own");
  EXPECT_EQ(find("out/m.aot"), "modules/out/m.aot");
  put("config/out/m.wasm");
  EXPECT_EQ(find("out/m.aot"), "config/out/m.wasm") << "the configuration's folder comes first";
}

TEST_F(FindBinary, OtherSuffixesAreNeverReplacedAndFoldersAreNoFiles) {
  put("config/m.wasm");
  EXPECT_THAT(find("m.bin"), AllOf(HasSubstr("there is no module \"m.bin\"; looked at"), HasSubstr("modules/m.bin"),
                                   HasSubstr("more/m.bin")));
  fs::create_directories(at("config/d.wasm"));
  EXPECT_THAT(find("d.wasm"), HasSubstr("there is no module"));
}

}  // namespace
}  // namespace fusebox::edge::config
