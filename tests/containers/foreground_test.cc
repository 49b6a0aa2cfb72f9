// `fusebox run` for containers in the foreground: what it prints, and how it ends.
#include "containers/command_test.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ForegroundTest = CommandTest;

TEST_F(ForegroundTest, AnImageFileRunsAndPrints) {
  const Finished done = fusebox({"run", image("hello")});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, "Hello from a nanocontainer\n");
  EXPECT_THAT(done.err, IsEmpty());
}

TEST_F(ForegroundTest, ABareWasiModuleRunsAsAContainer) {
  const Finished done = fusebox({"run", FUSEBOX_GUEST_DIR "/hello.wasi.wasm"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "Hello from a nanocontainer\n");
}

TEST_F(ForegroundTest, TheExitStatusIsTheProgramsOwn) {
  EXPECT_EQ(fusebox({"run", image("crash"), "--", "exit", "7"}).status, 7);
  EXPECT_EQ(fusebox({"run", image("crash"), "--", "return", "300"}).status, 300 & 0xff);
}

TEST_F(ForegroundTest, ATrapIs134AndNamed) {
  const Finished done = fusebox({"run", image("crash"), "--", "memory"});
  EXPECT_EQ(done.status, 134);
  EXPECT_THAT(done.err, HasSubstr("out of bounds memory access"));
}

TEST_F(ForegroundTest, ALimitOfProcessorTimeIs137) {
  const Finished done = fusebox({"run", image("spin"), "--cpu-time", "50ms"});
  EXPECT_EQ(done.status, 137);
  EXPECT_THAT(done.err, HasSubstr("cpu-limit"));
}

TEST_F(ForegroundTest, ALimitOfWallTimeEndsASleeper) {
  const Finished done = fusebox({"run", image("sleeper"), "--wall-time", "50ms"});
  EXPECT_EQ(done.status, 137);
  EXPECT_THAT(done.err, HasSubstr("wall-limit"));
}

TEST_F(ForegroundTest, StandardInputReachesTheProgram) {
  ProcessOptions options;
  options.input = "one\ntwo\n";
  const Finished done = fusebox({"run", image("tools"), "--", "wc", "-l"}, options);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("2"));
}

TEST_F(ForegroundTest, NothingOfTheHostsEnvironmentLeaksIn) {
  ProcessOptions options;
  options.environment = {"SECRET_OF_HOST=abc"};
  const Finished done = fusebox({"run", image("tools"), "--env", "GIVEN=yes", "--", "env"}, options);
  EXPECT_THAT(done.out, HasSubstr("GIVEN=yes\n"));
  EXPECT_THAT(done.out, Not(HasSubstr("SECRET")));
}

TEST_F(ForegroundTest, AFolderIsSeenWhereItWasMountedAndNowhereElse) {
  write("site/page.txt", "from the host\n");
  const Finished shown = fusebox({"run", image("tools"), "--volume", "./site:/srv:ro", "--", "cat", "/srv/page.txt"});
  EXPECT_EQ(shown.out, "from the host\n") << shown.err;
  const Finished refused =
      fusebox({"run", image("tools"), "--volume", "./site:/srv:ro", "--", "cat", "/srv/../../etc/passwd"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.out, IsEmpty());
}

TEST_F(ForegroundTest, AVolumeKeepsItsDataBetweenRuns) {
  for (const char* const expected : {"1\n", "2\n", "3\n"})
    EXPECT_EQ(fusebox({"run", image("counter"), "--volume", "state:/state"}).out, expected);
}

TEST_F(ForegroundTest, AnInterruptEndsTheContainerWith130) {
  ProcessOptions options;
  bool sent = false;
  // The loud one says on standard error when it has begun.
  options.on_error_output = [&sent](int pid, const std::string&) {
    if (!sent) ::kill(pid, SIGINT);
    sent = true;
  };
  const std::string script = write("loud.js", "std.stderr ? 0 : 0; console.error('begun'); for (;;) {}");
  const Finished done = fusebox(
      {"run", image("js"), "--fs-read", script.substr(0, script.rfind('/')) + ":/s", "--", "/s/loud.js"}, options);
  EXPECT_EQ(done.status, 130) << done.out << done.err;
}

TEST_F(ForegroundTest, JsonIsOneObjectAndTheProgramsOutputGoesToStandardError) {
  const Finished done = fusebox({"run", image("hello"), "--json"});
  EXPECT_EQ(member(done, "state"), "\"exited\"");
  EXPECT_EQ(member(done, "exit_code"), "0");
  EXPECT_EQ(member(done, "reason"), "\"exit\"");
  EXPECT_EQ(done.err, "Hello from a nanocontainer\n");
}

TEST_F(ForegroundTest, WhatIsNoImageIsNamedAndSaysWhatToDo) {
  const Finished absent = fusebox({"run", "nothing-like-it"});
  EXPECT_EQ(absent.status, 125);
  EXPECT_THAT(absent.err, HasSubstr("nothing-like-it: no such file, and no such image; see: fusebox image ls"));
  const Finished broken = fusebox({"run", write("broken.wapp", "this is no archive")});
  EXPECT_EQ(broken.status, 125);
  EXPECT_THAT(broken.err, HasSubstr("broken.wapp"));
}

TEST_F(ForegroundTest, OptionsOfCapabilitiesAreRefusedByName) {
  const Finished done = fusebox({"run", image("hello"), "--allow-http", "GET https://example.com/*"});
  EXPECT_EQ(done.status, 125);
  EXPECT_THAT(done.err, HasSubstr("--allow-http: a container has no such option"));
}

TEST_F(ForegroundTest, BadOptionsSayHowToWriteThem) {
  EXPECT_THAT(fusebox({"run", image("hello"), "--volume", "site"}).err, HasSubstr("NAME:/path or HOST:/path"));
  EXPECT_THAT(fusebox({"run", image("hello"), "--socket", "web"}).err, HasSubstr("NAME=ADDRESS"));
  EXPECT_THAT(fusebox({"run", image("hello"), "--cpus", "2"}).err, HasSubstr("between 0.01 and 1"));
  EXPECT_THAT(fusebox({"run", image("hello"), "--restart", "often", "--detach"}).err, HasSubstr("on-failure:N"));
  EXPECT_THAT(fusebox({"run", image("hello"), "--restart", "always"}).err, HasSubstr("needs --detach"));
  EXPECT_THAT(fusebox({"run", image("hello"), "--volume", "./absent:/srv"}).err, HasSubstr("no such folder"));
}

}  // namespace
}  // namespace fusebox::testing
