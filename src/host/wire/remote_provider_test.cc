// RemoteProvider over our own agent: streams, files, pulls, what goes wrong on the way.
#include "host/wire/remote_provider.h"

#include "host/api/deadlines.h"
#include "host/wire/wire_test_support.h"
#include "http/frames.h"

namespace fusebox::host::test {
namespace {

using Kind = ProcessEvent::Kind;

struct Remote : ::testing::Test {
  Rig rig;
  template <class T>
  T await(Task<T> task) {
    return rig.await(std::move(task));
  }
  std::unique_ptr<ProcessStream> start(ProcessSpec spec, CallContext context = {}) {
    auto process = await(rig.remote->start_process(std::move(context), "a", std::move(spec)));
    EXPECT_TRUE(process.has_value()) << process.error().message;
    return process ? std::move(*process) : nullptr;
  }
  void say(ProcessEvent event) {
    rig.provider.process->events.push_back(std::move(event));
    rig.provider.process->changed.notify();
  }
};

TEST_F(Remote, AStreamCarriesOutputInputSignalsAndTheEnd) {
  rig.make("a");
  ProcessSpec spec;
  spec.argv = {"a b", "", "c&d=e"};
  spec.env = {{"K", "v=w"}};
  spec.cwd = "/w";
  spec.tag = "t";
  spec.timeout = 30min;
  spec.stdin_open = true;
  spec.stdin_bytes = "first ";
  spec.terminal = TerminalSize{24, 80};
  const auto process = start(spec);
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(process->pid(), 42u);
  const ProcessSpec& seen = rig.provider.process_spec;
  EXPECT_EQ(seen.argv, spec.argv);
  EXPECT_EQ(seen.env, spec.env);
  EXPECT_EQ(seen.cwd + seen.tag, "/wt");
  EXPECT_EQ(seen.timeout, 30min);
  EXPECT_TRUE(seen.stdin_open);
  EXPECT_EQ(seen.terminal->cols, 80);

  say({Kind::out, "hello", {}});
  auto event = await(process->next());
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->data, "hello");
  EXPECT_EQ(event->kind, Kind::out);
  ASSERT_TRUE(await(process->write_stdin("second")));
  ASSERT_TRUE(process->signal("TERM"));
  ASSERT_TRUE(process->resize({30, 90}));
  ASSERT_TRUE(process->close_stdin());
  const auto& state = *rig.provider.process;
  rig.settle([&] { return state.input_closed && state.size.cols == 90; });
  EXPECT_EQ(state.input, "first second");
  EXPECT_EQ(state.signals, std::vector<std::string>{"TERM"});

  say({Kind::err, std::string(3u << 20, 'e'), {}});
  say({Kind::exit, {}, {.exit_code = 137, .signal = "KILL", .timed_out = true}});
  std::size_t errors = 0;
  for (event = await(process->next()); event && event->kind == Kind::err; event = await(process->next()))
    errors += event->data.size();
  EXPECT_EQ(errors, 3u << 20);
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->exit.exit_code, 137);
  EXPECT_EQ(event->exit.signal, "KILL");
  EXPECT_TRUE(event->exit.timed_out);
  EXPECT_EQ(await(process->next()).error().code, base::Errc::not_found);
}

TEST_F(Remote, AStreamThatGoesLeavesTheProcessUnlessToldOtherwise) {
  rig.make("a");
  ProcessSpec spec;
  spec.argv = {"x"};
  start(spec).reset();
  rig.settle([&] { return rig.provider.process->gone; });
  EXPECT_TRUE(rig.provider.process->signals.empty());
  rig.provider.process = std::make_shared<ScriptedProcess::State>(rig.loop);
  spec.kill_with_stream = true;
  start(spec).reset();
  rig.settle([&] { return rig.provider.process->gone; });
  EXPECT_EQ(rig.provider.process->signals, std::vector<std::string>{"KILL"});
}

TEST_F(Remote, TheStopOfItsContextEndsAStream) {
  rig.make("a");
  std::stop_source stop;
  CallContext context;
  context.stop = stop.get_token();
  ProcessSpec spec;
  spec.argv = {"x"};
  auto process = start(spec, context);
  rig.loop.post([&] { stop.request_stop(); });
  EXPECT_EQ(await(process->next()).error().code, base::Errc::stopped);
  process.reset();
  rig.settle([&] { return rig.provider.process->gone; });
}

TEST_F(Remote, ConnectsToAProcessAndListsThem) {
  rig.make("a");
  const auto listed = await(rig.remote->processes({}, "a"));
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().argv, (std::vector<std::string>{"sleep", "1"}));
  EXPECT_EQ(listed->front().started, 5s);
  auto process = await(rig.remote->connect_process({}, "a", 42));
  ASSERT_TRUE(process) << process.error().message;
  say({Kind::exit, {}, {.exit_code = 3, .signal = {}}});
  EXPECT_EQ(await((*process)->next())->exit.exit_code, 3);
  EXPECT_EQ(await(rig.remote->connect_process({}, "a", 1)).error().code, base::Errc::not_found);
}

TEST_F(Remote, ADestroyEndsStreams) {
  rig.make("a");
  ProcessSpec spec;
  spec.argv = {"x"};
  const auto process = start(spec);
  ASSERT_TRUE(await(rig.remote->destroy({}, "a")));
  EXPECT_FALSE(await(process->next()).has_value());
  rig.settle([&] { return rig.provider.process->gone; });
}

TEST_F(Remote, AttachCarriesBytesAsTheyAre) {
  rig.make("a");
  auto stream = await(rig.remote->attach({}, "a", {.argv = {"a b", ""}, .size = {24, 80}}));
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(rig.provider.attach_spec.argv, (std::vector<std::string>{"a b", ""}));  // ours is not quoted for
  EXPECT_EQ(rig.provider.attach_spec.size.rows, 24);
  ASSERT_TRUE(await((*stream)->write(std::string("\0\xff raw", 6))));
  std::string got;
  while (got.size() < 6) {
    char block[64];
    const auto size = await((*stream)->read_some(block));
    ASSERT_TRUE(size.has_value());
    ASSERT_GT(*size, 0u);
    got.append(block, *size);
  }
  EXPECT_EQ(got, std::string("\0\xff raw", 6));
  rig.agent->stop();
  char block[8];
  const auto end = await((*stream)->read_some(block));
  EXPECT_TRUE(!end || *end == 0);
}

TEST_F(Remote, ErrorsKeepTheirCodeStatusAndText) {
  const auto gone = await(rig.remote->exec({}, "none", {.argv = {"x"}}));
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, base::Errc::not_found);
  EXPECT_EQ(gone.error().message, "vm not found");
  const auto* failure = wire_failure(gone.error());
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->status, 404);

  auto stranger = RemoteProvider::create(rig.loop, rig.random, {.url = rig.url(), .token = "wrong"});
  const auto denied = await((*stranger)->capacity({}));
  EXPECT_EQ(denied.error().code, base::Errc::denied);
  EXPECT_EQ(denied.error().message, "the agent rejected the token");
}

TEST_F(Remote, ARefusedConnectionIsToldApart) {
  rig.server.reset();
  CreateSpec spec;
  spec.name = "a";
  const auto refused = await(rig.remote->create({}, spec));
  ASSERT_FALSE(refused.has_value());
  const auto* failure = wire_failure(refused.error());
  ASSERT_NE(failure, nullptr);
  EXPECT_TRUE(failure->refused);
  EXPECT_FALSE(failure->sent);
  EXPECT_EQ(failure->status, 0);
  EXPECT_EQ(refused.error().code, base::Errc::unavailable);
}

TEST_F(Remote, ACallEndsAtItsLimit) {
  rig.make("a");
  rig.provider.exec_hangs = true;
  CallContext context;
  context.limit = 50ms;
  ASSERT_TRUE(await(rig.remote->capacity({})));
  const auto late = await(rig.remote->exec(context, "a", {.argv = {"x"}}));
  EXPECT_EQ(late.error().code, base::Errc::stopped) << late.error().message;
  const auto* failure = wire_failure(late.error());
  ASSERT_NE(failure, nullptr);
  EXPECT_TRUE(failure->sent);
}

TEST_F(Remote, PullsInTheBackgroundAndSaysWhyNot) {
  const std::string digest(64, 'a');
  const auto failed = await(rig.remote->pull({}, {.digest = digest, .peer_url = "http://127.0.0.1:1", .grant = "g"}));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().message, "the stub provider moves no snapshots");
  rig.provider.pulled = SnapshotRecord{};
  rig.provider.pulled->snapshot_id = "art-x";
  rig.provider.pulled->digest = digest;
  rig.provider.pulled->size_bytes = 7;
  const auto pulled = await(rig.remote->pull({}, {.digest = digest, .peer_url = "http://127.0.0.1:1", .grant = "g"}));
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->snapshot_id, "art-x");
  EXPECT_EQ(pulled->size_bytes, 7u);
  const auto wrong = await(rig.remote->pull({}, {.digest = digest, .peer_url = "ftp://x", .grant = "g"}));
  EXPECT_EQ(wrong.error().code, base::Errc::invalid);
  EXPECT_EQ(wrong.error().message, "bad field: 'peer_url': must be http or https");
}

TEST_F(Remote, ReadsAnArtifactWithAGrantOfItsOwn) {
  const std::string digest(64, 'd');
  rig.provider.artifacts[digest] = "bytes";
  for (int i = 0; i < 2; ++i) {  // a new grant each time
    auto reader = await(rig.remote->artifact({}, digest));
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ((*reader)->size(), 5u);
  }
  EXPECT_EQ(await(rig.remote->artifact({}, std::string(64, '0'))).error().code, base::Errc::not_found);
}

TEST_F(Remote, ReadsLogsFromWhereItWas) {
  rig.make("a");
  rig.provider.log = {{1s, "serial", "one"}, {2s, "agent", "two"}};
  auto page = await(rig.remote->logs({}, "a", {}, 0));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->records.size(), 2u);
  EXPECT_EQ(page->next, 2u);
  rig.provider.log.push_back({3s, "serial", "three"});
  page = await(rig.remote->logs({}, "a", {"serial"}, page->next));
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_EQ(page->records[0].data, "three");
  EXPECT_EQ(page->records[0].at, 3s);
}

TEST(RemoteUrls, AreCheckedBeforeAnythingIsSent) {
  const base::RealClock clock;
  http::Loop loop(clock);
  base::SeededRandom random(1);
  for (const char* url : {"", "x", "ftp://x", "http://", "https://:80", "http://u@x", "http://x/?q", "http://x/#f"})
    EXPECT_EQ(RemoteProvider::create(loop, random, {.url = url}).error().code, base::Errc::invalid) << url;
  for (const char* url : {"http://x", "https://[::1]:8090/prefix/", "http://10.0.0.1:1"})
    EXPECT_TRUE(RemoteProvider::create(loop, random, {.url = url}).has_value()) << url;
}

}  // namespace
}  // namespace fusebox::host::test
