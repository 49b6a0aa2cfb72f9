// Containers of the background engine: started on demand, seen, joined, stopped, brought back.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "containers/command_test.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Kills as a crash would. Returns when the process is gone and its socket with it: whoever came before that would still
// be let in.
void kill_and_see_it_gone(int pid) {
  const auto process = base::Fd::adopt(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ::kill(pid, SIGKILL);
  pollfd gone{process.get(), POLLIN, 0};
  if (process) ::poll(&gone, 1, 10'000);
}

class DetachedTest : public CommandTest {
 protected:
  void kill_engine() {
    const Finished pid = fusebox({"daemon", "--pid"});
    ASSERT_EQ(pid.status, 0) << pid.err;
    kill_and_see_it_gone(std::stoi(pid.out));
  }
};

TEST_F(DetachedTest, WithoutAnEngineNothingRunsAndNoneIsStarted) {
  const Finished done = fusebox({"ps"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, "NAME  IMAGE  STATE  CPU  MEMORY  RESTARTS\n");
  EXPECT_EQ(fusebox({"daemon", "--pid"}).status, 125);
}

TEST_F(DetachedTest, ASleeperIsSeenUntilItIsStopped) {
  detach("sleeper", {image("sleeper")});
  EXPECT_THAT(fusebox({"ps", "--quiet"}).out, "sleeper\n");
  EXPECT_EQ(fusebox({"stop", "sleeper"}).out, "sleeper\n");
  EXPECT_THAT(fusebox({"ps", "--quiet"}).out, IsEmpty());
  EXPECT_THAT(fusebox({"ps", "--all"}).out, HasSubstr("stopped"));
}

TEST_F(DetachedTest, LogsAndExitStatusStayAfterTheEnd) {
  detach("hello", {image("hello")});
  EXPECT_EQ(fusebox({"wait", "hello"}).status, 0);
  EXPECT_EQ(fusebox({"logs", "hello"}).out, "Hello from a nanocontainer\n");
  detach("seven", {image("crash"), "--", "exit", "7"});
  EXPECT_EQ(fusebox({"wait", "seven"}).status, 7);
}

TEST_F(DetachedTest, FollowedLogsEndWithTheContainer) {
  detach("nap", {image("tools"), "--", "sh-does-not-exist"});
  const Finished done = fusebox({"logs", "-f", "nap"});
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.out, HasSubstr("usage: tools"));
}

TEST_F(DetachedTest, AContainerThatCannotStartSaysWhy) {
  const Finished done = fusebox({"run", "--detach", "--name", "bad", "--device", "nonsense", image("sleeper")});
  EXPECT_EQ(done.status, 125);
  EXPECT_THAT(done.err, HasSubstr("'bad' failed to start: config:drivers[0]"));
}

TEST_F(DetachedTest, ExecRunsInTheContainersNamespaceWithItsOwnStatus) {
  write("site/page.txt", "shared\n");
  detach("box", {image("tools"), "--volume", "./site:/srv:ro", "--", "sleep", "1000"});
  const Finished shown = fusebox({"exec", "box", "--", "cat", "/srv/page.txt"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_EQ(shown.out, "shared\n");
  EXPECT_EQ(fusebox({"exec", "box", "--", "false"}).status, 1);
  EXPECT_THAT(fusebox({"ps", "--quiet"}).out, "box\n");
}

TEST_F(DetachedTest, ANameIsTakenWhileItRunsAndFreeAfterwards) {
  detach("one", {image("sleeper")});
  const Finished again = fusebox({"run", "--detach", "--name", "one", image("sleeper")});
  EXPECT_EQ(again.status, 125);
  EXPECT_THAT(again.err, HasSubstr("'one' is running; stop it first"));
  EXPECT_THAT(fusebox({"rm", "one"}).err, HasSubstr("use --force"));
  EXPECT_EQ(fusebox({"rm", "--force", "one"}).status, 0);
  detach("one", {image("sleeper")});
}

TEST_F(DetachedTest, UnknownNamesAreRefusedEverywhere) {
  detach("one", {image("sleeper")});
  for (const char* const verb : {"stop", "rm", "logs", "wait", "attach", "exec", "start"}) {
    const Finished done = fusebox({verb, "other"});
    EXPECT_EQ(done.status, 125) << verb;
    EXPECT_THAT(done.err, HasSubstr("other")) << verb;
  }
}

TEST_F(DetachedTest, AStoppedContainerStartsAgainAsItWas) {
  detach("count", {image("counter"), "--volume", "state:/state"});
  fusebox({"wait", "count"});
  ASSERT_EQ(fusebox({"start", "count"}).status, 0);
  fusebox({"wait", "count"});
  EXPECT_EQ(fusebox({"logs", "count"}).out, "1\n2\n");
}

TEST_F(DetachedTest, AKilledEnginesSuccessorBringsBackWhatShallAlwaysRun) {
  detach("always", {image("sleeper"), "--restart", "always"});
  detach("once", {image("sleeper")});
  kill_engine();
  // `volume ls` starts an engine where none runs.
  ASSERT_EQ(fusebox({"volume", "ls"}).status, 0);
  EXPECT_EQ(fusebox({"ps", "--quiet"}).out, "always\n");
  EXPECT_THAT(fusebox({"ps", "--all", "--quiet"}).out, HasSubstr("once"));
  EXPECT_EQ(fusebox({"start", "once"}).status, 0);
}

TEST_F(DetachedTest, ARestartLoopEndsGivenUp) {
  detach("flaky",
         {image("crash"), "--config", write("fast.json", R"({"restart":{"policy":"on-failure","max":2,"delayMs":1}})"),
          "--", "unreachable"});
  EXPECT_EQ(fusebox({"wait", "flaky"}).status, 134);
  EXPECT_THAT(fusebox({"ps", "--all"}).out, HasSubstr("given up"));
}

TEST_F(DetachedTest, AttachWritesToAnInteractiveContainer) {
  detach("shell", {"--interactive", image("tools"), "--", "cat"});
  ProcessOptions options;
  options.input = "typed\n";
  const Finished done = fusebox({"attach", "shell"}, options);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "typed\n");
}

TEST_F(DetachedTest, VolumesAreListedAndInUseOnesKept) {
  detach("user", {image("sleeper"), "--volume", "data:/data"});
  EXPECT_THAT(fusebox({"volume", "ls"}).out, HasSubstr("data"));
  EXPECT_THAT(fusebox({"volume", "rm", "data"}).err, HasSubstr("in use by 'user'"));
  fusebox({"stop", "user"});
  EXPECT_EQ(fusebox({"volume", "rm", "data"}).status, 0);
  EXPECT_THAT(fusebox({"volume", "rm", "data"}).err, HasSubstr("no volume 'data'"));
  EXPECT_THAT(fusebox({"volume", "rm", "../outside"}).err, HasSubstr("is no volume"));
}

TEST_F(DetachedTest, InspectShowsStatusAndConfiguration) {
  detach("seen", {image("sleeper"), "--cpus", "0.5"});
  const Finished done = fusebox({"inspect", "seen"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(member(done, "status"), HasSubstr("\"state\":\"running\""));
  EXPECT_THAT(member(done, "config"), HasSubstr("\"cpuPercent\":50"));
  EXPECT_EQ(fusebox({"inspect", "unseen"}).status, 125);
}

// Whatever the engine was doing when it was killed, the next `up` makes what the file says.
TEST_F(DetachedTest, AnEngineKilledWhileItStartsContainersLeavesNothingTheNextCannotUse) {
  std::string services = "services:\n";
  for (const char* const name : {"a", "b", "c"})
    services += std::string("  ") + name + ":\n    file: " + image("sleeper") + "\n";
  write("fusebox.yaml", services);
  for (int round = 0; round < 8; ++round) {
    write("fusebox.yaml", services + "    environment: {ROUND: \"" + std::to_string(round) + "\"}\n");
    ASSERT_EQ(fusebox({"volume", "ls"}).status, 0);  // an engine runs
    const std::string pid = fusebox({"daemon", "--pid"}).out;
    std::thread killer([&pid, round] {
      ::poll(nullptr, 0, round * 3);
      kill_and_see_it_gone(std::stoi(pid));
    });
    fusebox({"up"});
    killer.join();
    const Finished again = fusebox({"up"});
    ASSERT_EQ(again.status, 0) << again.err;
    ASSERT_EQ(fusebox({"ps", "--quiet"}).out, "a\nb\nc\n");
  }
}

TEST_F(DetachedTest, StatsAreOneObjectPerContainer) {
  detach("busy", {image("spin")});
  const Finished done = fusebox({"stats", "--json"});
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.out, HasSubstr("\"name\":\"busy\""));
}

TEST_F(DetachedTest, ASecondEngineOnTheSameSocketIsRefused) {
  detach("one", {image("sleeper")});
  const Finished second = fusebox({"daemon"});
  EXPECT_EQ(second.status, 125);
  EXPECT_THAT(second.err, HasSubstr("another engine serves this socket"));
}

}  // namespace
}  // namespace fusebox::testing
