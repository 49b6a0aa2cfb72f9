// RemoteProvider over an agent as the reference's is on the wire: HTTP/1.0, no features, nothing but the older routes.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/files.h"
#include "host/wire/wire_test_support.h"
#include "http/frames.h"

extern char** environ;

namespace fusebox::host::test {
namespace {

// tests/support/reference_agent.py as a process; it ends when its standard input does.
class ReferenceAgent {
 public:
  explicit ReferenceAgent(const char* app = "fc-agent") {
    std::array<int, 2> in{}, out{};
    EXPECT_EQ(::pipe2(in.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
    input_ = base::Fd::adopt(in[1]);
    const base::Fd child_in = base::Fd::adopt(in[0]), said = base::Fd::adopt(out[0]);
    {
      const base::Fd child_out = base::Fd::adopt(out[1]);
      posix_spawn_file_actions_t actions;
      posix_spawn_file_actions_init(&actions);
      posix_spawn_file_actions_adddup2(&actions, child_in.get(), 0);
      posix_spawn_file_actions_adddup2(&actions, child_out.get(), 1);
      std::string script = FUSEBOX_SOURCE_DIR "/tests/support/reference_agent.py";
      std::array<std::string, 6> words = {"python3", script, "--token", kToken, "--app", app};
      std::array<char*, 7> argv{};
      for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
      EXPECT_EQ(::posix_spawnp(&pid_, "python3", &actions, nullptr, argv.data(), environ), 0);
      posix_spawn_file_actions_destroy(&actions);
    }
    std::string line;
    for (char c = 0; ::read(said.get(), &c, 1) == 1 && c != '\n';) line += c;
    EXPECT_EQ(line.find("port "), 0u) << line;
    port_ = line.size() > 5 ? std::stoi(line.substr(5)) : 1;
  }
  ~ReferenceAgent() {
    input_ = base::Fd();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  base::Fd input_;
  pid_t pid_ = -1;
  int port_ = 0;
};

struct Reference : ::testing::Test {
  explicit Reference(const char* app = "fc-agent", const char* backend = "firecracker") : agent(app) {
    client = std::make_unique<http::AsyncClient>(loop, http::AsyncClientOptions{});
    remote =
        RemoteProvider::create(loop, random, {.url = agent.url() + "/", .token = kToken, .backend = backend}).value();
  }
  base::Executor& executor() { return loop; }
  void settle(const std::function<bool()>& done) { loop.run_until(done); }
  template <class T>
  T await(Task<T> task) {
    return finish(*this, std::move(task));
  }
  void set(const std::string& knobs) {
    http::AsyncRequest request;
    request.method = "POST";
    request.url = agent.url() + "/_knobs";
    request.body = knobs;
    EXPECT_EQ(await(client->send(std::move(request)))->status, 204);
  }
  std::string calls() {
    http::AsyncRequest request;
    request.url = agent.url() + "/_calls";
    return await(client->send(std::move(request)))->body;
  }
  std::size_t count(const std::string& name) {
    const std::string all = calls(), wanted = "\"name\": \"" + name + "\"";
    std::size_t found = 0;
    for (std::size_t at = all.find(wanted); at != std::string::npos; at = all.find(wanted, at + 1)) ++found;
    return found;
  }
  Result<VmRecord> create(const std::string& name) {
    CreateSpec spec;
    spec.name = name;
    CallContext context;
    context.generation = 3;
    context.op_id = "op-7";
    context.request_id = "req-9";
    return await(remote->create(context, spec));
  }
  Result<std::string> read(const std::string& path) {
    auto reader = await(remote->read_file({}, "a", path));
    if (!reader) return std::unexpected(reader.error());
    std::string all;
    for (;;) {
      char block[1000];
      auto size = await((*reader)->read_some(block));
      if (!size) return std::unexpected(size.error());
      if (*size == 0) return all;
      all.append(block, *size);
    }
  }
  Result<std::uint64_t> write(const std::string& path, const std::string& bytes, std::uint32_t mode) {
    auto writer = await(remote->write_file({}, "a", path, mode));
    if (!writer) return std::unexpected(writer.error());
    auto written = await((*writer)->write(bytes));
    if (!written) return std::unexpected(written.error());
    return await((*writer)->commit());
  }

  ReferenceAgent agent;
  base::RealClock clock;
  base::SeededRandom random{5};
  http::Loop loop{clock};
  std::unique_ptr<http::AsyncClient> client;
  std::unique_ptr<RemoteProvider> remote;
};
struct ReferenceQemu : Reference {
  ReferenceQemu() : Reference("qemu-agent", "qemu") {}
};

TEST_F(Reference, IsKnownByItsServerHeader) {
  const auto capacity = await(remote->capacity({}));
  ASSERT_TRUE(capacity) << capacity.error().message;
  EXPECT_EQ(capacity->cpus, 4);
  EXPECT_EQ(capacity->agent_name, "fc-agent");
  EXPECT_EQ(capacity->agent_version, "0.1");
  EXPECT_TRUE(capacity->features.empty());
  EXPECT_FALSE(capacity->vm_count.has_value());
}

TEST_F(Reference, MakesListsAndEndsVms) {
  const auto made = create("a");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->vm_id, "a");
  EXPECT_EQ(made->generation, 0u);
  EXPECT_EQ(await(remote->list({}, ""))->size(), 1u);
  EXPECT_EQ(await(remote->get({}, "a"))->url, made->url);
  const std::string seen = calls();
  for (const char* header :
       {"\"X-Fusebox-Op\": \"op-7\"", "\"X-Fusebox-Generation\": \"3\"", "\"X-Request-ID\": \"req-9\""})
    EXPECT_NE(seen.find(header), std::string::npos) << header;
  EXPECT_EQ(create("a").error().code, base::Errc::exists);
  EXPECT_TRUE(await(remote->destroy({}, "a")));
  EXPECT_EQ(await(remote->destroy({}, "a")).error().code, base::Errc::not_found);
}

TEST_F(Reference, AnEmptyUrlIsReplaced) {
  set(R"({"create":{"reply":{"url":""}}})");
  EXPECT_EQ(create("a")->url, "fc://a");
}

TEST_F(Reference, RepliesWithFieldsLeftOutOrWrongAreNoSurprise) {
  set(R"({"create":{"reply":{"vm_id":null,"url":5}},"list":{"reply":{"vms":{}}}})");
  EXPECT_EQ(create("a")->url, "fc://a");
  const auto list = await(remote->list({}, ""));
  ASSERT_FALSE(list.has_value());  // never an empty list
  EXPECT_EQ(list.error().message, "the agent's reply has no list of vms");
  EXPECT_EQ(await(remote->list({}, ""))->size(), 1u);
}

TEST_F(Reference, ReadsAreTriedAgainCreatesNever) {
  set(R"({"get":{"status":503,"times":2},"list":{"status":500},"create":{"status":503,"late":true}})");
  EXPECT_EQ(create("a").error().code, base::Errc::unavailable);
  EXPECT_EQ(count("create"), 1u);
  EXPECT_TRUE(await(remote->get({}, "a")).has_value());
  EXPECT_EQ(count("get"), 3u);
  EXPECT_EQ(await(remote->list({}, "")).error().code, base::Errc::io);  // 500 is an answer
  EXPECT_EQ(count("list"), 1u);
  set(R"({"get":{"status":502,"times":3}})");
  EXPECT_FALSE(await(remote->get({}, "a")).has_value());
  set(R"({"upload":{"status":503}})");
  EXPECT_TRUE(await(remote->upload({}, "a", "/x", "1", std::nullopt)));
  EXPECT_EQ(count("upload"), 2u);
  set(R"({"exec":{"status":503}})");
  ProcessSpec spec;
  spec.argv = {"true"};
  EXPECT_FALSE(await(remote->exec({}, "a", spec)).has_value());
  EXPECT_EQ(count("exec"), 1u);
}

TEST_F(Reference, ACreateWithoutAnAnswerIsOfUnknownOutcome) {
  set(R"({"create":{"drop":true}})");
  const auto lost = create("a");
  ASSERT_FALSE(lost.has_value());
  const auto* failure = wire_failure(lost.error());
  ASSERT_NE(failure, nullptr);
  EXPECT_TRUE(failure->sent);
  EXPECT_FALSE(failure->refused);
  EXPECT_EQ(failure->status, 0);
  EXPECT_EQ(count("create"), 1u);
  EXPECT_TRUE(await(remote->get({}, "a")).has_value());
}

TEST_F(Reference, AnAgentThatDiesInACreateIsRefusedAfterwards) {
  set(R"({"create":{"die":true}})");
  const auto lost = create("a");
  EXPECT_TRUE(dynamic_cast<const WireFailure&>(*lost.error().detail).sent);
  // The kernel closes a dead process's sockets one by one: its listener may be the last of them.
  bool refused = false;
  for (int tries = 0; tries < 1000 && !refused; ++tries) {
    const auto again = create("a");
    ASSERT_FALSE(again.has_value());
    refused = dynamic_cast<const WireFailure&>(*again.error().detail).refused;
  }
  EXPECT_TRUE(refused);
}

TEST_F(Reference, ErrorTextsAreCut) {
  set(R"({"create":{"status":500,"text":")" + std::string(3000, 'x') + R"("}})");
  EXPECT_EQ(create("a").error().message, std::string(509, 'x') + "...");
}

TEST_F(Reference, ExecTakesEnvironmentFolderAndInputThroughAShell) {
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(remote->upload({}, "a", "/w/f", "there", std::nullopt)));
  ProcessSpec spec;
  spec.argv = {"sh", "-c", R"(cat; echo " $K $0"; ls; echo oops >&2; exit 3)", "it's $x"};
  spec.env = {{"K", "a b"}};
  spec.cwd = "/w";
  spec.stdin_bytes = "input";
  const auto result = await(remote->exec({}, "a", spec));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, "input a b it's $x\nf\n");
  EXPECT_EQ(result->err, "oops\n");
  EXPECT_EQ(result->exit.exit_code, 3);
  EXPECT_FALSE(result->exit.timed_out);
  spec = ProcessSpec();
  spec.argv = {"sleep", "5"};
  spec.timeout = 100ms;
  const auto late = await(remote->exec({}, "a", spec));
  EXPECT_EQ(late->exit.exit_code, 124);
  EXPECT_TRUE(late->exit.timed_out);
  spec.argv = {"sh", "-c", "printf 12345"};
  spec.timeout = 5s;
  spec.output_bytes_max = 3;
  const auto cut = await(remote->exec({}, "a", spec));
  EXPECT_EQ(cut->out, "123");
  EXPECT_TRUE(cut->out_truncated);
}

TEST_F(Reference, AnSshFailureIsNoExitStatus) {
  ASSERT_TRUE(create("a"));
  ProcessSpec spec;
  const auto ending = [&](std::string said) {
    spec.argv = {"sh", "-c", std::move(said) + "; exit 255"};
    return await(remote->exec({}, "a", spec));
  };
  for (const char* line : {"echo 'ssh: connect to host 10.200.1.2 port 22: Connection refused' >&2",
                           "echo 'kex_exchange_identification: read: Connection reset by peer' >&2",
                           "echo out; echo 'Connection closed by 10.200.1.2 port 22' >&2",
                           "echo out; printf 'err\\nclient_loop: send disconnect: Broken pipe\\r\\n' >&2",
                           "echo out; echo 'Connection to 10.200.1.2 closed by remote host.' >&2"}) {
    const auto lost = ending(line);
    ASSERT_FALSE(lost) << line;
    EXPECT_EQ(lost.error().code, base::Errc::unavailable);
  }
  for (const char* line : {"true", "echo 'Connection to the database failed' >&2", "echo out; echo 'ssh: its own' >&2",
                           "echo 'Connection closed by peer' >&2; echo 'giving up' >&2"})
    EXPECT_EQ(ending(line)->exit.exit_code, 255) << line;
}

TEST_F(Reference, AProcessIsShownAsAStreamWhenItHasEnded) {
  ASSERT_TRUE(create("a"));
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "cat; echo err >&2; exit 4"};
  spec.stdin_open = true;
  auto process = await(remote->start_process({}, "a", spec));
  ASSERT_TRUE(process) << process.error().message;
  ASSERT_TRUE(await((*process)->write_stdin("in")));
  ASSERT_TRUE((*process)->close_stdin());
  EXPECT_EQ(await((*process)->next())->data, "in");
  EXPECT_EQ(await((*process)->next())->data, "err\n");
  EXPECT_EQ(await((*process)->next())->exit.exit_code, 4);
  EXPECT_EQ(await((*process)->next()).error().code, base::Errc::not_found);
  EXPECT_EQ((*process)->resize({1, 1}).error().code, base::Errc::unsupported);
  EXPECT_EQ(await(remote->processes({}, "a")).error().code, base::Errc::unsupported);
  EXPECT_EQ(await(remote->stats({}, "a")).error().code, base::Errc::unsupported);
  EXPECT_EQ(await(remote->drain({}, "a")).error().code, base::Errc::unsupported);
  EXPECT_TRUE(await(remote->logs({}, "a", {}, 0))->records.empty());
}

TEST_F(Reference, FilesGoThroughUploadAndExec) {
  ASSERT_TRUE(create("a"));
  std::string large(5u << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 + i / 251);
  EXPECT_EQ(*write("/w/large", large, 0755), large.size());
  EXPECT_EQ(*read("/w/large"), large);
  EXPECT_EQ(*write("/w/empty", "", 0644), 0u);
  EXPECT_EQ(*read("/w/empty"), "");
  EXPECT_EQ(*write("/w/odd name\n", "x", 0644), 1u);
  const auto entries = await(remote->list_files({}, "a", "/w"));
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[1].name, "large");
  EXPECT_EQ((*entries)[1].mode, 0755u);
  EXPECT_EQ((*entries)[1].size, large.size());
  EXPECT_EQ((*entries)[2].name, "odd name\n");
  EXPECT_EQ(read("/w/none").error().code, base::Errc::not_found);
  EXPECT_EQ(read("/w").error().code, base::Errc::invalid);
  EXPECT_EQ(await(remote->list_files({}, "a", "/none")).error().code, base::Errc::not_found);
  auto tar = await(remote->read_archive({}, "a", "/w"));
  ASSERT_TRUE(tar) << tar.error().message;
  EXPECT_EQ((*tar)->size().value_or(1) % 512, 0u);
  EXPECT_EQ(await(remote->remove_file({}, "a", "/w", false)).error().code, base::Errc::invalid);
  EXPECT_TRUE(await(remote->remove_file({}, "a", "/w/large", false)));
  EXPECT_EQ(await(remote->remove_file({}, "a", "/w/large", false)).error().code, base::Errc::not_found);
  EXPECT_TRUE(await(remote->remove_file({}, "a", "/w", true)));
}

TEST_F(Reference, AttachArgumentsAreQuotedBecauseItJoinsThem) {
  ASSERT_TRUE(create("a"));
  auto stream = await(remote->attach({}, "a", {.argv = {"printf", "%s|", "a b", "", "it's $HOME"}, .size = {}}));
  ASSERT_TRUE(stream) << stream.error().message;
  http::FrameReader frames;
  std::string out;
  for (bool open = true; open;) {
    char block[4096];
    const auto size = await((*stream)->read_some(block));
    if (!size || *size == 0) break;
    frames.feed(std::string_view(block, *size));
    for (auto frame = frames.next(); frame && *frame; frame = frames.next()) {
      if ((*frame)->is(http::FrameType::out)) out += (*frame)->payload;
      if ((*frame)->is(http::FrameType::exit)) open = false;
    }
  }
  EXPECT_EQ(out, "a b||it's $HOME|");
}

TEST_F(Reference, SnapshotsRestoreAndFork) {
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(remote->upload({}, "a", "/f", "1", std::nullopt)));
  SnapshotSpec spec;
  spec.comment = "c";
  const auto made = await(remote->snapshot({}, "a", spec));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->kind, "disk");
  EXPECT_EQ(made->origin_vm_id, "a");
  EXPECT_EQ(made->comment, "c");
  EXPECT_EQ(await(remote->snapshots({}, "a"))->front().snapshot_id, made->snapshot_id);
  ASSERT_TRUE(await(remote->upload({}, "a", "/f", "2", std::nullopt)));
  ASSERT_TRUE(await(remote->restore({}, "a", made->snapshot_id)));
  EXPECT_EQ(*read("/f"), "1");
  ForkSpec fork;
  fork.name = "b";
  fork.snapshot_id = made->snapshot_id;
  EXPECT_EQ(await(remote->fork({}, "a", fork))->vm_id, "b");
  // It has no such route, which must not look as if the snapshot were gone.
  EXPECT_EQ(await(remote->delete_snapshot({}, "a", made->snapshot_id)).error().code, base::Errc::unsupported);
  EXPECT_EQ(await(remote->all_snapshots({})).error().code, base::Errc::unsupported);
  auto artifact = await(remote->artifact({}, made->digest));
  EXPECT_TRUE(artifact.has_value()) << artifact.error().message;
}

TEST_F(Reference, StartsTheGuestAgentAndLimitsWhatItIsTold) {
  ASSERT_TRUE(create("a"));
  StartAgentSpec spec;
  spec.auth_token = "t";
  spec.expose = {{8080, "web", ""}};
  const auto endpoints = await(remote->start_agent({}, "a", spec));
  ASSERT_TRUE(endpoints) << endpoints.error().message;
  EXPECT_EQ(endpoints->front().host_port, 38080);
  spec.gateway = "https://gw.test/x";
  EXPECT_TRUE(await(remote->start_agent({}, "a", spec)));
  spec.gateway = "https://gw.test/$(reboot)";
  EXPECT_EQ(await(remote->start_agent({}, "a", spec)).error().code, base::Errc::invalid);
  EXPECT_TRUE(await(remote->start_surfd({}, "a", {})));
}

TEST_F(ReferenceQemu, CannotSnapshotOrFork) {
  EXPECT_EQ(await(remote->capacity({}))->agent_name, "qemu-agent");
  set(R"({"create":{"reply":{"url":""}}})");
  EXPECT_EQ(create("a")->url, "qemu://a");
  EXPECT_EQ(await(remote->snapshot({}, "a", {})).error().code, base::Errc::unsupported);
  ForkSpec fork;
  fork.name = "b";
  fork.snapshot_id = "s";
  EXPECT_EQ(await(remote->fork({}, "a", fork)).error().code, base::Errc::unsupported);
  const auto surfd = await(remote->start_surfd({}, "a", {}));
  EXPECT_EQ(surfd.error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace fusebox::host::test
