// Hosts of a simulation and the network between them and the processes: requests and answers take their time, get lost,
// come late, and go on when the process that sent them is gone.
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/fatal.h"
#include "base/random.h"
#include "base/wait.h"
#include "fleet/engine/simulation/trace_test_support.h"
#include "host/api/provider_set.h"
#include "host/stub/stub_provider.h"
#include "host/wire/status.h"

namespace fusebox::fleet::simulation {

// One host: what runs there stays, whatever becomes of the control plane.
struct Host {
  Host(std::string id_in, std::int64_t vm_max_in, const host::StubOptions& options)
      : id(std::move(id_in)), vm_max(vm_max_in), stub(options) {}
  std::string id;
  std::int64_t vm_max = 0;
  host::StubProvider stub;
  std::map<std::string, std::string> pulled;  // snapshot ids by digest
  base::Nanos refuses_until{0};               // nobody listens: connections are refused
  base::Nanos drops_until{0};                 // requests or answers are lost on the way
  base::Nanos slow_until{0};
};

struct NetworkFaults {
  std::uint32_t lost_per_mille = 0;  // of requests and of answers, on a good line
};

class Network {
 public:
  Network(base::ManualExecutor& world, base::Random& random, Trace& trace)
      : world_(world), random_(random), trace_(trace) {}

  Host& add(const std::string& id, std::int64_t vm_max, const std::string& backend) {
    host::StubOptions options{.clock = &world_.clock(), .random = &random_};
    // As the provider of that kind says it; the stub can no more and no less.
    if (backend == "wasm")
      options.capacity.features = {"generation", "guest-tmpfs",     "parallel-exec", "safe-args", "parallel-create",
                                   "snapshot",   "snapshot-delete", "store-delete",  "boot-id"};
    hosts_.push_back(std::make_unique<Host>(id, vm_max, options));
    return *hosts_.back();
  }
  static std::string url_of(const std::string& id) { return "http://" + id + ".test:8090"; }
  Host* at(const std::string& url) {
    for (const auto& host : hosts_)
      if (url_of(host->id) == url) return host.get();
    return nullptr;
  }
  const std::vector<std::unique_ptr<Host>>& hosts() const noexcept { return hosts_; }
  void heal() {
    for (const auto& host : hosts_) host->refuses_until = host->drops_until = host->slow_until = base::Nanos{0};
    faults = {};
  }

  // Calls of a stub end at once: its tasks never wait.
  template <class T>
  static base::Result<T> run(base::Task<base::Result<T>> task) {
    task.start();
    if (!task.done()) base::fatal("a call of the stub waits");
    return task.take();
  }

  base::ManualExecutor& world() noexcept { return world_; }
  base::Random& random() noexcept { return random_; }
  Trace& trace() noexcept { return trace_; }

  NetworkFaults faults;
  // Something was done on a host: `verb` is "create", "fork" or "destroy"; `before`: what of that name was there.
  std::function<void(Host& host, std::string_view verb, const std::string& vm,
                     const std::optional<host::VmRecord>& before)>
      done_on_host;

 private:
  base::ManualExecutor& world_;
  base::Random& random_;
  Trace& trace_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

// The network as one process uses it.
class ProcessNetwork {
 public:
  ProcessNetwork(Network& network, base::Executor& executor) : network_(network), executor_(executor) {}

  // Whoever waits for an answer gets an error; what was sent goes its way.
  void cut_off() {
    cut_off_ = true;
    for (const auto& fail : std::exchange(waiting_, {})) fail();
  }

  template <class T>
  base::Task<base::Result<T>> call(Host& host, std::string verb, std::string vm, host::CallContext context,
                                   std::function<base::Result<T>(Host&)> act) {
    const base::Completion<base::Result<T>> answer;
    if (cut_off_) co_return base::fail(no_answer(false, false));
    const std::string what = verb + " " + vm + " at " + host.id;
    const Fate fate = fate_of(host);
    if (fate.refused) {
      network_.trace().add(what + ": refused");
      co_await base::sleep_for(executor_, fate.there);
      co_return base::fail(no_answer(false, true));
    }
    if (!fate.request_lost) {
      const auto deliver = [&network = network_, &host, verb, vm, what, act, answer, fate] {
        std::optional<host::VmRecord> before;
        if (auto there = Network::run(host.stub.get({}, vm))) before = std::move(*there);
        base::Result<T> result = act(host);
        network.trace().add(what + ": " + (result ? "done" : result.error().message));
        if (result && network.done_on_host) network.done_on_host(host, verb, vm, before);
        if (!result) result = base::fail(of_wire(result.error()));
        if (fate.answer_lost) return;
        network.world().post_at(network.world().clock().monotonic() + fate.back,
                                [answer, kept = std::move(result)]() mutable { answer.set(std::move(kept)); });
      };
      network_.world().post_at(network_.world().clock().monotonic() + fate.there, deliver);
    }
    const auto mine = waiting_.insert(waiting_.end(), [answer] { answer.set(base::fail(no_answer(true, false))); });
    const auto timer = executor_.post_at(executor_.clock().monotonic() + context.limit,
                                         [answer] { answer.set(base::fail(no_answer(true, false))); });
    const std::stop_callback stopped(context.stop, [answer] { answer.set(base::fail(no_answer(true, false))); });
    base::Result<T> result = co_await answer.wait(executor_);
    executor_.cancel(timer);
    if (!cut_off_) waiting_.erase(mine);
    co_return result;
  }

 private:
  struct Fate {
    bool refused = false, request_lost = false, answer_lost = false;
    base::Nanos there{0}, back{0};
  };
  Fate fate_of(const Host& host) {
    base::Random& random = network_.random();
    const base::Nanos now = network_.world().clock().monotonic();
    const std::uint64_t spread = now < host.slow_until ? 20'000'000 : 3'000;
    Fate fate;
    fate.there = std::chrono::microseconds{50 + random.below(spread)};
    fate.back = std::chrono::microseconds{50 + random.below(spread)};
    fate.refused = now < host.refuses_until;
    const std::uint64_t lost = now < host.drops_until ? 600 : network_.faults.lost_per_mille;
    fate.request_lost = random.below(1000) < lost;
    fate.answer_lost = random.below(1000) < lost;
    return fate;
  }
  static base::Error no_answer(bool sent, bool refused) {
    auto detail = std::make_shared<host::WireFailure>();
    detail->sent = sent;
    detail->refused = refused;
    return {base::Errc::unavailable, refused ? "connection refused" : "no answer", {}, std::move(detail)};
  }
  // As it comes over the wire: with the status of an answer.
  static base::Error of_wire(base::Error error) {
    auto detail = std::make_shared<host::WireFailure>();
    detail->sent = true;
    detail->status = host::status_of(error.code);
    error.detail = std::move(detail);
    return error;
  }

  Network& network_;
  base::Executor& executor_;
  bool cut_off_ = false;
  std::list<std::function<void()>> waiting_;
};

// A host as a process knows it. Of a stub a control plane needs no more than this.
class HostClient final : public host::Provider {
 public:
  HostClient(ProcessNetwork& network, Host& host, std::string backend)
      : network_(network), host_(host), backend_(std::move(backend)) {}
  using Context = host::CallContext;
  template <class T>
  using Answer = base::Task<base::Result<T>>;

  std::string_view backend() const noexcept override { return backend_; }
  Answer<host::Capacity> capacity(Context context) override {
    return network_.call<host::Capacity>(host_, "capacity", {}, context,
                                         [=](Host& host) { return Network::run(host.stub.capacity(context)); });
  }
  Answer<host::VmRecord> create(Context context, host::CreateSpec spec) override {
    const std::string name = spec.name;
    return network_.call<host::VmRecord>(host_, "create", name, context,
                                         [=](Host& host) { return Network::run(host.stub.create(context, spec)); });
  }
  Answer<std::vector<host::VmRecord>> list(Context context, std::string prefix) override {
    return network_.call<std::vector<host::VmRecord>>(
        host_, "list", {}, context, [=](Host& host) { return Network::run(host.stub.list(context, prefix)); });
  }
  Answer<host::VmRecord> get(Context context, std::string vm) override {
    return network_.call<host::VmRecord>(host_, "get", vm, context,
                                         [=](Host& host) { return Network::run(host.stub.get(context, vm)); });
  }
  Answer<void> destroy(Context context, std::string vm) override {
    return network_.call<void>(host_, "destroy", vm, context,
                               [=](Host& host) { return Network::run(host.stub.destroy(context, vm)); });
  }
  Answer<void> upload(Context context, std::string vm, std::string path, std::string bytes,
                      std::optional<std::uint32_t> mode) override {
    return network_.call<void>(host_, "upload", vm, context, [=](Host& host) {
      return Network::run(host.stub.upload(context, vm, path, bytes, mode));
    });
  }
  // A program that ends well, in an environment that is there.
  Answer<host::ExecResult> exec(Context context, std::string vm, host::ProcessSpec) override {
    return network_.call<host::ExecResult>(host_, "exec", vm, context,
                                           [=](Host& host) -> base::Result<host::ExecResult> {
                                             FB_CHECK(Network::run(host.stub.get(context, vm)));
                                             return host::ExecResult();
                                           });
  }
  Answer<std::vector<host::Endpoint>> start_agent(Context context, std::string vm, host::StartAgentSpec spec) override {
    return network_.call<std::vector<host::Endpoint>>(host_, "start_agent", vm, context, [=](Host& host) {
      return Network::run(host.stub.start_agent(context, vm, spec));
    });
  }
  Answer<void> start_surfd(Context context, std::string vm, host::StartAgentSpec spec) override {
    return network_.call<void>(host_, "start_surfd", vm, context,
                               [=](Host& host) { return Network::run(host.stub.start_surfd(context, vm, spec)); });
  }
  Answer<void> drain(Context context, std::string vm) override {
    return network_.call<void>(host_, "drain", vm, context,
                               [=](Host& host) { return Network::run(host.stub.drain(context, vm)); });
  }
  Answer<host::SnapshotRecord> snapshot(Context context, std::string vm, host::SnapshotSpec spec) override {
    return network_.call<host::SnapshotRecord>(host_, "snapshot", vm, context, [=](Host& host) {
      return Network::run(host.stub.snapshot(context, vm, spec));
    });
  }
  Answer<std::vector<host::SnapshotRecord>> snapshots(Context context, std::string vm) override {
    return network_.call<std::vector<host::SnapshotRecord>>(
        host_, "snapshots", vm, context, [=](Host& host) { return Network::run(host.stub.snapshots(context, vm)); });
  }
  Answer<std::vector<host::SnapshotRecord>> all_snapshots(Context context) override {
    return network_.call<std::vector<host::SnapshotRecord>>(host_, "all_snapshots", {}, context, [=](Host& host) {
      return Network::run(host.stub.all_snapshots(context));
    });
  }
  Answer<void> restore(Context context, std::string vm, std::string snapshot_id) override {
    return network_.call<void>(host_, "restore", vm, context,
                               [=](Host& host) { return Network::run(host.stub.restore(context, vm, snapshot_id)); });
  }
  Answer<host::VmRecord> fork(Context context, std::string vm, host::ForkSpec spec) override {
    const std::string name = spec.name;
    return network_.call<host::VmRecord>(host_, "fork", name, context,
                                         [=](Host& host) { return Network::run(host.stub.fork(context, vm, spec)); });
  }
  Answer<void> delete_snapshot(Context context, std::string vm, std::string snapshot_id) override {
    return network_.call<void>(host_, "delete_snapshot", vm, context, [=](Host& host) {
      return Network::run(host.stub.delete_snapshot(context, vm, snapshot_id));
    });
  }
  Answer<host::SnapshotRecord> pull(Context context, host::PullSpec spec) override {
    return network_.call<host::SnapshotRecord>(host_, "pull", spec.digest, context,
                                               [=](Host& host) { return pull_into(host, spec); });
  }
  bool has_image(std::string_view) const override { return true; }

  Answer<std::unique_ptr<host::ProcessStream>> start_process(Context, std::string, host::ProcessSpec) override {
    return none<std::unique_ptr<host::ProcessStream>>();
  }
  Answer<std::unique_ptr<host::ProcessStream>> connect_process(Context, std::string, std::uint64_t) override {
    return none<std::unique_ptr<host::ProcessStream>>();
  }
  Answer<std::vector<host::ProcessInfo>> processes(Context, std::string) override {
    return none<std::vector<host::ProcessInfo>>();
  }
  Answer<std::unique_ptr<http::ByteStream>> attach(Context, std::string, host::AttachSpec) override {
    return none<std::unique_ptr<http::ByteStream>>();
  }
  Answer<std::unique_ptr<host::FileReader>> artifact(Context, std::string) override {
    return none<std::unique_ptr<host::FileReader>>();
  }
  Answer<std::unique_ptr<host::FileReader>> read_file(Context, std::string, std::string) override {
    return none<std::unique_ptr<host::FileReader>>();
  }
  Answer<std::unique_ptr<host::FileReader>> read_archive(Context, std::string, std::string) override {
    return none<std::unique_ptr<host::FileReader>>();
  }
  Answer<std::unique_ptr<host::FileWriter>> write_file(Context, std::string, std::string, std::uint32_t) override {
    return none<std::unique_ptr<host::FileWriter>>();
  }
  Answer<std::vector<host::FileEntry>> list_files(Context, std::string, std::string) override {
    return none<std::vector<host::FileEntry>>();
  }
  Answer<void> remove_file(Context, std::string, std::string, bool) override { return none<void>(); }
  Answer<LogPage> logs(Context, std::string, std::vector<std::string>, std::uint64_t) override {
    return none<LogPage>();
  }
  Answer<host::VmStats> stats(Context, std::string) override { return none<host::VmStats>(); }

 private:
  template <class T>
  static Answer<T> none() {
    co_return base::fail(base::Errc::unsupported, "not in this simulation");
  }
  // The stub moves no snapshots: one with the digest that was asked for appears.
  static base::Result<host::SnapshotRecord> pull_into(Host& host, const host::PullSpec& spec) {
    host::SnapshotRecord record;
    record.digest = spec.digest;
    record.kind = "disk";
    std::string& id = host.pulled[spec.digest];
    const auto held = Network::run(host.stub.all_snapshots({}));
    const bool there = std::ranges::find(*held, id, &host::SnapshotRecord::snapshot_id) != held->end();
    if (!there) {  // never pulled, or deleted since
      host::CreateSpec scratch;
      scratch.name = "scratch";
      FB_CHECK(Network::run(host.stub.create({}, scratch)));
      FB_TRY(const auto made, Network::run(host.stub.snapshot({}, scratch.name, {})));
      FB_CHECK(Network::run(host.stub.destroy({}, scratch.name)));
      id = made.snapshot_id;
    }
    record.snapshot_id = id;
    return record;
  }

  ProcessNetwork& network_;
  Host& host_;
  std::string backend_;
};

class ProcessProviders final : public host::ProviderSet {
 public:
  ProcessProviders(Network& network, ProcessNetwork& mine) : network_(network), mine_(mine) {}
  std::unique_ptr<host::Provider> remote(const Remote& remote) override {
    return std::make_unique<HostClient>(mine_, *network_.at(remote.url), remote.backend);
  }
  host::Provider* local(std::string_view) override { return nullptr; }
  std::vector<std::string> local_backends() const override { return {}; }
  base::Task<base::Result<int>> guest_get(std::string, std::string, std::string, std::string,
                                          std::chrono::nanoseconds) override {
    co_return 200;
  }

 private:
  Network& network_;
  ProcessNetwork& mine_;
};

}  // namespace fusebox::fleet::simulation
