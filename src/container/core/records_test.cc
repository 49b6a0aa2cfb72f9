// Names, reservations, slots and events: contract 9.2-9.6, 16.1, 16.5.
#include <gtest/gtest.h>

#include "container/container_test_support.h"
#include "container/core/memory_room.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

TEST(Records, AReservationIsCreatedConfiguredAndConsumed) {
  World world;
  world.add_guest("hello");
  ASSERT_TRUE(world->create_name("hello").has_value());
  EXPECT_EQ(world->status("hello")->state, State::created);
  EXPECT_EQ(code_of(world->start("hello")), Errno::inval);  // unconfigured, no image: kept
  EXPECT_EQ(world->status("hello")->state, State::created);
  ASSERT_TRUE(world->configure("hello", std::string_view("{}")).has_value());
  EXPECT_EQ(world->status("hello")->state, State::not_started);
  ASSERT_TRUE(world->create_name("hello").has_value());  // leaves it as it is
  EXPECT_EQ(world->status("hello")->state, State::not_started);
  ASSERT_TRUE(world->start("hello").has_value());  // image = the name
  EXPECT_EQ(world.ended("hello").state, State::exited);
  EXPECT_FALSE(world->status("hello")->has_reservation);
}

TEST(Records, TheShortFormStartsAnUnconfiguredReservationWithAnImage) {
  World world;
  world.add_guest("hello");
  ASSERT_TRUE(world->create_name("a").has_value());
  StartOptions options;
  options.image = "hello:1";
  ASSERT_TRUE(world->start("a", options).has_value());
  EXPECT_EQ(world.ended("a").exit_code, 0);
}

TEST(Records, ATerminalNameStartsAgainWithAnEmptyConfigurationOrAFreshOne) {
  World world;
  world.add_guest("crash");
  EXPECT_EQ(world.run("crash", with_image("crash", {"exit", "3"})).exit_code, 3);
  ASSERT_TRUE(world->start("crash").has_value());  // no reservation: an empty configuration
  EXPECT_NE(world.ended("crash").exit_code, 3);
  ASSERT_TRUE(world->configure("crash", std::string_view(R"({"args":["exit","4"]})")).has_value());
  EXPECT_TRUE(is_terminal(world->status("crash")->state));  // the run's token hides the reservation
  EXPECT_TRUE(world->status("crash")->is_configured);
  ASSERT_TRUE(world->start("crash").has_value());
  EXPECT_EQ(world.ended("crash").exit_code, 4);
}

TEST(Records, ABadConfigurationLeavesTheReservationAsItWas) {
  World world;
  ASSERT_TRUE(world->create_name("a").has_value());
  EXPECT_EQ(code_of(world->configure("a", std::string_view("{"))), Errno::inval);
  EXPECT_EQ(world->status("a")->state, State::created);
  ASSERT_TRUE(world->configure("a", std::string_view(R"({"image":"x"})")).has_value());
  const auto refused = world->configure("a", std::string_view(R"({"drivers":{}})"));
  EXPECT_EQ(code_of(refused), Errno::inval);
  EXPECT_EQ(refused.error().message, "drivers: must be an array, not object");
  EXPECT_EQ(world->config_json("a"), R"({"image":"x"})");
  EXPECT_EQ(code_of(world->configure("nobody", std::string_view("{}"))), Errno::noent);
}

TEST(Records, AnImageThatIsNotThereConsumesTheReservation) {
  World world;
  ASSERT_TRUE(world->create_name("a").has_value());
  ASSERT_TRUE(world->configure("a", std::string_view("{}")).has_value());
  EXPECT_EQ(code_of(world->start("a")), Errno::noent);
  EXPECT_FALSE(world->status("a").has_value());  // it had no run: the name is gone
  ASSERT_TRUE(world->create_name("a").has_value());
  StartOptions bad;
  bad.image = "a:b:c";
  EXPECT_EQ(code_of(world->start("a", bad)), Errno::inval);
  EXPECT_TRUE(world->status("a").has_value());
}

TEST(Records, ALiveNameIsBusyAndKeepsItsNextReservation) {
  World world;
  world.add_guest("sleeper");
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  world.until_running("a");
  ASSERT_TRUE(world->configure("a", std::string_view(R"({"image":"sleeper"})")).has_value());
  const auto refused = world->start("a");
  EXPECT_EQ(code_of(refused), Errno::busy);
  EXPECT_EQ(refused.error().message, "a is running");
  EXPECT_EQ(code_of(world->remove("a")), Errno::busy);
  EXPECT_TRUE(world->status("a")->has_reservation);
  EXPECT_EQ(code_of(world->launch("a", with_image("sleeper"))), Errno::busy);
  ASSERT_TRUE(world->stop("a").has_value());
  world.ended("a");
  ASSERT_TRUE(world->remove("a").has_value());
  EXPECT_FALSE(world->status("a").has_value());
  EXPECT_EQ(code_of(world->remove("a")), Errno::noent);
}

TEST(Records, NamesFollowTheGrammar) {
  World world;
  for (const char* bad : {"", "a/b", ".a", "-a", "a b", "abcdefghijklmno", "a:b", "\xc3\xa4"})
    EXPECT_EQ(code_of(world->create_name(bad)), Errno::inval) << bad;
  for (const char* good : {"a", "_", "A-b.c_9", "abcdefghijklmn"})
    EXPECT_EQ(code_of(world->create_name(good)), Errno::success) << good;
}

TEST(Records, ReservationsAreBoundedByMaxWapps) {
  World world({.profile = "tiny"});
  EXPECT_EQ(code_of(world->create_name("a")), Errno::success);
  EXPECT_EQ(code_of(world->create_name("b")), Errno::success);
  const auto refused = world->create_name("c");
  EXPECT_EQ(code_of(refused), Errno::nospc);
  EXPECT_EQ(refused.error().message, "all 2 reservations are taken");
  EXPECT_EQ(code_of(world->create_name("a")), Errno::success);
}

TEST(Records, SlotsAreLiveRunsAndTheOldestTerminalOneGivesWay) {
  World world({.profile = "tiny"});
  world.add_guest("sleeper");
  world.add_guest("hello");
  world.run("old", with_image("hello"));
  world.run("new", with_image("hello"));
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());  // takes the slot of `old`
  EXPECT_FALSE(world->status("old").has_value());
  EXPECT_TRUE(world->status("new").has_value());
  ASSERT_TRUE(world->launch("b", with_image("sleeper")).has_value());
  EXPECT_FALSE(world->status("new").has_value());
  const auto refused = world->launch("c", with_image("sleeper"));
  EXPECT_EQ(code_of(refused), Errno::nospc);
  EXPECT_EQ(refused.error().message, "all 2 slots are in use; stop a container first");
  EXPECT_FALSE(world->status("c").has_value());  // consumed
  ASSERT_TRUE(world->stop("a").has_value());
  world.ended("a");
  EXPECT_EQ(code_of(world->launch("c", with_image("sleeper"))), Errno::success);
}

TEST(Records, ListsRunsInSlotOrderThenReservations) {
  World world;
  world.add_guest("hello");
  world.run("zz", with_image("hello"));
  world.run("aa", with_image("hello"));
  ASSERT_TRUE(world->create_name("mm").has_value());
  std::vector<std::string> names;
  for (const Status& status : world->list()) names.push_back(status.name);
  EXPECT_EQ(names, (std::vector<std::string>{"zz", "aa", "mm"}));
}

TEST(Records, EventsTellEveryChangeOfAToken) {
  World world;
  world.add_guest("hello");
  EventReader events = world->events();
  ASSERT_TRUE(world->create_name("a").has_value());
  ASSERT_TRUE(world->configure("a", std::string_view(R"({"image":"hello"})")).has_value());
  ASSERT_TRUE(world->start("a").has_value());
  world.ended("a");
  ASSERT_TRUE(world->remove("a").has_value());
  std::vector<std::string> seen;
  while (const auto event = events.next())
    seen.push_back(event->name + " " + event->from + " " + event->to + " " + event->reason);
  EXPECT_EQ(seen, (std::vector<std::string>{"a  created -", "a created not_started -", "a not_started starting -",
                                            "a starting running -", "a running exited exit", "a exited  -"}));
}

TEST(Events, LinesHaveNoEmptyFields) {
  base::ManualClock clock(5ns);
  EventLog log(clock);
  log.add("a", "", "created", "-");
  std::uint64_t seq = 1;
  EXPECT_EQ(log.take(seq)->line(), "1 5 a - created -\n");
  EXPECT_EQ(seq, 2u);
  EXPECT_FALSE(log.take(seq).has_value());
}

TEST(Events, AReaderThatFallsBehindGetsOneOverrunLine) {
  base::ManualClock clock;
  const auto log = std::make_shared<EventLog>(clock);
  EventReader reader(log);
  for (std::size_t i = 0; i < EventLog::kBacklogLines; ++i) log->add("a", "x", "y", "-");
  EventReader late = reader;
  EXPECT_EQ(late.next()->seq, 1u);  // all are kept
  log->add("a", "x", "y", "-");
  const auto overrun = reader.next();
  EXPECT_EQ(overrun->to, "overrun");
  EXPECT_EQ(overrun->line(), "1 " + std::to_string(clock.wall().count()) + " - - overrun -\n");
  EXPECT_EQ(reader.next()->seq, 2u);
}

constexpr std::string_view kExit1 = R"((module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 1)))))";

TEST(Restart, OnFailureRestartsWithGrowingDelaysUntilItGivesUp) {
  base::ManualClock clock;
  World world({.clock = &clock});
  world.add_wat("fails", kExit1);
  LaunchConfig config = with_image("fails");
  config.restart = {RestartPolicy::on_failure, 3, 100, 2, 60'000, 60'000};
  ASSERT_TRUE(world->launch("a", config).has_value());
  for (std::uint32_t round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    world.until([&] { return world->status("a")->restart_word == RestartWord::pending; });
    EXPECT_EQ(world->status("a")->state, State::exited);
    EXPECT_EQ(world->status("a")->restarts, round);
    const base::Nanos delay = 100ms * (1 << round);
    clock.advance(delay * 9 / 10 - 1ns);  // at most 10 % early
    world->clock_moved();
    EXPECT_EQ(world->status("a")->restarts, round);
    clock.advance(delay * 2 / 10 + 1ns);  // at most 10 % late
    world->clock_moved();
    world.until([&] { return world->status("a")->restarts == round + 1; });
  }
  world.until([&] { return world->status("a")->restart_word == RestartWord::given_up; });
  EXPECT_EQ(world->status("a")->restarts, 3u);
}

TEST(Restart, AStopADeleteAndAStartCancelAPendingOne) {
  base::ManualClock clock;
  World world({.clock = &clock});
  world.add_wat("fails", kExit1);
  LaunchConfig config = with_image("fails");
  config.restart.policy = RestartPolicy::always;
  const auto pending = [&] {
    ASSERT_TRUE(world->launch("a", config).has_value());
    world.until([&] { return world->status("a")->restart_word == RestartWord::pending; });
  };
  pending();
  EXPECT_TRUE(world->stop("a").has_value());
  EXPECT_EQ(world->status("a")->restart_word, RestartWord::none);
  pending();
  EXPECT_TRUE(world->remove("a").has_value());
  pending();
  ASSERT_TRUE(world->launch("a", with_image("fails")).has_value());
  EXPECT_EQ(world.ended("a").restart_word, RestartWord::none);
  clock.advance(1h);
  world->clock_moved();
  EXPECT_EQ(world->status("a")->restarts, 0u);
}

TEST(Restart, PoliciesDecideByHowTheRunEnded) {
  base::ManualClock clock;
  World world({.clock = &clock});
  world.add_wat("fails", kExit1);
  world.add_wat("fine", R"((module (func (export "_start"))))");
  world.add_guest("sleeper");
  LaunchConfig config = with_image("fine");
  config.restart.policy = RestartPolicy::on_failure;
  EXPECT_EQ(world.run("a", config).restart_word, RestartWord::none);
  config.restart.policy = RestartPolicy::always;
  ASSERT_TRUE(world->launch("b", config).has_value());
  world.until([&] { return world->status("b")->restart_word == RestartWord::pending; });
  config.image = "sleeper";
  ASSERT_TRUE(world->launch("c", config).has_value());
  ASSERT_TRUE(world->stop("c").has_value());
  EXPECT_EQ(world.ended("c").restart_word, RestartWord::none);                     // a stop is final
  EXPECT_EQ(world.run("d", with_image("fails")).restart_word, RestartWord::none);  // default: no
}

TEST(Exec, RunsAnotherProcessInTheNamespaceAndEndsWithTheRun) {
  World world;
  world.add_guest("sleeper");
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  world.until_running("a");
  ExecOptions options;
  options.args = {"1"};  // sleeper MS
  const auto quick = world->exec("a", options);
  ASSERT_TRUE(quick.has_value()) << quick.error().message;
  const auto ended = world->wait_exec(*quick, 10s);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->state, State::exited);
  EXPECT_EQ(ended->exit_code, 0);
  const auto slow = world->exec("a", {});
  ASSERT_TRUE(slow.has_value());
  EXPECT_EQ(world->status("a")->execs, 1u);
  ASSERT_TRUE(world->stop("a").has_value());
  EXPECT_EQ(world.ended("a").reason, "stopped");
  EXPECT_EQ(world->wait_exec(*slow, 10s)->reason, "stopped");
  EXPECT_EQ(code_of(world->exec("a", {})), Errno::noent);
}

TEST(Exec, AMissingModuleAndAStopShowInItsStatus) {
  World world;
  world.add_guest("sleeper");
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  world.until_running("a");
  ExecOptions missing;
  missing.module_path = "/no/such.wasm";
  EXPECT_EQ(world->wait_exec(*world->exec("a", missing), 10s)->reason, "no-entry");
  const auto slow = world->exec("a", {});
  ASSERT_TRUE(world->stop_exec(*slow).has_value());
  EXPECT_EQ(world->wait_exec(*slow, 10s)->reason, "stopped");
  EXPECT_EQ(world->status("a")->state, State::running);
  EXPECT_EQ(code_of(world->stop_exec(*slow)), Errno::noent);
  world->forget_exec(*slow);
  EXPECT_FALSE(world->exec_status(*slow).has_value());
}

TEST(Attachment, GivesTheLogToItsEnd) {
  World world;
  world.add_guest("hello");
  world.add_guest("sleeper");
  EXPECT_EQ(code_of(world->attach("a")), Errno::noent);
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  auto attached = world->attach("a");
  ASSERT_TRUE(attached.has_value());
  EXPECT_FALSE((*attached)->next(1ms).has_value());
  const base::ByteView text = base::as_bytes("text");
  world->logs().append("a", {&text, 1});
  EXPECT_EQ((*attached)->next(10s)->text, "text");
  EXPECT_EQ(code_of((*attached)->write("x")), Errno::badf);
  ASSERT_TRUE(world->stop("a").has_value());
  EXPECT_EQ((*attached)->next(10s)->text, "");
}

TEST(Attachment, OutlivesItsEngineAndSeesTheEnd) {
  World world;
  world.add_guest("sleeper");
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  world.until_running("a");
  auto attached = world->attach("a");
  ASSERT_TRUE(attached.has_value());
  world.destroy();
  EXPECT_EQ((*attached)->next(10s)->text, "");
}

TEST(Records, AStartWithoutMemoryIsNomemAndTakesItsReservationAlong) {
  bool has_memory = true;
  std::uint64_t asked = 0;
  World world({.profile = "constrained", .change = [&](ContainersOptions& options) {
                 options.has_memory = [&](std::uint64_t bytes) {
                   asked = bytes;
                   return has_memory;
                 };
               }});
  world.add_guest("hello");
  for (const char* const name : {"a", "b", "c"}) EXPECT_EQ(world.run(name, with_image("hello")).reason, "exit");
  EXPECT_EQ(asked, 256u << 10) << "the least stack a guest has";
  has_memory = false;
  ASSERT_TRUE(world->create_name("d").has_value());
  EXPECT_EQ(code_of(world->start("d")), Errno::inval) << "what is wrong with the reservation comes first";
  ASSERT_TRUE(world->configure("d", with_image("missing")).has_value());
  EXPECT_EQ(code_of(world->start("d")), Errno::noent) << "then the image";
  ASSERT_TRUE(world->create_name("d").has_value());
  ASSERT_TRUE(world->configure("d", with_image("hello")).has_value());
  EXPECT_EQ(code_of(world->start("d")), Errno::nomem);
  EXPECT_FALSE(world->status("d").has_value()) << "its name is gone";
  EXPECT_TRUE(world->status("a").has_value()) << "and no ended run was dropped for it";
  ASSERT_TRUE(world->configure("a", with_image("hello")).has_value());
  EXPECT_EQ(code_of(world->start("a")), Errno::nomem);
  EXPECT_EQ(world->status("a")->state, State::exited);
  EXPECT_FALSE(world->status("a")->has_reservation);
  has_memory = true;
  EXPECT_EQ(world.run("d", with_image("hello")).reason, "exit");
}

TEST(Records, TheKernelIsAskedForNoMoreThanItCanGive) {
  EXPECT_TRUE(kernel_has_memory(1u << 20));
  EXPECT_FALSE(kernel_has_memory(std::uint64_t{1} << 62));
}

}  // namespace
}  // namespace fusebox::container
