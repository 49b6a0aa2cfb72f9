// For the tests of container verbs: the command with data, cache and engine of its own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "support/process.h"

namespace fusebox::testing {

class CommandTest : public ::testing::Test {
 protected:
  void TearDown() override { fusebox({"daemon", "--stop"}); }

  Finished fusebox(std::vector<std::string> arguments, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), FUSEBOX_COMMAND);
    options.folder = folder_.path().string();
    for (const std::string& setting : environment()) options.environment.push_back(setting);
    return run_process(arguments, options);
  }
  std::vector<std::string> environment() const {
    const std::string folder = folder_.path().string();
    return {"FUSEBOX_DATA=" + folder + "/data", "FUSEBOX_SOCKET=" + folder + "/run/engine.sock"};
  }
  // A container that is detached under the name of its image.
  void detach(const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"run", "--detach", "--name", name});
    const Finished done = fusebox(arguments);
    ASSERT_EQ(done.status, 0) << done.err;
    ASSERT_EQ(done.out, name + "\n");
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name) << text;
    return (folder_.path() / name).string();
  }
  static std::string image(const std::string& name) { return FUSEBOX_BINARY_DIR "/images/" + name + ".wapp"; }
  std::string member(const Finished& finished, std::string_view name) const {
    const auto document = base::json::parse(finished.out);
    if (!document) return "not JSON: " + finished.out;
    const base::json::Node* node = document->root->find(name);
    return node == nullptr ? "absent" : base::json::canonical(*node);
  }

  base::TempDir folder_ = *base::TempDir::create("fusebox-box");
};

}  // namespace fusebox::testing
