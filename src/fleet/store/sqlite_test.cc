// What only a file can get wrong: another process, a full disk, bytes that are no database, a death in the middle.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "fleet/store/schema.h"
#include "fleet/store/sqlite_store.h"
#include "fleet/store/store_test_support.h"

namespace fusebox::fleet {
namespace {

using base::Errc;

class SqliteFile : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-store");
    ASSERT_OK(folder);
    folder_.emplace(std::move(*folder));
  }
  std::string path() const { return (folder_->path() / "fusebox.db").string(); }
  StoreOptions options() {
    StoreOptions options;
    options.data_dir = folder_->path().string();
    options.clock = &clock_;
    return options;
  }
  std::unique_ptr<TestStore> opened(std::uint32_t pages_max = 0) {
    auto store = SqliteStore::open({.path = path(), .pages_max = pages_max}, options());
    EXPECT_OK(store);
    return store ? std::make_unique<TestStore>(std::move(*store)) : nullptr;
  }
  // Statements on the file by hand, while no store has it.
  void run(const std::string& text) {
    auto connection = SqliteConnection::open({.path = path()});
    ASSERT_OK(connection);
    ASSERT_OK((*connection)->script(text));
  }

  base::RealClock clock_;
  std::optional<base::TempDir> folder_;
};

TEST_F(SqliteFile, ServesOneControlPlane) {
  auto first = opened();
  ASSERT_NE(first, nullptr);
  const auto second = open_store(options());
  EXPECT_FAILS(Errc::denied, "", second);
  EXPECT_TRUE(second.error().message.contains("in use by process " + std::to_string(::getpid()) + " (lock file " +
                                              path() + ".lock)"))
      << second.error().message;
  ASSERT_EQ(::symlink(path().c_str(), (folder_->path() / "alias.db").c_str()), 0);
  StoreOptions by_alias = options();
  by_alias.database_url = "sqlite:" + (folder_->path() / "alias.db").string();
  EXPECT_FAILS(Errc::denied, "", open_store(by_alias)) << "the same file by another name";
  first.reset();
  EXPECT_OK(open_store(options()));
}

TEST_F(SqliteFile, IsItsUsersAlone) {
  auto store = opened();
  ASSERT_OK(store->put([](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  for (const char* name : {"fusebox.db", "fusebox.db-wal", "fusebox.db.lock"}) {
    struct stat found{};
    ASSERT_EQ(::stat((folder_->path() / name).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(SqliteFile, WhatIsNoDatabaseIsLeftAlone) {
  const std::string text(8192, 'x');
  ASSERT_OK(base::write_file_atomic(path(), base::as_bytes(text)));
  EXPECT_FAILS(Errc::corrupt, "", open_store(options()));
  const auto after = base::read_file(path(), 1 << 20);
  ASSERT_OK(after);
  EXPECT_EQ(*after, text);
}

TEST_F(SqliteFile, AMigrationOfANewerVersionIsRefused) {
  opened().reset();
  run("INSERT INTO orchestrator_schema_migrations VALUES ('0199_from_the_future.sql', 'x')");
  const auto refused = open_store(options());
  EXPECT_FAILS(Errc::corrupt, "", refused);
  EXPECT_TRUE(refused.error().message.contains(R"("0199_from_the_future.sql", which this program does not know)"))
      << refused.error().message;
  run("DELETE FROM orchestrator_schema_migrations WHERE version LIKE '0199%'");
  run("INSERT INTO orchestrator_schema_migrations VALUES ('x', 'x')");
  EXPECT_FAILS(Errc::corrupt, "", open_store(options())) << "a name without a number";
}

TEST_F(SqliteFile, AHalfMigratedDatabaseGoesOn) {
  // As after a death between two steps.
  std::string text =
      "CREATE TABLE orchestrator_schema_migrations (version TEXT PRIMARY KEY NOT NULL, applied_at TEXT);";
  for (const Migration& step : reference_migrations().first(5)) {
    text += sql::schema_text(sql::Dialect::sqlite, step.text);
    text += "INSERT INTO orchestrator_schema_migrations VALUES ('" + std::string(step.name) + "', '');";
  }
  run(text);
  auto store = opened();
  ASSERT_NE(store, nullptr);
  EXPECT_OK(store->put([](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
}

TEST_F(SqliteFile, AFullDiskRefusesClearlyAndLosesNothing) {
  auto store = opened(300);
  ASSERT_NE(store, nullptr);
  std::size_t written = 0;
  base::Result<void> outcome;
  for (; written < 10'000; ++written) {
    outcome = store->put([&](Tx& tx) {
      tx.insert_environment(some_environment("vm-" + std::to_string(written)));
      tx.append_env_event("vm-" + std::to_string(written), "state", "{}");
    });
    if (!outcome) break;
  }
  EXPECT_FAILS(Errc::exhausted, "", outcome);
  EXPECT_EQ(outcome.error().message,
            "the store is full; nothing was changed; try again when there is room on its disk");
  EXPECT_GT(written, 20u);
  StoreStatus status = store->probe();
  auto count = store->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, written);
  for (std::size_t i = 0; i < written / 2; ++i) {
    ASSERT_OK(store->put([&](Tx& tx) { tx.delete_environment("vm-" + std::to_string(i), 3); }));
  }
  EXPECT_OK(store->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-last")); }));
  status = store->probe();
  EXPECT_TRUE(status.healthy) << status.failure;
}

// Every timer fires at once.
class HurryingExecutor final : public WaitingExecutor {
 public:
  TimerId post_at(base::Nanos /*monotonic*/, base::Work work) override {
    post(std::move(work));
    return 1;
  }
};

TEST_F(SqliteFile, AProbeDoesNotWaitForADiskThatHangs) {
  auto store = opened(300);
  ASSERT_NE(store, nullptr);
  base::Result<void> full;
  for (int n = 0; full && n < 10'000; ++n) {
    full = store->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-" + std::to_string(n))); });
  }
  ASSERT_FALSE(full) << "only a write tells whether the next would do";
  std::atomic<bool> in_closure = false, may_end = false;
  std::thread writer([&] {
    WaitingExecutor executor;
    EXPECT_OK(executor.await((*store)->write(executor, [&](Tx&) -> base::Result<void> {
      in_closure = true;
      in_closure.notify_all();
      may_end.wait(false);
      return {};
    })));
  });
  in_closure.wait(false);
  HurryingExecutor executor;
  const StoreStatus status = executor.await((*store)->probe(executor));
  EXPECT_FALSE(status.healthy);
  EXPECT_EQ(status.failure, "unreachable");
  may_end = true;
  may_end.notify_all();
  writer.join();
}

TEST_F(SqliteFile, ReadsGoOnWhileWritesWaitForTheDisk) {
  auto store = opened();
  ASSERT_OK(store->put([](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  std::atomic<bool> in_closure = false, may_end = false;
  std::thread writer([&] {
    WaitingExecutor executor;
    EXPECT_OK(executor.await((*store)->write(executor, [&](Tx& tx) -> base::Result<void> {
      tx.delete_environment("vm-1", 3);
      in_closure = true;
      in_closure.notify_all();
      may_end.wait(false);
      return {};
    })));
  });
  in_closure.wait(false);
  auto found = store->get([](Reader& reader) { return reader.environment("vm-1"); });
  EXPECT_OK(found);
  EXPECT_TRUE(found->has_value()) << "not committed yet";
  may_end = true;
  may_end.notify_all();
  writer.join();
  found = store->get([](Reader& reader) { return reader.environment("vm-1"); });
  EXPECT_OK(found);
  EXPECT_FALSE(found->has_value());
}

TEST_F(SqliteFile, AQueueThatIsFullRefuses) {
  auto store = opened();
  std::atomic<bool> in_closure = false, may_end = false;
  WaitingExecutor& executor = store->executor();
  std::vector<base::Task<base::Result<void>>> tasks;
  tasks.push_back((*store)->write(executor, [&](Tx&) -> base::Result<void> {
    in_closure = true;
    in_closure.notify_all();
    may_end.wait(false);
    return {};
  }));
  tasks.back().start();
  in_closure.wait(false);
  for (std::size_t i = 0; i < kQueueMax; ++i) {
    tasks.push_back((*store)->write(executor, [](Tx&) -> base::Result<void> { return {}; }));
    tasks.back().start();
  }
  EXPECT_FAILS(Errc::exhausted, "queue", store->put([](Tx&) {}));
  may_end = true;
  may_end.notify_all();
  executor.run_until([&] { return std::ranges::all_of(tasks, [](auto& task) { return task.done(); }); });
  for (auto& task : tasks) EXPECT_OK(task.take());
}

// What waits when the store ends is still committed, and its callers are told.
TEST_F(SqliteFile, TheEndWaitsForWhatIsQueued) {
  auto store = opened();
  WaitingExecutor executor;
  std::vector<base::Task<base::Result<void>>> tasks;
  for (int i = 0; i < 200; ++i) {
    tasks.push_back((*store)->write(executor, [i](Tx& tx) -> base::Result<void> {
      tx.insert_environment(some_environment("vm-" + std::to_string(i)));
      return {};
    }));
    tasks.back().start();
  }
  store->close();
  executor.run_until([&] { return std::ranges::all_of(tasks, [](auto& task) { return task.done(); }); });
  for (auto& task : tasks) EXPECT_OK(task.take());
  store = opened();
  auto count = store->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 200u);
}

// More than a write of the log takes, and more than the connection's cache holds: frames are read back before the commit.
TEST_F(SqliteFile, ALargeTransactionIsWholeOrNothing) {
  auto store = opened();
  const auto insert = [](Tx& tx, int from, int to) {
    for (int i = from; i < to; ++i) {
      EnvironmentRow row = some_environment("vm-" + std::to_string(i));
      row.view_json = std::string(30'000, 'v');
      tx.insert_environment(row);
    }
  };
  EXPECT_FAILS(Errc::denied, "", store->put([&](Tx& tx) {
    insert(tx, 0, 4000);
    EXPECT_EQ(*tx.count_environments({}), 4000u);
    tx.fail({Errc::denied, "no", {}, nullptr});
  }));
  auto count = store->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 0u);
  ASSERT_OK(store->put([&](Tx& tx) { insert(tx, 1000, 4000); }));
  store->close();
  store = opened();
  count = store->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 3000u);
  auto row = store->get([](Reader& reader) { return reader.environment("vm-2500"); });
  ASSERT_OK(row);
  ASSERT_TRUE(row->has_value());
  EXPECT_EQ((*row)->view_json, std::string(30'000, 'v'));
}

// Writes until it is killed; says through `acknowledged` which environments it was told are durable.
[[noreturn]] void write_for_ever(const StoreOptions& options, int acknowledged, int life) {
  auto opened = open_store(options);
  if (!opened) ::_exit(3);
  TestStore store(std::move(*opened));
  WaitingExecutor& executor = store.executor();
  constexpr int kWriters = 8;
  struct Writer {
    base::Task<base::Result<void>> task;
    int number = 0;
  };
  std::vector<Writer> writers(kWriters);
  int next = 0;
  for (;;) {
    for (Writer& writer : writers) {
      if (writer.number != 0 && !writer.task.done()) continue;
      if (writer.number != 0) {
        if (!writer.task.take()) ::_exit(4);
        if (::write(acknowledged, &writer.number, sizeof writer.number) != sizeof writer.number) ::_exit(5);
      }
      writer.number = life * 1'000'000 + ++next;
      const std::string id = "vm-" + std::to_string(writer.number);
      writer.task = store->write(executor, [id](Tx& tx) -> base::Result<void> {
        tx.insert_environment(some_environment(id));
        tx.insert_operation(some_operation("op-" + id, id));
        tx.put_task({.task_id = "task-" + id, .vm_id = id});
        for (int i = 0; i < 3; ++i) tx.append_env_event(id, "state", "{}");
        tx.append_env_event("shared", "state", "{}");
        return {};
      });
      writer.task.start();
    }
    executor.run_until([&] { return std::ranges::any_of(writers, [](Writer& writer) { return writer.task.done(); }); });
  }
}

TEST_F(SqliteFile, ADeathAtAnyMomentLosesNothingThatWasAcknowledged) {
  const std::uint64_t seed = base::SystemRandom().next_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::SeededRandom random(seed);
  {
    auto store = opened();
    ASSERT_OK(store->put([](Tx& tx) { tx.insert_environment(some_environment("shared")); }));
  }
  std::set<int> told;
  for (int life = 1; life <= 8; ++life) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      write_for_ever(options(), ends[1], life);
    }
    ::close(ends[1]);
    // Not before it works, then at any moment.
    const std::uint64_t numbers_seen = 1 + random.below(60);
    int number = 0;
    for (std::uint64_t i = 0; i < numbers_seen && ::read(ends[0], &number, sizeof number) == sizeof number; ++i) {
      told.insert(number);
    }
    ::usleep(static_cast<useconds_t>(random.below(5000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
    while (::read(ends[0], &number, sizeof number) == sizeof number) told.insert(number);
    ::close(ends[0]);

    auto store = opened();
    ASSERT_NE(store, nullptr);
    for (const int acknowledged : told) {
      const std::string id = "vm-" + std::to_string(acknowledged);
      auto found = store->get([&](Reader& reader) { return reader.environment(id); });
      ASSERT_OK(found);
      ASSERT_TRUE(found->has_value()) << id << " was acknowledged and is gone";
    }
    auto rows = store->get([](Reader& reader) { return reader.environments({}, "", 100'000); });
    ASSERT_OK(rows);
    for (const EnvironmentRow& row : *rows) {
      auto events =
          store->get([&](Reader& reader) { return reader.env_events(row.vm_id, row.incarnation, 0, 1 << 20); });
      ASSERT_OK(events);
      ASSERT_EQ(events->size(), row.event_seq) << row.vm_id;
      for (std::size_t i = 0; i < events->size(); ++i) ASSERT_EQ((*events)[i].seq, i + 1) << row.vm_id;
      if (row.vm_id == "shared") {
        EXPECT_EQ(row.event_seq, rows->size() - 1) << "one for each environment";
        continue;
      }
      auto whole = store->get([&](Reader& reader) -> base::Result<bool> {
        FB_TRY(const auto operation, reader.operation("op-" + row.vm_id));
        FB_TRY(const auto task, reader.task("task-" + row.vm_id));
        return operation && task && row.event_seq == 3;
      });
      ASSERT_OK(whole);
      ASSERT_TRUE(*whole) << row.vm_id << " is torn";
    }
  }
  EXPECT_GT(told.size(), 8u);
}

}  // namespace
}  // namespace fusebox::fleet
