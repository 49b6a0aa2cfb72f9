// What the tests of the host wire share: a provider that does as a test says, an agent over it, a remote provider of that
// agent, all on one loop that runs while a test waits.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/wait.h"
#include "host/common/memory_file.h"
#include "host/provider_conformance_test_support.h"
#include "host/stub/stub_provider.h"
#include "host/wire/agent_server.h"
#include "host/wire/remote_provider.h"
#include "http/loop.h"
#include "http/server/server.h"

namespace fusebox::host::test {

using namespace std::chrono_literals;
using base::Result;
using base::Task;

// A process whose events a test gives one by one, and that notes what it is told.
class ScriptedProcess final : public ProcessStream {
 public:
  struct State {
    explicit State(base::Executor& executor) : changed(executor) {}
    std::deque<ProcessEvent> events;
    std::string input;
    bool input_closed = false, stopped = false, gone = false;
    std::vector<std::string> signals;
    TerminalSize size;
    base::Signal changed;
  };
  ScriptedProcess(std::shared_ptr<State> state, std::stop_token stop)
      : state_(std::move(state)), on_stop_(std::move(stop), Stop{state_}) {}
  ~ScriptedProcess() override { state_->gone = true; }
  std::uint64_t pid() const noexcept override { return 42; }
  Task<Result<ProcessEvent>> next() override { return next_of(state_); }
  Task<Result<void>> write_stdin(std::string_view bytes) override {
    state_->input += bytes;
    co_return Result<void>();
  }
  Result<void> close_stdin() override {
    state_->input_closed = true;
    return {};
  }
  Result<void> signal(std::string_view name) override {
    state_->signals.emplace_back(name);
    return {};
  }
  Result<void> resize(TerminalSize size) override {
    state_->size = size;
    return {};
  }

 private:
  struct Stop {
    std::shared_ptr<State> state;
    void operator()() const {
      state->stopped = true;
      state->changed.notify();
    }
  };
  static Task<Result<ProcessEvent>> next_of(std::shared_ptr<State> state) {
    while (state->events.empty() && !state->stopped) co_await state->changed.wait();
    if (state->events.empty()) co_return base::fail(base::Errc::stopped, "the stream was closed");
    ProcessEvent event = std::move(state->events.front());
    state->events.pop_front();
    co_return event;
  }
  std::shared_ptr<State> state_;
  std::stop_callback<Stop> on_stop_;
};

// Both ends of a pipe of bytes, for attach.
class EchoStream final : public http::ByteStream {
 public:
  explicit EchoStream(base::Executor& executor) : state_(std::make_shared<State>(executor)) {}
  ~EchoStream() override { close(); }
  Task<Result<std::size_t>> read_some(std::span<char> into) override { return read_of(state_, into); }
  Task<Result<void>> write(std::string_view bytes) override {
    state_->bytes += bytes;
    state_->changed.notify();
    co_return Result<void>();
  }
  void close() noexcept override {
    state_->closed = true;
    state_->changed.notify();
  }

 private:
  struct State {
    explicit State(base::Executor& executor) : changed(executor) {}
    std::string bytes;
    bool closed = false;
    base::Signal changed;
  };
  static Task<Result<std::size_t>> read_of(std::shared_ptr<State> state, std::span<char> into) {
    while (state->bytes.empty() && !state->closed) co_await state->changed.wait();
    if (state->bytes.empty()) co_return base::fail(base::Errc::stopped, "closed");
    const std::size_t size = std::min(into.size(), state->bytes.size());
    std::copy_n(state->bytes.data(), size, into.data());
    state->bytes.erase(0, size);
    co_return size;
  }
  std::shared_ptr<State> state_;
};

// The stub, but exec, processes, attach and logs are the test's.
class ScriptedProvider final : public Provider {
 public:
  ScriptedProvider(base::Executor& executor, const base::Clock& clock, base::Random& random)
      : executor_(executor), stub(StubOptions{.clock = &clock, .random = &random}) {}

 private:
  base::Executor& executor_;

 public:
  StubProvider stub;
  // exec: each call is kept, and answered at once, or only when it is stopped.
  std::vector<std::pair<CallContext, ProcessSpec>> execs;
  bool exec_hangs = false;
  ExecResult exec_result;
  std::shared_ptr<ScriptedProcess::State> process = std::make_shared<ScriptedProcess::State>(executor_);
  ProcessSpec process_spec;
  AttachSpec attach_spec;
  std::vector<LogRecord> log;
  std::map<std::string, std::string> artifacts;  // digest -> bytes
  std::optional<SnapshotRecord> pulled;          // else the stub's refusal
  bool only_stub = false;                        // attach is the stub's

  std::string_view backend() const noexcept override { return "stub"; }
  Task<Result<Capacity>> capacity(CallContext c) override { return stub.capacity(std::move(c)); }
  Task<Result<VmRecord>> create(CallContext c, CreateSpec s) override {
    return stub.create(std::move(c), std::move(s));
  }
  Task<Result<std::vector<VmRecord>>> list(CallContext c, std::string p) override {
    return stub.list(std::move(c), std::move(p));
  }
  Task<Result<VmRecord>> get(CallContext c, std::string vm) override { return stub.get(std::move(c), std::move(vm)); }
  Task<Result<void>> destroy(CallContext c, std::string vm) override {
    return stub.destroy(std::move(c), std::move(vm));
  }
  Task<Result<void>> upload(CallContext c, std::string vm, std::string path, std::string bytes,
                            std::optional<std::uint32_t> mode) override {
    return stub.upload(std::move(c), std::move(vm), std::move(path), std::move(bytes), mode);
  }
  Task<Result<ExecResult>> exec(CallContext context, std::string vm, ProcessSpec spec) override {
    const CallContext nobody;
    auto there = co_await stub.get(nobody, vm);
    if (!there) co_return std::unexpected(std::move(there).error());
    const std::stop_token stop = context.stop;
    execs.emplace_back(std::move(context), std::move(spec));
    if (!exec_hangs) co_return exec_result;
    const base::Completion<Result<ExecResult>> answer;
    const std::stop_callback on_stop(
        stop, [answer] { answer.set(base::fail(base::Errc::stopped, "the command was stopped")); });
    auto result = co_await answer.wait(executor_);
    co_return result;
  }
  Task<Result<std::unique_ptr<ProcessStream>>> start_process(CallContext context, std::string,
                                                             ProcessSpec spec) override {
    process_spec = std::move(spec);
    co_return std::make_unique<ScriptedProcess>(process, context.stop);
  }
  Task<Result<std::unique_ptr<ProcessStream>>> connect_process(CallContext context, std::string,
                                                               std::uint64_t pid) override {
    if (pid != 42) co_return base::fail(base::Errc::not_found, "no such process");
    co_return std::make_unique<ScriptedProcess>(process, context.stop);
  }
  Task<Result<std::vector<ProcessInfo>>> processes(CallContext, std::string) override {
    co_return std::vector<ProcessInfo>{{.pid = 42, .argv = {"sleep", "1"}, .tag = "t", .cwd = "/w", .started = 5s}};
  }
  Task<Result<std::unique_ptr<http::ByteStream>>> attach(CallContext c, std::string vm, AttachSpec spec) override {
    if (only_stub) {
      auto answer = co_await stub.attach(std::move(c), std::move(vm), std::move(spec));
      co_return answer;
    }
    attach_spec = std::move(spec);
    co_return std::make_unique<EchoStream>(executor_);
  }
  Task<Result<std::vector<Endpoint>>> start_agent(CallContext c, std::string vm, StartAgentSpec s) override {
    return stub.start_agent(std::move(c), std::move(vm), std::move(s));
  }
  Task<Result<void>> start_surfd(CallContext c, std::string vm, StartAgentSpec s) override {
    return stub.start_surfd(std::move(c), std::move(vm), std::move(s));
  }
  Task<Result<void>> drain(CallContext c, std::string vm) override { return stub.drain(std::move(c), std::move(vm)); }
  Task<Result<SnapshotRecord>> snapshot(CallContext c, std::string vm, SnapshotSpec s) override {
    return stub.snapshot(std::move(c), std::move(vm), std::move(s));
  }
  Task<Result<std::vector<SnapshotRecord>>> snapshots(CallContext c, std::string vm) override {
    return stub.snapshots(std::move(c), std::move(vm));
  }
  Task<Result<std::vector<SnapshotRecord>>> all_snapshots(CallContext c) override {
    return stub.all_snapshots(std::move(c));
  }
  Task<Result<void>> restore(CallContext c, std::string vm, std::string id) override {
    return stub.restore(std::move(c), std::move(vm), std::move(id));
  }
  Task<Result<VmRecord>> fork(CallContext c, std::string vm, ForkSpec s) override {
    return stub.fork(std::move(c), std::move(vm), std::move(s));
  }
  Task<Result<void>> delete_snapshot(CallContext c, std::string vm, std::string id) override {
    return stub.delete_snapshot(std::move(c), std::move(vm), std::move(id));
  }
  Task<Result<SnapshotRecord>> pull(CallContext c, PullSpec s) override {
    if (pulled) co_return *pulled;
    auto answer = co_await stub.pull(std::move(c), std::move(s));
    co_return answer;
  }
  Task<Result<std::unique_ptr<FileReader>>> artifact(CallContext c, std::string digest) override {
    const auto found = artifacts.find(digest);
    if (found == artifacts.end()) {
      auto answer = co_await stub.artifact(std::move(c), std::move(digest));
      co_return answer;
    }
    co_return read_memory(std::make_shared<const std::string>(found->second), 0600);
  }
  Task<Result<std::unique_ptr<FileReader>>> read_file(CallContext c, std::string vm, std::string path) override {
    return stub.read_file(std::move(c), std::move(vm), std::move(path));
  }
  Task<Result<std::unique_ptr<FileReader>>> read_archive(CallContext c, std::string vm, std::string path) override {
    return stub.read_archive(std::move(c), std::move(vm), std::move(path));
  }
  Task<Result<std::unique_ptr<FileWriter>>> write_file(CallContext c, std::string vm, std::string path,
                                                       std::uint32_t mode) override {
    return stub.write_file(std::move(c), std::move(vm), std::move(path), mode);
  }
  Task<Result<std::vector<FileEntry>>> list_files(CallContext c, std::string vm, std::string path) override {
    return stub.list_files(std::move(c), std::move(vm), std::move(path));
  }
  Task<Result<void>> remove_file(CallContext c, std::string vm, std::string path, bool recursive) override {
    return stub.remove_file(std::move(c), std::move(vm), std::move(path), recursive);
  }
  Task<Result<LogPage>> logs(CallContext, std::string, std::vector<std::string> sources, std::uint64_t from) override {
    LogPage page{.records = {}, .next = log.size()};
    for (std::size_t i = from; i < log.size(); ++i)
      if (sources.empty() || std::ranges::find(sources, log[i].source) != sources.end()) page.records.push_back(log[i]);
    co_return page;
  }
  Task<Result<VmStats>> stats(CallContext c, std::string vm) override {
    return stub.stats(std::move(c), std::move(vm));
  }
  bool has_image(std::string_view image) const override { return stub.has_image(image); }
};

inline constexpr const char* kToken = "agent-token";

// An agent over a scripted provider, and a remote provider of it.
struct Rig {
  explicit Rig(AgentServerOptions options = {}) {
    if (options.token.empty()) options.token = kToken;
    agent = std::make_unique<AgentServer>(AgentServerParts{provider, loop, clock, random, logger}, std::move(options));
    http::ServerOptions http = agent_http_options(60s);
    http.listen = "127.0.0.1:0";
    http::Loop* const loops[] = {&loop};
    auto listening =
        http::Server::listen(loops, http, [this](http::Exchange& exchange) { return agent->handle(exchange); });
    if (!listening) ADD_FAILURE() << listening.error().message;
    server = std::move(*listening);
    client = std::make_unique<http::AsyncClient>(loop, http::AsyncClientOptions{});
    auto made = RemoteProvider::create(loop, random, {.url = url(), .token = kToken, .backend = "firecracker"});
    if (!made) ADD_FAILURE() << made.error().message;
    remote = std::move(*made);
  }
  std::string url(std::string_view path = {}) const {
    return ("http://127.0.0.1:" + std::to_string(server->port())).append(path);
  }
  base::Executor& executor() { return loop; }
  void settle(const std::function<bool()>& done) { loop.run_until(done); }
  template <class T>
  T await(Task<T> task) {
    return finish(*this, std::move(task));
  }
  // A request as it is; with the token unless other headers are given.
  Result<http::AsyncReply> ask(std::string method, std::string_view path, std::string body = {},
                               std::optional<std::vector<http::Header>> headers = {}) {
    http::AsyncRequest request;
    request.method = std::move(method);
    request.url = url(path);
    request.body = std::move(body);
    request.send_length = request.method != "GET";
    request.headers =
        headers ? std::move(*headers) : std::vector<http::Header>{{"Authorization", std::string("Bearer ") + kToken}};
    return await(client->send(std::move(request)));
  }
  VmRecord make(const std::string& name) {
    CreateSpec spec;
    spec.name = name;
    return await(provider.create({}, std::move(spec))).value();
  }

  base::RealClock clock;
  base::SeededRandom random{11};
  std::string logged;
  base::Logger logger{clock, base::LogLevel::debug, [this](std::string_view line) { logged.append(line) += '\n'; }};
  http::Loop loop{clock};
  ScriptedProvider provider{loop, clock, random};
  std::unique_ptr<AgentServer> agent;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<http::AsyncClient> client;
  std::unique_ptr<RemoteProvider> remote;
};

}  // namespace fusebox::host::test
