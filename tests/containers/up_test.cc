// `fusebox up` and `down`: several containers from a file.
#include "containers/command_test.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class UpTest : public CommandTest {
 protected:
  std::string compose(const std::string& services) { return write("fusebox.yaml", "services:\n" + services); }
  std::string sleeper(const std::string& name, const std::string& more = "") {
    return "  " + name + ":\n    file: " + image("sleeper") + "\n" + more;
  }
};

TEST_F(UpTest, StartsWhatIsMissingAndLeavesTheRestAlone) {
  compose(sleeper("a") + sleeper("b", "    depends_on: [a]\n"));
  EXPECT_EQ(fusebox({"up"}).out, "a: started\nb: started\n");
  EXPECT_EQ(fusebox({"up"}).out, "a: unchanged\nb: unchanged\n");
  EXPECT_EQ(fusebox({"down"}).out, "b: removed\na: removed\n");
  EXPECT_THAT(fusebox({"ps", "--all", "--quiet"}).out, IsEmpty());
}

TEST_F(UpTest, UpdatesOnlyWhatChanged) {
  compose(sleeper("a") + sleeper("b"));
  ASSERT_EQ(fusebox({"up"}).status, 0);
  compose(sleeper("a") + sleeper("b", "    environment: {MODE: fast}\n"));
  EXPECT_EQ(fusebox({"up"}).out, "a: unchanged\nb: updated\n");
  EXPECT_EQ(fusebox({"up", "--recreate"}).out, "a: updated\nb: updated\n");
}

TEST_F(UpTest, EveryMistakeIsToldWithItsPlace) {
  compose("  web:\n    imge: x\n    cpus: 9\n  other:\n    image: a\n    depends_on: [ghost]\n");
  const Finished done = fusebox({"up"});
  EXPECT_EQ(done.status, 125);
  EXPECT_THAT(done.err, HasSubstr("fusebox.yaml:3:5: unknown key 'imge'; did you mean 'image'?"));
  EXPECT_THAT(done.err, HasSubstr("fusebox.yaml:4:11: cpus 9: between 0.01 and 1"));
  EXPECT_THAT(done.err, HasSubstr("'web' needs either 'image' or 'file'"));
  EXPECT_THAT(done.err, HasSubstr("depends on 'ghost', which is no service"));
  EXPECT_EQ(fusebox({"daemon", "--pid"}).status, 125) << "an engine was started for a file that cannot be used";
}

TEST_F(UpTest, ACircleOfDependenciesIsNamed) {
  compose(sleeper("a", "    depends_on: [b]\n") + sleeper("b", "    depends_on: [a]\n"));
  EXPECT_THAT(fusebox({"up"}).err, HasSubstr("depends on itself"));
}

TEST_F(UpTest, AnEnginesConfigurationRunsWithItsOwnProfileOrTheBigOne) {
  const std::string supervisor =
      R"("supervisor":{"params":{"console":{"in":{"name":"platform"},"out":{"name":"platform"},"err":{"name":"platform"}},)"
      R"("drivers":[{"name":"wanted"}]}})";
  write("plain.json", R"({"system":{},)" + supervisor + "}");
  write("tiny.json", R"({"system":{"profile":"tiny"},)" + supervisor + "}");
  const auto profile_of = [&](const std::string& file, std::vector<std::string> environment) {
    ProcessOptions options;
    options.input = "cat /proc/wanted\npoweroff\n";
    options.environment = std::move(environment);
    const Finished done = fusebox({"up", file}, options);
    EXPECT_EQ(done.status, 0) << done.err;
    return done.out;
  };
  EXPECT_THAT(profile_of("plain.json", {}), HasSubstr("profile:\tbig\n"));
  EXPECT_THAT(profile_of("tiny.json", {}), HasSubstr("profile:\ttiny\n"));
  EXPECT_THAT(profile_of("tiny.json", {"FUSEBOX_PROFILE=small"}), HasSubstr("profile:\tsmall\n"));
}

TEST_F(UpTest, BrokenYamlAndMissingFilesAreErrors) {
  write("fusebox.yaml", "services: [unclosed\n");
  EXPECT_EQ(fusebox({"up"}).status, 125);
  const Finished absent = fusebox({"up", "absent.yaml"});
  EXPECT_EQ(absent.status, 125);
  EXPECT_THAT(absent.err, HasSubstr("absent.yaml"));
}

}  // namespace
}  // namespace fusebox::testing
