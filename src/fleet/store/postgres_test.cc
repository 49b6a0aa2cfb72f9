// What only a database shared by replicas can get wrong: others, and a server that goes away.
#include <algorithm>

#include "fleet/store/postgres_connection.h"
#include "fleet/store/schema.h"
#include "fleet/store/store_test_support.h"
#include "support/postgres_server.h"

namespace fusebox::fleet {
namespace {

using base::Errc;
using testing::PostgresServer;

class Replicas : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = PostgresServer::shared();
    if (server_ == nullptr) GTEST_SKIP() << PostgresServer::why_not();
    auto url = server_->create_database();
    ASSERT_OK(url);
    url_ = *url;
  }
  std::unique_ptr<TestStore> replica(const std::string& name) { return replica_at(url_, name); }
  std::unique_ptr<TestStore> replica_at(const std::string& url, const std::string& name) {
    StoreOptions options;
    options.database_url = url;
    options.replica_id = name;
    options.clock = &clock_;
    auto opened = open_store(std::move(options));
    EXPECT_OK(opened);
    return opened ? std::make_unique<TestStore>(std::move(*opened)) : nullptr;
  }
  std::string database() const { return url_.substr(url_.rfind('/') + 1); }
  // Waits up to 20 s for something another process or thread will do.
  static bool soon(const std::function<bool()>& holds) {
    for (int i = 0; i < 2000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }

  base::RealClock clock_;
  std::shared_ptr<PostgresServer> server_;
  std::string url_;
};

TEST_F(Replicas, HearOfEachOthersCommits) {
  const auto a = replica("a");
  const auto b = replica("b");
  KeepingObserver at_a, at_b;
  (*a)->observe(&at_a);
  (*b)->observe(&at_b);
  ASSERT_OK(a->put([](Tx& tx) {
    tx.insert_environment(some_environment("vm:1"));
    tx.append_env_event("vm:1", "state", R"({"n":1})");
    tx.put_host(some_host("host-1"));
  }));
  EXPECT_TRUE(at_b.wait([](const auto& events, const auto& cache) {
    return events.size() == 1 && events[0].vm_id == "vm:1" && events[0].seq == 1 &&
           std::ranges::count(cache, "host:host-1") == 1;
  }));
  ASSERT_OK(b->put([](Tx& tx) { tx.append_env_event("vm:1", "state", R"({"n":2})"); }));
  EXPECT_TRUE(at_a.wait([](const auto& events, const auto&) { return events.size() == 2 && events[1].seq == 2; }));
  EXPECT_EQ(at_a.events()[0].payload_json, R"({"n":1})") << "its own, once and whole";
  EXPECT_EQ(at_b.events().size(), 2u);
  (*a)->observe(nullptr);
  (*b)->observe(nullptr);
}

TEST_F(Replicas, OneLeadsAndTheNextFollowsWhenItIsGone) {
  auto a = replica("a");
  EXPECT_TRUE(soon([&] { return (*a)->is_leader(); }));
  const auto b = replica("b");
  EXPECT_TRUE(soon([&] { return (*b)->leader_word() == "other"; }));
  EXPECT_FALSE((*b)->is_leader());
  a.reset();
  EXPECT_TRUE(soon([&] { return (*b)->is_leader(); }));
}

TEST_F(Replicas, ALeaderWhoseConnectionEndsStopsAtOnce) {
  const auto a = replica("a");
  EXPECT_TRUE(soon([&] { return (*a)->is_leader(); }));
  const base::Nanos begun = clock_.monotonic();
  ASSERT_OK(server_->sql(database(),
                         "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                         "WHERE application_name = 'fusebox a leader' AND datname = current_database()"));
  EXPECT_TRUE(soon([&] { return !(*a)->is_leader(); }));
  EXPECT_LT(clock_.monotonic() - begun, std::chrono::milliseconds{1900}) << "before its next try";
  EXPECT_TRUE(soon([&] { return (*a)->is_leader(); })) << "and tries again";
}

TEST_F(Replicas, WaitForAHostThatAnotherHasLocked) {
  const auto a = replica("a");
  const auto b = replica("b");
  ASSERT_OK(a->put([](Tx& tx) { tx.put_host(some_host("host-1")); }));
  std::atomic<bool> reserved = false;
  std::thread other;
  const auto waits = [&] {
    const auto waiting = server_->sql(database(), "SELECT count(*) FROM pg_locks WHERE NOT granted");
    return reserved || (waiting && *waiting != "0\n" && *waiting != "0");
  };
  ASSERT_OK(a->put([&](Tx& tx) {
    auto locked = tx.lock_host("host-1");
    ASSERT_OK(locked);
    ASSERT_TRUE(locked->has_value());
    if (!other.joinable()) {
      other = std::thread([&] {
        EXPECT_OK(b->put([](Tx& also) { also.reserve({.host_id = "host-1", .cpus = 1, .ram_mb = 1}); }));
        reserved = true;
      });
    }
    EXPECT_TRUE(soon(waits));
    (*locked)->cpus_allocated = (*locked)->vm_count_allocated = 0;  // as they were counted
    tx.set_host_allocated(**locked);
  }));
  if (other.joinable()) other.join();
  const auto found = a->get([](Reader& reader) { return reader.host("host-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->vm_count_allocated, 1) << "it came after the count";
}

// Both take from the same hosts at the same time, in closures that name them in different orders.
TEST_F(Replicas, NeverTakeTheSameRoomAndNeverStandStill) {
  const auto a = replica("a");
  const auto b = replica("b");
  ASSERT_OK(a->put([](Tx& tx) {
    for (const char* id : {"host-1", "host-2"}) {
      HostRow host = some_host(id);
      host.cpus_total = 1000;
      host.vm_count_max = 40;
      tx.put_host(host);
    }
  }));
  std::atomic<int> taken = 0;
  const auto fill = [&taken](TestStore& store, std::string name, bool forward) {
    std::vector<base::Task<base::Result<void>>> tasks;
    for (int i = 0; i < 60; ++i) {
      tasks.push_back(store->write(store.executor(), [name, forward, i](Tx& tx) -> base::Result<void> {
        tx.insert_environment(some_environment(name + std::to_string(i), "host-1"));
        // A read between them makes the closure lock one before it knows of the other.
        tx.reserve({.host_id = forward ? "host-1" : "host-2", .cpus = 1, .ram_mb = 1});
        FB_TRY(const auto seen, tx.host("host-1"));
        if (!seen) return base::fail(Errc::bug, "no host");
        tx.reserve({.host_id = forward ? "host-2" : "host-1", .cpus = 1, .ram_mb = 1});
        return {};
      }));
    }
    for (auto& task : tasks) task.start();
    store.executor().run_until([&] { return std::ranges::all_of(tasks, [](auto& task) { return task.done(); }); });
    for (auto& task : tasks) {
      const auto outcome = task.take();
      if (outcome) {
        ++taken;
      } else {
        EXPECT_EQ(outcome.error().name, "capacity") << outcome.error().message;
      }
    }
  };
  std::thread other([&] { fill(*b, "b-", false); });
  fill(*a, "a-", true);
  other.join();
  EXPECT_EQ(taken.load(), 40);
  auto count = a->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 40u);
}

TEST_F(Replicas, StartTogetherOnAnEmptyDatabase) {
  std::vector<std::unique_ptr<TestStore>> stores(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < stores.size(); ++i) {
    threads.emplace_back([&, i] { stores[i] = replica("r" + std::to_string(i)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& store : stores) {
    ASSERT_NE(store, nullptr);
    EXPECT_TRUE(store->probe().healthy);
  }
}

// A server of its own, because it is killed.
TEST_F(Replicas, AServerThatComesBackFindsItsClientsAgain) {
  auto server = PostgresServer::start();
  ASSERT_OK(server);
  auto url = (*server)->create_database();
  ASSERT_OK(url);
  const auto store = replica_at(*url, "a");
  ASSERT_NE(store, nullptr);
  KeepingObserver observer;
  (*store)->observe(&observer);
  ASSERT_OK(store->put([](Tx& tx) {
    tx.insert_environment(some_environment("vm-1"));
    tx.append_env_event("vm-1", "state", "{}");
  }));
  EXPECT_TRUE(soon([&] { return (*store)->is_leader(); }));

  (*server)->kill_now();
  EXPECT_FAILS(Errc::unavailable, "", store->put([](Tx& tx) { tx.append_env_event("vm-1", "state", "{}"); }));
  EXPECT_FAILS(Errc::unavailable, "", store->get([](Reader& reader) { return reader.environment("vm-1"); }));
  const StoreStatus status = store->probe();
  EXPECT_FALSE(status.healthy);
  EXPECT_EQ(status.failure, "unreachable") << "nothing that names the database";
  EXPECT_TRUE(soon([&] { return !(*store)->is_leader(); }));
  EXPECT_EQ((*store)->leader_word(), "none");

  ASSERT_OK((*server)->start_again());
  EXPECT_TRUE(soon([&] { return store->probe().healthy; }));
  ASSERT_OK(store->put([](Tx& tx) { tx.append_env_event("vm-1", "state", "{}"); }));
  auto row = store->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(row);
  EXPECT_EQ(row->value().event_seq, 2u) << "what was committed is there, what was refused is not";
  EXPECT_TRUE(soon([&] { return (*store)->is_leader(); }));
  (*store)->observe(nullptr);
}

TEST_F(Replicas, AConnectionThatDiedUnusedCostsNothing) {
  const auto store = replica("a");
  ASSERT_OK(store->put([](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  ASSERT_OK(server_->sql(database(),
                         "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                         "WHERE pid <> pg_backend_pid() AND datname = current_database()"));
  EXPECT_OK(store->put([](Tx& tx) { tx.append_env_event("vm-1", "state", "{}"); }));
  EXPECT_OK(store->get([](Reader& reader) { return reader.environment("vm-1"); }));
}

TEST_F(Replicas, ADatabaseOfTheReferenceIsTakenOver) {
  std::string text =
      "CREATE TABLE orchestrator_schema_migrations (version TEXT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT "
      "now());";
  for (const Migration& step : reference_migrations()) {
    text += sql::schema_text(sql::Dialect::postgres, step.text);
    // The middle names need not be ours.
    const std::string name = step.number == 1 || step.number == 12 ? std::string(step.name)
                                                                   : std::string(step.name.substr(0, 5)) + "other.sql";
    text += "INSERT INTO orchestrator_schema_migrations (version) VALUES ('" + name + "');";
  }
  text += R"sql(
    INSERT INTO orchestrator_hosts (host_id, url, token_encrypted, region, state, cpus_total, ram_mb_total,
      storage_gb_total, vm_count_max, labels_json, last_seen_at, created_at, updated_at)
      VALUES ('h1', 'https://h1', '\x0102', 'eu', 'active', 8, 1024, 10, 4, '{"a":"b"}', now(), now(), now());
    INSERT INTO orchestrator_vms (vm_id, host_id, network_host, state, url, task_id, cpus, ram_mb, storage_gb,
      auth_token_encrypted, created_at, updated_at, gpu_uuids)
      VALUES ('fuse-1', 'h1', '10.0.0.1', 'running', '10.0.0.1:1', 't1', 2, 512, 1, '\xff',
        '2026-01-02T03:04:05.000006Z', '2026-01-02T03:04:06Z', '["g"]');
    INSERT INTO orchestrator_snapshots (snapshot_id, vm_id, state, size_bytes, metadata_json, created_at, updated_at)
      VALUES ('snap-1', 'fuse-1', 'ready', 5, '{"comment":"c"}', now(), now());
    INSERT INTO orchestrator_api_keys (id, key_hash, label, created_at) VALUES ('k', '\xaa', 'l', now());
    INSERT INTO orchestrator_tasks (task_id, vm_id, run_status, assigned_at, updated_at)
      VALUES ('t1', 'fuse-1', 'running', now(), now());
    INSERT INTO orchestrator_events (entity_type, entity_id, event_type, created_at)
      VALUES ('vm', 'fuse-1', 'vm.running', now());)sql";
  ASSERT_OK(server_->sql(database(), text));

  auto store = replica("a");
  ASSERT_NE(store, nullptr);
  auto row = store->get([](Reader& reader) { return reader.environment("fuse-1"); });
  ASSERT_OK(row);
  ASSERT_TRUE(row->has_value());
  const EnvironmentRow& vm = **row;
  EXPECT_EQ(vm.state, EnvironmentState::running);
  EXPECT_EQ(vm.generation, 1u);
  EXPECT_EQ(vm.backend, "firecracker");
  EXPECT_EQ(vm.host_vm_name, "fuse-1");
  EXPECT_EQ(vm.running_at, vm.created_at);
  EXPECT_EQ(base::format_rfc3339(vm.created_at), "2026-01-02T03:04:05.000006Z");
  EXPECT_EQ(vm.gpu_uuids, std::vector<std::string>{"g"});
  EXPECT_NE(vm.incarnation, Incarnation{});
  EXPECT_EQ(vm.view_version, 0) << "its view is still to be written";
  auto host = store->get([](Reader& reader) { return reader.host("h1"); });
  ASSERT_OK(host);
  EXPECT_EQ((*host)->labels, (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_EQ((*host)->backend, "firecracker");
  auto key = store->get([](Reader& reader) { return reader.api_key("k"); });
  ASSERT_OK(key);
  EXPECT_FALSE((*key)->scopes.has_value());
  EXPECT_OK(store->put([&](Tx& tx) {
    EnvironmentRow next = vm;
    next.generation = 2;
    tx.update_environment(next, 1);
    tx.append_env_event("fuse-1", "state", "{}");
    tx.reserve({.host_id = "h1", .cpus = 1});
  }));
  store.reset();
  EXPECT_NE(replica("b"), nullptr) << "a second start finds nothing to do";
}

TEST_F(Replicas, AMigrationOfANewerVersionIsRefused) {
  replica("a").reset();
  ASSERT_OK(server_->sql(database(),
                         "INSERT INTO orchestrator_schema_migrations (version) VALUES ('0199_from_the_future.sql')"));
  StoreOptions options;
  options.database_url = url_;
  options.clock = &clock_;
  const auto refused = open_store(std::move(options));
  EXPECT_FAILS(Errc::corrupt, "", refused);
  EXPECT_TRUE(refused.error().message.contains("0199_from_the_future.sql")) << refused.error().message;
}

TEST(PostgresUrl, PasswordsAreMasked) {
  EXPECT_EQ(masked_url("postgres://me:s3cret@db:5432/x?sslmode=require"),
            "postgres://me:***@db:5432/x?sslmode=require");
  EXPECT_EQ(masked_url("postgres://me:s3@cret@db/x"), "postgres://me:***@db/x");
  EXPECT_EQ(masked_url("postgres://me@db/x?password=s3cret&a=b"), "postgres://me@db/x?password=***&a=b");
  EXPECT_EQ(masked_url("host=db password=s3cret user=me"), "host=db password=*** user=me");
  EXPECT_EQ(masked_url("host=db password = 's3cret' user=me"), "host=db password = '***' user=me");
  EXPECT_EQ(masked_url("postgres://db/x"), "postgres://db/x");
}

TEST(PostgresUrl, ErrorsNameNoPassword) {
  base::RealClock clock;
  for (const char* url : {"postgres://me:s3cret@127.0.0.1:1/x", "host=127.0.0.1 port=1 password=s3cret",
                          "postgres://me:s3cret@[::1/x", "postgres://me:s3cret@127.0.0.1:1/x?nonsense=1"}) {
    SCOPED_TRACE(url);
    StoreOptions options;
    options.database_url = url;
    options.clock = &clock;
    const auto refused = open_store(std::move(options));
    ASSERT_FALSE(refused.has_value());
    EXPECT_FALSE(refused.error().message.contains("s3cret")) << refused.error().message;
  }
}

}  // namespace
}  // namespace fusebox::fleet
