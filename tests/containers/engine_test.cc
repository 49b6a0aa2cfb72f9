// `fusebox engine` killed at any moment: the next one starts clean.
#include <csignal>

#include "containers/command_test.h"

namespace fusebox::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class EngineTest : public CommandTest {
 protected:
  void SetUp() override {
    fs::create_directory(registry());
    fs::copy_file(image("sleeper"), registry() / "sleeper@1.wapp");
    stage();
    write("engine.json",
          R"({"system":{"privileged":true},"supervisor":{"imagePath":")" + supervisor().string() +
              R"(","params":{"console":{"in":{"name":"platform"},"out":{"name":"platform"},"err":{"name":"platform"}},)"
              R"("drivers":[{"name":"wanted"}],"mounts":[{"name":"platform","path":"/in","options":"ro,src=)" +
              images().string() + R"("}]}}})");
  }
  fs::path registry() const { return folder_.path() / "registry"; }
  fs::path supervisor() const { return folder_.path() / "supervisor.tar"; }
  static fs::path images() { return fs::path(image("sleeper")).parent_path(); }
  // A new supervisor image, as an update puts it there.
  void stage() const {
    const fs::path next = folder_.path() / "next.tar";
    fs::copy_file(image("wsh"), next, fs::copy_options::overwrite_existing);
    fs::rename(next, supervisor());
  }
  Finished engine(const std::string& input, std::function<void(int, const std::string&)> seen = {}) const {
    ProcessOptions options;
    options.input = input;
    options.on_error_output = std::move(seen);
    return fusebox({"engine", "engine.json", "--profile", "small"}, options);
  }
};

TEST_F(EngineTest, KilledDuringStartsInstallsAndUpdatesItStartsCleanNextTime) {
  std::string session;
  for (int i = 0; i < 30; ++i)
    session +=
        "create a\n"
        "write /dev/wanted/wapps/a/ctl start sleeper\n"
        "cp /in/tools.wapp /dev/wanted/reg/tools:1\n"
        "write /dev/wanted/wapps/a/ctl stop\n"
        "write /dev/wanted/ctl reload-supervisor\n"
        "exit\n";
  for (int round = 1; round <= 12; ++round) {
    SCOPED_TRACE(round);
    int said = 0;
    const Finished killed = engine(session, [&](int pid, const std::string&) {
      stage();
      if (++said >= round) ::kill(pid, SIGKILL);
    });
    ASSERT_EQ(killed.status, 128 + SIGKILL) << killed.err;
    const Finished next = engine(
        "create b\n"
        "write /dev/wanted/wapps/b/ctl start sleeper\n"
        "ls /dev/wanted/reg\n"
        "poweroff\n");
    ASSERT_EQ(next.status, 0) << next.err;
    EXPECT_THAT(next.out, EndsWith("\nAll wapps ended, done...\n"));
    EXPECT_THAT(next.out, HasSubstr("sleeper:1"));
    EXPECT_THAT(next.err, HasSubstr("write: written 13\n"));  // "start sleeper" was taken
    for (const fs::directory_entry& entry : fs::directory_iterator(registry())) {
      const std::string name = entry.path().filename().string();
      ASSERT_TRUE(name == "sleeper@1.wapp" || name == "tools@1.wapp") << name;
      EXPECT_EQ(entry.file_size(), fs::file_size(images() / (name.substr(0, name.find('@')) + ".wapp"))) << name;
    }
  }
}

}  // namespace
}  // namespace fusebox::testing
