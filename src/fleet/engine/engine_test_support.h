// An engine on an in-memory store, stub providers behind faults, and a clock that moves when told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "base/json.h"
#include "fleet/engine/make_engine.h"
#include "fleet/engine/reconcile.h"
#include "host/stub/faulty_provider.h"
#include "host/stub/stub_provider.h"

namespace fusebox::fleet {

// A remote host: what runs there stays when the engine that knew it is gone.
struct FakeHost {
  FakeHost(base::Executor& executor, const base::Clock& clock, base::Random& random)
      : stub(host::StubOptions{.clock = &clock, .random = &random}), faulty(stub, executor, faults) {}
  host::StubProvider stub;
  host::ProviderFaults faults;
  host::FaultyProvider faulty;
};

class FakeFactory final : public host::ProviderSet {
 public:
  FakeFactory(base::Executor& executor, const base::Clock& clock, base::Random& random)
      : executor_(executor), clock_(clock), random_(random), local_(executor, clock, random) {}
  FakeHost& at(const std::string& url) {
    auto& host = hosts_[url];
    if (!host) host = std::make_unique<FakeHost>(executor_, clock_, random_);
    return *host;
  }
  FakeHost& local_stub() { return local_; }

  bool local_is_agent = false;     // as with FIRECRACKER_BASE_URL
  std::set<std::string> unusable;  // urls

  std::unique_ptr<host::Provider> remote(const Remote& remote) override {
    if (unusable.contains(remote.url)) return nullptr;
    FakeHost& host = at(remote.url);
    return std::make_unique<host::FaultyProvider>(host.stub, executor_, host.faults);
  }
  host::Provider* local(std::string_view backend) override { return backend == "stub" ? &local_.faulty : nullptr; }
  std::vector<std::string> local_backends() const override { return {"stub"}; }
  bool is_agent(std::string_view) const override { return local_is_agent; }
  base::Task<base::Result<int>> guest_get(std::string, std::string, std::string, std::string,
                                          std::chrono::nanoseconds) override {
    co_return 200;
  }

 private:
  base::Executor& executor_;
  const base::Clock& clock_;
  base::Random& random_;
  std::map<std::string, std::unique_ptr<FakeHost>> hosts_;
  FakeHost local_;
};

// Knows how much of what was asked of it is still under way, so that a test waits for nothing else.
class CountingStore final : public Store {
 public:
  explicit CountingStore(std::unique_ptr<Store> inner) : inner_(std::move(inner)) {}
  base::Task<base::Result<void>> write(base::Executor& executor, WriteWork work) override {
    if (refusal) co_return std::unexpected(*refusal);
    ++under_way;
    auto done = co_await inner_->write(executor, std::move(work));
    --under_way;
    co_return done;
  }
  base::Task<base::Result<void>> read(base::Executor& executor, ReadWork work) override {
    if (read_refusal) co_return std::unexpected(*read_refusal);
    ++reads;
    ++under_way;
    auto done = co_await inner_->read(executor, std::move(work));
    --under_way;
    co_return done;
  }
  void observe(CommitObserver* observer) override { inner_->observe(observer); }
  base::Task<StoreStatus> probe(base::Executor& executor) override { return inner_->probe(executor); }
  std::string_view kind() const noexcept override { return inner_->kind(); }
  bool replicated() const noexcept override { return inner_->replicated(); }
  bool is_leader() const noexcept override { return leads && inner_->is_leader(); }
  std::string_view leader_word() const noexcept override { return inner_->leader_word(); }

  bool leads = true;  // false: another replica does
  int under_way = 0;
  std::uint64_t reads = 0;
  std::optional<base::Error> refusal;       // of every write
  std::optional<base::Error> read_refusal;  // of every read

 private:
  std::unique_ptr<Store> inner_;
};

// What the engine counted, for tests to look at.
class RecordingMeters final : public EngineMeters {
 public:
  void agent_request(std::string_view host, std::string_view op, int code, double /*seconds*/) override {
    ++requests[std::string(host) + ' ' + std::string(op) + ' ' + std::to_string(code)];
  }
  void snapshots(std::string_view host, std::uint64_t count, std::uint64_t bytes, std::uint64_t leaked) override {
    kept[std::string(host)] = {count, bytes, leaked};
  }

  void operation_running(std::string_view kind, int by) override { running[std::string(kind)] += by; }
  void operation_ended(std::string_view kind, std::string_view outcome) override {
    ++ended[std::string(kind) + ' ' + std::string(outcome)];
  }
  void fence_rejected(std::string_view kind) override { ++fenced[std::string(kind)]; }
  void snapshot_done(std::string_view op, std::string_view /*backend*/, double /*seconds*/) override {
    ++snapshot_work[std::string(op)];
  }

  using Kept = std::array<std::uint64_t, 3>;  // snapshots, their bytes, leaked bytes
  std::map<std::string, int> requests;        // "host op code"
  std::map<std::string, Kept> kept;           // by host
  std::map<std::string, int> running;         // operations, by kind
  std::map<std::string, int> ended;           // "kind outcome"
  std::map<std::string, int> fenced;          // by kind
  std::map<std::string, int> snapshot_work;   // by what was done
};

struct EngineTest : ::testing::Test {
  base::ManualClock clock;
  base::ManualExecutor executor{clock};
  base::SeededRandom random{7};
  base::Logger logger{clock, base::LogLevel::error, {}};
  RecordingMeters meters;
  FakeFactory factory{executor, clock, random};
  std::unique_ptr<Vault> vault;
  std::unique_ptr<CountingStore> store;
  std::unique_ptr<Engine> engine;
  EngineOptions options;
  std::vector<std::string> steps;                      // as they were made durable
  std::function<void(std::string_view step)> at_step;  // beside keeping them
  std::function<void()> while_closing;

  void SetUp() override {
    auto key = VaultKey::from_hex(std::string(64, 'a'));
    ASSERT_TRUE(key);
    auto made = Vault::create(*key, {}, random);
    ASSERT_TRUE(made);
    vault = std::make_unique<Vault>(std::move(*made));
    StoreOptions store_options;
    store_options.database_url = "memory:";
    store_options.replica_id = "test";
    store_options.clock = &clock;
    auto opened = open_store(store_options);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::make_unique<CountingStore>(std::move(*opened));
    options.replica_id = "test";
    options.fleet_id = "fleet";
    start();
  }
  void TearDown() override {
    stop();
    store.reset();
  }

  EngineParts parts() {
    return {executor, *store, factory, *vault, clock, random, logger, meters, options, [this](std::string_view step) {
              steps.emplace_back(step);
              if (at_step) at_step(step);
            }};
  }
  void start() {
    auto made = await(make_engine(parts(), true));
    ASSERT_TRUE(made) << made.error().message;
    engine = std::move(*made);
  }
  void stop() {
    if (!engine) return;
    bool closed = false;
    base::spawn(executor, engine->close(executor, std::chrono::hours{1}), [&] { closed = true; });
    settle();
    if (while_closing) while_closing();  // calls that hang end now, and find that the engine is closing
    for (int i = 0; !closed && i < kTurns; ++i) {
      settle();
      if (!closed) executor.run_for(std::chrono::milliseconds{500});
    }
    EXPECT_TRUE(closed);
    engine.reset();
  }

  // Runs the task to its end. Time does not pass; the store's threads are given turns.
  template <class T>
  T await(base::Task<T> task) {
    std::optional<T> result;
    base::spawn(executor, into(std::move(task), result));
    // Turns without end are given while the store works: it is slow where it is instrumented.
    for (int i = 0; !result && i < kTurns; i += store->under_way == 0 ? 1 : 0) turn();
    if (!result) ADD_FAILURE() << "the task did not end";
    return std::move(*result);
  }
  // The same, and time passes while it waits.
  template <class T>
  T await_passing(base::Task<T> task, base::Nanos step = std::chrono::milliseconds{500}) {
    std::optional<T> result;
    base::spawn(executor, into(std::move(task), result));
    for (int i = 0; !result && i < kTurns; ++i) {
      settle();
      if (!result) executor.run_for(step);
    }
    if (!result) ADD_FAILURE() << "the task did not end";
    return std::move(*result);
  }
  // Until nothing more happens without time.
  void settle() {
    while (turn() || store->under_way != 0) {
    }
  }
  void pass(base::Nanos span) {
    const base::Nanos step = std::chrono::seconds{1};
    for (base::Nanos done{0}; done < span; done += step) {
      executor.run_for(std::min(step, span - done));
      settle();
    }
  }

  CreateRequest request(std::string task) {
    auto read = read_create(R"({"task_id":")" + task + R"("})", {[](std::string_view) { return true; }, 55});
    EXPECT_TRUE(read);
    return *read;
  }
  base::Result<Outcome> create(std::string task) {
    return await(engine->create(executor, {}, request(std::move(task))));
  }
  void add_host(const std::string& id, std::int64_t vm_count = 10, const std::string& backend = "firecracker") {
    HostRequest host;
    host.id = id;
    host.url = "http://" + id + ".test:8090";
    host.token = "token-of-" + id;
    host.backend = backend;
    host.vm_count = vm_count;
    host.cpus = std::max<std::int64_t>(64, vm_count);
    host.ram_mb = 1 << 20;
    host.storage_gb = 1 << 20;
    const auto added = await(engine->register_host(executor, {}, host));
    ASSERT_TRUE(added) << added.error().message;
  }
  FakeHost& host(const std::string& id) { return factory.at("http://" + id + ".test:8090"); }

  std::optional<EnvironmentRow> row(const std::string& vm_id) {
    auto found = await(
        store->get<std::optional<EnvironmentRow>>(executor, [&](Reader& reader) { return reader.environment(vm_id); }));
    EXPECT_TRUE(found);
    return found ? *found : std::nullopt;
  }
  std::optional<SnapshotRow> snapshot_row(const std::string& id) {
    auto found =
        await(store->get<std::optional<SnapshotRow>>(executor, [&](Reader& reader) { return reader.snapshot(id); }));
    EXPECT_TRUE(found);
    return found ? *found : std::nullopt;
  }
  void write(Store::WriteWork work) {
    const auto written = await(store->write(executor, std::move(work)));
    ASSERT_TRUE(written) << written.error().message;
  }
  std::ptrdiff_t times_of(std::string_view step) const { return std::ranges::count(steps, step); }
  HostRow host_row(const std::string& id) {
    auto found = await(store->get<std::optional<HostRow>>(executor, [&](Reader& reader) { return reader.host(id); }));
    EXPECT_TRUE(found && *found);
    return **found;
  }
  // Of the environment of this name, or else of the newest that ended.
  std::vector<EnvLogRow> env_logs(const std::string& vm_id) {
    std::vector<EnvLogRow> all;
    const auto incarnation = incarnation_of(vm_id);
    while (incarnation) {
      auto page = await(store->get<std::vector<EnvLogRow>>(executor, [&](Reader& reader) {
        return reader.env_logs(vm_id, *incarnation, {}, {}, all.empty() ? 0 : all.back().seq, 1000);
      }));
      EXPECT_TRUE(page);
      if (!page || page->empty()) break;
      all.insert(all.end(), page->begin(), page->end());
    }
    return all;
  }
  std::vector<EnvEventRow> env_events(const std::string& vm_id) {
    const auto incarnation = incarnation_of(vm_id);
    if (!incarnation) return {};
    auto events = await(store->get<std::vector<EnvEventRow>>(
        executor, [&](Reader& reader) { return reader.env_events(vm_id, *incarnation, 0, 100); }));
    EXPECT_TRUE(events);
    return *events;
  }
  std::optional<Incarnation> incarnation_of(const std::string& vm_id) {
    using Found = std::optional<Incarnation>;
    auto found = await(store->get<Found>(executor, [&](Reader& reader) -> base::Result<Found> {
      FB_TRY(const auto row, reader.environment(vm_id));
      if (row) return row->incarnation;
      FB_TRY(const auto ended, reader.ended_environment(vm_id));
      return ended ? Found(ended->incarnation) : Found();
    }));
    EXPECT_TRUE(found);
    return *found;
  }
  // Oldest first.
  std::vector<std::string> events_of(const std::string& entity_type, const std::string& id) {
    EventFilter filter;
    filter.entity_type = entity_type;
    filter.entity_id = id;
    auto found = await(store->get<std::vector<EventRow>>(
        executor, [&](Reader& reader) { return reader.events(filter, INT64_MAX, 100); }));
    std::vector<std::string> types;
    for (const EventRow& event : *found) types.insert(types.begin(), event.event_type);
    return types;
  }
  std::vector<std::string> wire_states(const std::string& vm_id) {
    std::vector<std::string> states;
    for (const EnvEventRow& event : env_events(vm_id)) {
      if (event.kind != "state") continue;
      const auto document = base::json::parse(event.payload_json);
      states.push_back(document->root->find("state")->string());
    }
    return states;
  }
  // Of one entity, oldest first.
  std::vector<EventRow> audit_of(const std::string& entity_id) {
    EventFilter filter;
    filter.entity_id = entity_id;
    auto events = await(
        store->get<std::vector<EventRow>>(executor, [&](Reader& reader) { return reader.events(filter, 0, 100); }));
    EXPECT_TRUE(events);
    std::ranges::reverse(*events);
    return *events;
  }

 private:
  static constexpr int kTurns = 200'000;
  bool turn() {
    if (executor.run() != 0) return true;
    if (store->under_way != 0) std::this_thread::yield();  // the store's thread has the turn
    return executor.run() != 0;
  }
  template <class T>
  static base::Task<void> into(base::Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
};

}  // namespace fusebox::fleet
