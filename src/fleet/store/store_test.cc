// What every store promises, on every kind of store.
#include "fleet/store/store.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "fleet/store/store_kinds_test_support.h"

namespace fusebox::fleet {
namespace {

using base::Errc;
using ::testing::Values;

INSTANTIATE_TEST_SUITE_P(Stores, EveryStore, Values(StoreKind::memory, StoreKind::file, StoreKind::postgres), name_of);

// Compares through the columns that differ most: a member-wise compare with names in the failure.
void expect_same(const EnvironmentRow& a, const EnvironmentRow& b) {
#define SAME(field) EXPECT_EQ(a.field, b.field) << #field
  SAME(vm_id);
  SAME(host_id);
  SAME(host_vm_name);
  SAME(generation);
  SAME(incarnation);
  SAME(state);
  SAME(backend);
  SAME(url);
  SAME(task_id);
  SAME(tenant_id);
  SAME(cpus);
  SAME(ram_mb);
  SAME(storage_gb);
  SAME(region);
  SAME(max_runtime_seconds);
  SAME(idle_timeout_seconds);
  SAME(auth_token_sealed);
  SAME(secrets_sealed);
  SAME(boot_sealed);
  SAME(cert_sha256);
  SAME(cert_not_after);
  SAME(last_error);
  SAME(endpoints_json);
  SAME(gpus);
  SAME(gpu_kind);
  SAME(gpu_profile);
  SAME(gpu_uuids);
  SAME(mig_instance_uuids);
  SAME(spec_json);
  SAME(source_vm_id);
  SAME(source_snapshot_id);
  SAME(op_id);
  SAME(boot_id);
  SAME(created_at);
  SAME(updated_at);
  SAME(state_changed_at);
  SAME(running_at);
  SAME(boot_ms);
  SAME(view_json);
  SAME(view_version);
  SAME(health_json);
  SAME(last_activity_at);
  SAME(stuck_strikes);
  SAME(idle_strikes);
  SAME(missing_seen_at);
  SAME(event_seq);
#undef SAME
}

std::vector<std::string> ids(const std::vector<EnvironmentView>& views) {
  std::vector<std::string> out;
  for (const EnvironmentView& view : views) out.push_back(view.vm_id);
  return out;
}

TEST_P(EveryStore, GivesBackAnEnvironmentAsItWasPut) {
  const EnvironmentRow row = some_environment("vm-1", "host-1");
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(row); }));
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  expect_same(**found, row);

  auto by_task = store_->get([](Reader& reader) { return reader.environment_of_task("task-vm-1"); });
  ASSERT_OK(by_task);
  EXPECT_TRUE(by_task->has_value());
  auto on_host = store_->get([](Reader& reader) { return reader.environment_on_host("host-1", "name-of-vm-1"); });
  ASSERT_OK(on_host);
  EXPECT_TRUE(on_host->has_value());
  auto elsewhere = store_->get([](Reader& reader) { return reader.environment_on_host("host-2", "name-of-vm-1"); });
  ASSERT_OK(elsewhere);
  EXPECT_FALSE(elsewhere->has_value());
  auto nobody = store_->get([](Reader& reader) { return reader.environment("vm-2"); });
  ASSERT_OK(nobody);
  EXPECT_FALSE(nobody->has_value());
}

TEST_P(EveryStore, AnEmptyRowStaysEmpty) {
  EnvironmentRow row;
  row.vm_id = "vm-1";
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(row); }));
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  expect_same(**found, row);
}

TEST_P(EveryStore, AnUpdateReplacesAllButWhatHasItsOwnCall) {
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  EnvironmentRow next = some_environment("vm-1", "host-9");
  next.generation = 4;
  next.state = EnvironmentState::running;
  next.url = "10.0.0.1:80";
  next.gpu_uuids.clear();
  next.secrets_sealed.clear();
  next.running_at = base::Nanos{0};
  next.health_json = "not written";
  next.stuck_strikes = 99;
  ASSERT_OK(store_->put([&](Tx& tx) { tx.update_environment(next, 3); }));
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  next.health_json = R"({"state":"passing"})";
  next.stuck_strikes = 1;
  expect_same(**found, next);
}

TEST_P(EveryStore, WritesThatExpectAnotherGenerationHaveNoEffect) {
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  EnvironmentRow next = some_environment("vm-1");
  next.url = "changed";
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) {
    tx.put_task({.task_id = "t", .vm_id = "vm-1"});
    tx.update_environment(next, 2);
  }));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.delete_environment("vm-1", 4); }));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.set_health("vm-1", 2, "{}", "{}"); }));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.set_strikes("vm-1", 2, 0, 0, {}); }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.update_environment(some_environment("vm-2"), 3); }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.delete_environment("vm-2", 3); }));
  EXPECT_FAILS(Errc::exists, "", store_->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  expect_same(**found, some_environment("vm-1"));
  auto task = store_->get([](Reader& reader) { return reader.task("t"); });
  ASSERT_OK(task);
  EXPECT_FALSE(task->has_value()) << "the closure before the guard left something";
}

TEST_P(EveryStore, AGuardSaysWhatDidNotHold) {
  const auto refused = store_->put([&](Tx& tx) { tx.update_environment(some_environment("vm-\"x"), 1); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, R"(there is no environment "vm-\"x")");
}

TEST_P(EveryStore, AClosureThatFailsLeavesNothingAndTellsWhy) {
  EXPECT_FAILS(Errc::denied, "mine", store_->put([&](Tx& tx) {
    tx.insert_environment(some_environment("vm-1"));
    tx.fail({Errc::denied, "no", "mine", nullptr});
  }));
  EXPECT_FAILS(Errc::invalid, "", store_->write([&](Tx& tx) -> base::Result<void> {
    tx.insert_environment(some_environment("vm-1"));
    return base::fail(Errc::invalid, "no");
  }));
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  EXPECT_FALSE(found->has_value());
}

TEST_P(EveryStore, AClosureReadsItsOwnWrites) {
  ASSERT_OK(store_->write([&](Tx& tx) -> base::Result<void> {
    tx.insert_environment(some_environment("vm-1"));
    FB_TRY(auto row, tx.environment("vm-1"));
    if (!row) return base::fail(Errc::bug, "not seen");
    row->generation = 8;
    tx.update_environment(*row, 3);
    tx.delete_environment("vm-1", 8);
    FB_TRY(row, tx.environment("vm-1"));
    if (row) return base::fail(Errc::bug, "still seen");
    return {};
  }));
}

TEST_P(EveryStore, ManyNamesAreLookedUpWithOneQuestionInTheirOrder) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(some_environment("vm-1"));
    tx.insert_environment(some_environment("vm-\xEF\xBF\xBD"));
    for (std::uint64_t generation : {11, 12})
      tx.put_tombstone({.host_vm_name = "gone-name", .generation = generation, .removed_at = at_us(kSomeDayUs)});
    tx.put_tombstone(
        {.host_id = "host-1", .host_vm_name = "gone-name", .generation = 90, .removed_at = at_us(kSomeDayUs)});
  }));
  const std::vector<Reader::Name> names = {{.vm_id = "gone", .host_vm_name = "gone-name"},
                                           {.vm_id = "vm-1", .host_vm_name = "gone-name"},
                                           {.vm_id = "gone"},
                                           {.vm_id = "it's \"a\\\\u0000\"", .host_vm_name = "\n"},
                                           {.vm_id = std::string("\0", 1)},
                                           {.vm_id = "vm-1"}};
  auto uses = store_->get([&](Reader& reader) { return reader.name_uses(names); });
  ASSERT_OK(uses);
  ASSERT_EQ(uses->size(), names.size());
  EXPECT_FALSE((*uses)[0].row);
  EXPECT_EQ((*uses)[0].last_generation, 12u) << "of the name where there is no host";
  ASSERT_TRUE((*uses)[1].row);
  expect_same(*(*uses)[1].row, some_environment("vm-1"));
  EXPECT_EQ((*uses)[1].last_generation, 12u);
  EXPECT_EQ((*uses)[2].last_generation, 0u) << "not asked for";
  EXPECT_FALSE((*uses)[3].row);
  EXPECT_FALSE((*uses)[4].row);
  ASSERT_TRUE((*uses)[5].row);
  EXPECT_EQ((*uses)[5].row->vm_id, "vm-1");
  auto none = store_->get([&](Reader& reader) { return reader.name_uses({}); });
  ASSERT_OK(none);
  EXPECT_TRUE(none->empty());
}

TEST_P(EveryStore, ListsArePagesInTheOrderOfIds) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (int i = 0; i < 20; ++i) {
      EnvironmentRow row = some_environment("vm-" + std::to_string(10 + i), i % 2 == 0 ? "host-a" : "host-b");
      row.state = i % 5 == 0 ? EnvironmentState::running : EnvironmentState::draining;
      row.tenant_id = i < 10 ? "one" : "two";
      tx.insert_environment(row);
    }
  }));
  const auto page = [&](EnvironmentFilter filter, std::string after, std::uint32_t limit) {
    auto found = store_->get([=](Reader& reader) { return reader.environment_views(filter, after, limit); });
    EXPECT_OK(found);
    return ids(*found);
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(page({}, "", 3), (Ids{"vm-10", "vm-11", "vm-12"}));
  EXPECT_EQ(page({}, "vm-12", 2), (Ids{"vm-13", "vm-14"}));
  EXPECT_EQ(page({}, "vm-29", 2), Ids{});
  EXPECT_EQ(page({.tenant = "two"}, "", 2), (Ids{"vm-20", "vm-21"}));
  EXPECT_EQ(page({.state = "running"}, "vm-10", 9), (Ids{"vm-15", "vm-20", "vm-25"}));
  EXPECT_EQ(page({.state = "asleep"}, "", 9), Ids{});
  EXPECT_EQ(page({.task_id = "task-vm-17"}, "", 9), Ids{"vm-17"});
  EXPECT_EQ(page({.host_id = "host-b"}, "vm-24", 9), (Ids{"vm-25", "vm-27", "vm-29"}));
  EXPECT_EQ(page({.tenant = "one", .state = "running", .host_id = "host-a"}, "", 9), Ids{"vm-10"});

  auto count = store_->get([](Reader& reader) { return reader.count_environments({.host_id = "host-a"}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 10u);
  auto counts = store_->get([](Reader& reader) { return reader.environment_counts(); });
  ASSERT_OK(counts);
  std::map<EnvironmentState, std::uint64_t> by_state;
  for (const auto& one : *counts) by_state[one.state] += one.count;
  EXPECT_EQ(by_state, (std::map<EnvironmentState, std::uint64_t>{{EnvironmentState::running, 4},
                                                                 {EnvironmentState::draining, 16}}));
  auto past = store_->get([](Reader& reader) {
    return reader.environments_past(EnvironmentState::running, at_us(kSomeDayUs + 6), "vm-15", 1);
  });
  ASSERT_OK(past);
  ASSERT_EQ(past->size(), 1u);
  EXPECT_EQ(past->front().vm_id, "vm-20");
  past = store_->get(
      [](Reader& reader) { return reader.environments_past(EnvironmentState::running, at_us(kSomeDayUs + 5), "", 9); });
  ASSERT_OK(past);
  EXPECT_TRUE(past->empty()) << "running_at is not before itself";
}

TEST_P(EveryStore, EventsOfAnEnvironmentHaveNoGapsAndOutliveIt) {
  KeepingObserver observer;
  (*store_)->observe(&observer);
  const EnvironmentRow row = some_environment("vm-1");
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(row);
    tx.append_env_event("vm-1", "state", R"({"n":1})");
    tx.append_env_event("vm-1", "step", R"({"n":2})");
  }));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) {
    tx.append_env_event("vm-1", "state", R"({"n":"lost"})");
    tx.update_environment(row, 99);
  }));
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.append_env_event("vm-1", "state", R"({"n":3})");
    tx.delete_environment("vm-1", row.generation);
  }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.append_env_event("vm-1", "state", "{}"); }));
  (*store_)->observe(nullptr);

  auto events = store_->get([&](Reader& reader) { return reader.env_events("vm-1", row.incarnation, 0, 10); });
  ASSERT_OK(events);
  ASSERT_EQ(events->size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*events)[i].seq, i + 1);
    EXPECT_EQ((*events)[i].payload_json, "{\"n\":" + std::to_string(i + 1) + "}");
    EXPECT_EQ((*events)[i].incarnation, row.incarnation);
  }
  EXPECT_EQ((*events)[1].kind, "step");
  auto later = store_->get([&](Reader& reader) { return reader.env_events("vm-1", row.incarnation, 1, 1); });
  ASSERT_OK(later);
  ASSERT_EQ(later->size(), 1u);
  EXPECT_EQ(later->front().seq, 2u);

  const std::vector<EnvEventRow> told = observer.events();
  ASSERT_EQ(told.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(told[i].seq, i + 1);
    EXPECT_EQ(told[i].payload_json, (*events)[i].payload_json);
    EXPECT_EQ(told[i].incarnation, row.incarnation);
  }
  EXPECT_EQ(observer.changed(), (std::vector<std::string>{"vm-1", "vm-1"}));
}

TEST_P(EveryStore, AnEnvironmentEndsWithItsLastEvents) {
  KeepingObserver observer;
  (*store_)->observe(&observer);
  const auto ends = [&](const char* id, bool both) {
    return store_->put([id, both](Tx& tx) {
      Tx::LastEvent before;
      if (both) before = {.kind = "state", .payload_json = R"({"n":3})"};
      tx.end_environment(id, 3, before, {.kind = "end", .payload_json = R"({"n":"last"})"});
    });
  };
  for (const char* id : {"vm-1", "vm-2"}) {
    ASSERT_OK(store_->put([&](Tx& tx) {
      tx.insert_environment(some_environment(id));
      for (int i = 0; i < 2; ++i) tx.append_env_event(id, "state", "{}");
    }));
  }
  EXPECT_FAILS(Errc::stale, "",
               store_->put([](Tx& tx) { tx.end_environment("vm-1", 99, {}, {.kind = "end", .payload_json = "{}"}); }));
  EXPECT_FAILS(Errc::not_found, "", ends("vm-none", true));
  ASSERT_OK(ends("vm-1", true));
  ASSERT_OK(ends("vm-2", false));
  (*store_)->observe(nullptr);
  for (const auto& [id, count] : {std::pair{"vm-1", 4u}, std::pair{"vm-2", 3u}}) {
    auto gone = store_->get([id = id](Reader& reader) { return reader.environment(id); });
    ASSERT_OK(gone);
    EXPECT_FALSE(gone->has_value());
    auto events = store_->get(
        [id = id](Reader& reader) { return reader.env_events(id, some_environment(id).incarnation, 0, 10); });
    ASSERT_OK(events);
    ASSERT_EQ(events->size(), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ((*events)[i].seq, i + 1);
    EXPECT_EQ(events->back().payload_json, R"({"n":"last"})");
    EXPECT_EQ((*events)[count - 2].payload_json, count == 4 ? R"({"n":3})" : "{}");
  }
  const std::vector<EnvEventRow> told = observer.events();
  ASSERT_EQ(told.size(), 7u);
  std::vector<std::uint64_t> numbers;
  for (const EnvEventRow& event : told) {
    numbers.push_back(event.seq);
    EXPECT_EQ(event.incarnation, some_environment(event.vm_id).incarnation);
  }
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 2, 1, 2, 3, 4, 3}));
}

TEST_P(EveryStore, OfANameThatWasUsedTwiceTheNewestEndIsKnownAndWhose) {
  const auto ended = [&] {
    auto found = store_->get([](Reader& reader) { return reader.ended_environment("vm-1"); });
    EXPECT_OK(found);
    return *found;
  };
  EnvironmentRow first = some_environment("vm-1");
  EnvironmentRow second = first;
  second.incarnation.fill(std::byte{7});
  second.tenant_id = "tenant-b";
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(first); }));
  EXPECT_FALSE(ended());
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.append_env_log("vm-1", "boot", at_us(kSomeDayUs), "the first's");
    tx.end_environment("vm-1", first.generation, {}, {.kind = "state", .payload_json = "{}"});
  }));
  ASSERT_TRUE(ended());
  EXPECT_EQ(ended()->incarnation, first.incarnation);
  EXPECT_EQ(ended()->tenant_id, "tenant-a");
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(second); }));
  EXPECT_EQ(ended()->incarnation, first.incarnation) << "the second lives";
  clock_.advance(at_us(1));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.delete_environment("vm-1", second.generation); }));
  EXPECT_EQ(ended()->incarnation, second.incarnation);
  EXPECT_EQ(ended()->tenant_id, "tenant-b");
  auto logs = store_->get([&](Reader& reader) { return reader.env_logs("vm-1", second.incarnation, {}, {}, 0, 10); });
  ASSERT_OK(logs);
  EXPECT_TRUE(logs->empty()) << "they are the first's";
}

TEST_P(EveryStore, EnvironmentsOfOneCommitEndEachWithItsOwnNumbers) {
  ASSERT_OK(store_->put([](Tx& tx) {
    for (int n = 0; n < 5; ++n) {
      const std::string id = "vm-" + std::to_string(n);
      tx.insert_environment(some_environment(id));
      for (int i = 0; i < n; ++i) tx.append_env_event(id, "state", "{}");
    }
  }));
  KeepingObserver observer;
  (*store_)->observe(&observer);
  ASSERT_OK(store_->put([](Tx& tx) {
    for (int n = 0; n < 5; ++n) {
      tx.end_environment("vm-" + std::to_string(n), 3, {.kind = "state", .payload_json = "{}"},
                         {.kind = "state", .payload_json = "{}"});
    }
  }));
  (*store_)->observe(nullptr);
  const std::vector<EnvEventRow> told = observer.events();
  ASSERT_EQ(told.size(), 10u);
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].vm_id, "vm-" + std::to_string(i / 2));
    EXPECT_EQ(told[i].seq, i / 2 + 1 + i % 2);
  }
}

TEST_P(EveryStore, ClosuresOfOneCommitFailEachByItself) {
  KeepingObserver observer;
  (*store_)->observe(&observer);
  WaitingExecutor& executor = store_->executor();
  std::vector<base::Task<base::Result<void>>> tasks;
  for (int i = 0; i < 60; ++i) {
    const std::string id = "vm-" + std::to_string(100 + i / 2);  // each id twice: the second meets the first
    tasks.push_back((*store_)->write(executor, [id, i](Tx& tx) -> base::Result<void> {
      tx.insert_environment(some_environment(id));
      tx.append_env_event(id, "state", "{}");
      if (i % 10 == 0) return base::fail(Errc::denied, "this one not");
      return {};
    }));
  }
  for (auto& task : tasks) task.start();
  executor.run_until([&] { return std::ranges::all_of(tasks, [](auto& task) { return task.done(); }); });
  (*store_)->observe(nullptr);
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    const auto outcome = tasks[static_cast<std::size_t>(i)].take();
    if (i % 10 == 0) {
      EXPECT_FAILS(Errc::denied, "", outcome);
    } else if (i % 2 == 1 && i % 10 != 1) {
      EXPECT_FAILS(Errc::exists, "", outcome);
    } else {
      EXPECT_OK(outcome);
    }
  }
  auto count = store_->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 30u);
  EXPECT_EQ(observer.events().size(), 30u);
}

TEST_P(EveryStore, RoomOnAHostIsTakenOnceAndGivenBack) {
  HostRow host = some_host("host-1");
  host.cpus_total = 4;
  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_host(host); }));
  const HostReservation two{.host_id = "host-1", .cpus = 2, .ram_mb = 100, .storage_gb = 1, .gpus = 1};
  const auto take = [&] { return store_->put([&](Tx& tx) { tx.reserve(two); }); };
  EXPECT_OK(take());
  EXPECT_OK(take());
  EXPECT_FAILS(Errc::exhausted, "capacity", take());
  auto found = store_->get([](Reader& reader) { return reader.host("host-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->cpus_allocated, 4);
  EXPECT_EQ((*found)->ram_mb_allocated, 200);
  EXPECT_EQ((*found)->storage_gb_allocated, 2);
  EXPECT_EQ((*found)->gpus_allocated, 2);
  EXPECT_EQ((*found)->vm_count_allocated, 2);
  EXPECT_OK(store_->put([&](Tx& tx) { tx.release(two); }));
  EXPECT_OK(take());
  EXPECT_OK(store_->put([&](Tx& tx) {
    for (int i = 0; i < 5; ++i) tx.release(two);
  }));
  found = store_->get([](Reader& reader) { return reader.host("host-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->cpus_allocated, 0) << "never below zero";
  EXPECT_EQ((*found)->vm_count_allocated, 0);
  ASSERT_OK(store_->put([&](Tx& tx) { tx.set_host_state("host-1", HostState::cordoned, at_us(kSomeDayUs)); }));
  EXPECT_FAILS(Errc::stale, "host", take());
  EXPECT_FAILS(Errc::stale, "host", store_->put([&](Tx& tx) { tx.reserve({.host_id = "host-2"}); }));
}

// Many callers at once: what fits is taken, whoever comes first, and nothing more.
TEST_P(EveryStore, RoomIsNeverTakenTwiceUnderLoad) {
  HostRow host = some_host("host-1");
  host.cpus_total = 1000;
  host.vm_count_max = 25;
  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_host(host); }));
  WaitingExecutor& executor = store_->executor();
  std::vector<base::Task<base::Result<void>>> tasks;
  for (int i = 0; i < 100; ++i) {
    tasks.push_back((*store_)->write(executor, [i](Tx& tx) -> base::Result<void> {
      tx.insert_environment(some_environment("vm-" + std::to_string(i), "host-1"));
      tx.reserve({.host_id = "host-1", .cpus = 1, .ram_mb = 1});
      return {};
    }));
  }
  for (auto& task : tasks) task.start();
  executor.run_until([&] { return std::ranges::all_of(tasks, [](auto& task) { return task.done(); }); });
  std::uint64_t taken = 0;
  for (auto& task : tasks) {
    const auto outcome = task.take();
    if (outcome) {
      ++taken;
    } else {
      EXPECT_EQ(outcome.error().name, "capacity");
    }
  }
  EXPECT_EQ(taken, 25u);
  auto count = store_->get([](Reader& reader) { return reader.count_environments({}); });
  ASSERT_OK(count);
  EXPECT_EQ(*count, 25u);
}

TEST_P(EveryStore, GivesBackHosts) {
  const HostRow row = some_host("host-1");
  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_host(row); }));
  auto found = store_->get([](Reader& reader) { return reader.host("host-1"); });
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  const HostRow& got = **found;
  EXPECT_EQ(got.url, row.url);
  EXPECT_EQ(got.token_sealed, row.token_sealed);
  EXPECT_EQ(got.labels, row.labels);
  EXPECT_EQ(got.mig_profiles, row.mig_profiles);
  EXPECT_EQ(got.features, row.features);
  EXPECT_EQ(got.tls_json, row.tls_json);
  EXPECT_EQ(got.probed_json, row.probed_json);
  EXPECT_EQ(got.reach_state, row.reach_state);
  EXPECT_EQ(got.reach_since, row.reach_since);
  EXPECT_EQ(got.last_seen_at, row.last_seen_at);
  EXPECT_EQ(got.agent_version, row.agent_version);
  EXPECT_EQ(got.vm_count_max, row.vm_count_max);
  EXPECT_EQ(got.tenant_id, row.tenant_id);
  EXPECT_EQ(got.arch, row.arch);

  EXPECT_FAILS(Errc::stale, "host", store_->put([&](Tx& tx) {
    tx.set_host_state("host-1", HostState::cordoned, at_us(kSomeDayUs));
    tx.reserve({.host_id = "host-1"});
  })) << "a cordoned host took something";
  ASSERT_OK(store_->put([&](Tx& tx) { tx.reserve({.host_id = "host-1", .cpus = 1}); }));
  ASSERT_OK(store_->put(
      [&](Tx& tx) { tx.set_host_state("host-1", HostState::draining, at_us(kSomeDayUs), at_us(kSomeDayUs + 7)); }));
  found = store_->get([](Reader& reader) { return reader.host("host-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->evict_at, at_us(kSomeDayUs + 7));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.set_host_state("host-1", HostState::draining, at_us(kSomeDayUs)); }));
  HostRow again = row;
  again.url = "https://moved";
  again.created_at = at_us(kSomeDayUs + 99);
  again.labels.clear();
  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_host(again); }));
  found = store_->get([](Reader& reader) { return reader.host("host-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->url, "https://moved");
  EXPECT_TRUE((*found)->labels.empty());
  EXPECT_EQ((*found)->state, HostState::draining) << "registering again does not uncordon";
  EXPECT_EQ((*found)->created_at, row.created_at);
  EXPECT_EQ((*found)->cpus_allocated, 1);

  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_host(some_host("host-2")); }));
  auto page = store_->get([](Reader& reader) { return reader.hosts("host-1", 5); });
  ASSERT_OK(page);
  ASSERT_EQ(page->size(), 1u);
  EXPECT_EQ(page->front().host_id, "host-2");
}

TEST_P(EveryStore, AHostIsNotRemovedUnderItsEnvironments) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.put_host(some_host("host-1"));
    tx.insert_environment(some_environment("vm-1", "host-1"));
  }));
  EXPECT_FAILS(Errc::stale, "in_use", store_->put([&](Tx& tx) { tx.delete_host("host-1"); }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.delete_host("host-2"); }));
  auto bound = store_->get([](Reader& reader) { return reader.bound_devices("host-1"); });
  ASSERT_OK(bound);
  EXPECT_EQ(bound->gpu_uuids, (std::vector<std::string>{"gpu-1", "gpu,\"2\""}));
  EXPECT_EQ(bound->mig_instance_uuids, std::vector<std::string>{"mig-1"});
  EXPECT_EQ(bound->mig_profiles, (std::map<std::string, std::int64_t>{{"1g.5gb", 1}}));
  EXPECT_OK(store_->put([&](Tx& tx) {
    tx.delete_environment("vm-1", 3);
    tx.delete_host("host-1");
  }));
}

TEST_P(EveryStore, OneUnfinishedOperationOfAKindAndOneUseOfAKey) {
  OperationRow first = some_operation("op-1", "vm-1");
  first.idem_scope = "scope";
  first.idem_key = "key";
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_operation(first); }));
  OperationRow same_key = some_operation("op-2", "vm-2");
  same_key.idem_scope = "scope";
  same_key.idem_key = "key";
  EXPECT_FAILS(Errc::exists, "idempotency", store_->put([&](Tx& tx) { tx.insert_operation(same_key); }));
  EXPECT_FAILS(Errc::exists, "operation",
               store_->put([&](Tx& tx) { tx.insert_operation(some_operation("op-2", "vm-1")); }));
  EXPECT_FAILS(Errc::exists, "", store_->put([&](Tx& tx) { tx.insert_operation(some_operation("op-1", "vm-3")); }));
  OperationRow other_kind = some_operation("op-3", "vm-1");
  other_kind.kind = "destroy";
  EXPECT_OK(store_->put([&](Tx& tx) { tx.insert_operation(other_kind); }));
  for (const char* id : {"op-4", "op-5"}) {
    EXPECT_OK(store_->put([&](Tx& tx) { tx.insert_operation(some_operation(id)); })) << "no environment, no rule";
  }

  auto found = store_->get([](Reader& reader) { return reader.operation_of_key("scope", "key"); });
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  const OperationRow& got = **found;
  EXPECT_EQ(got.op_id, "op-1");
  EXPECT_EQ(got.detail_json, first.detail_json);
  EXPECT_EQ(got.request_hash, first.request_hash);
  EXPECT_EQ(got.lease_until, first.lease_until);
  EXPECT_EQ(got.response_status, first.response_status);
  EXPECT_EQ(got.error_code, first.error_code);
  EXPECT_EQ(got.tenant_id, first.tenant_id);
  auto unfinished = store_->get([](Reader& reader) { return reader.unfinished_operations("vm-1"); });
  ASSERT_OK(unfinished);
  EXPECT_EQ(unfinished->size(), 2u);

  first.state = OperationState::done;
  first.finished_at = at_us(kSomeDayUs + 9);
  first.response_status = 201;
  ASSERT_OK(store_->put([&](Tx& tx) { tx.update_operation(first); }));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.update_operation(first); })) << "it has ended";
  EXPECT_OK(store_->put([&](Tx& tx) { tx.insert_operation(some_operation("op-6", "vm-1")); }));
}

TEST_P(EveryStore, OperationsAreNewestFirstAndFiltered) {
  ASSERT_OK(store_->put([](Tx& tx) {
    for (int n = 1; n <= 6; ++n) {
      OperationRow row = some_operation("op-" + std::to_string(n), n % 2 == 0 ? "vm-even" : "");
      row.kind = n == 3 ? "fork" : n % 2 == 0 ? "create-" + std::to_string(n) : "create";
      if (n < 4) row.state = OperationState::done;
      if (n == 6) row.tenant_id = "tenant-b";
      tx.insert_operation(row);
    }
  }));
  const auto ids = [&](const OperationFilter& filter, std::string before, std::uint32_t limit) {
    auto page = store_->get([=](Reader& reader) { return reader.operations(filter, before, limit); });
    EXPECT_OK(page);
    std::string all;
    for (const OperationRow& row : *page) all += row.op_id.substr(3);
    return all;
  };
  EXPECT_EQ(ids({}, "", 10), "654321");
  EXPECT_EQ(ids({}, "", 2), "65");
  EXPECT_EQ(ids({}, "op-5", 2), "43");
  EXPECT_EQ(ids({.tenant = "tenant-a"}, "", 10), "54321");
  EXPECT_EQ(ids({.vm_id = "vm-even"}, "", 10), "642");
  EXPECT_EQ(ids({.state = "running"}, "", 10), "654");
  EXPECT_EQ(ids({.state = "running", .kind = "create"}, "", 10), "5");
  EXPECT_EQ(ids({.state = "done"}, "op-3", 10), "21");
  EXPECT_EQ(ids({.kind = "fork"}, "", 10), "3");
  EXPECT_EQ(ids({.state = "no such state"}, "", 10), "");
}

TEST_P(EveryStore, AnOperationIsTakenOverWhenItsLeaseEndsAndNotBefore) {
  const OperationRow row = some_operation("op-1", "vm-1");
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_operation(row); }));
  const base::Nanos lease = row.lease_until;
  const auto take = [&](base::Nanos now) {
    return store_->put(
        [&](Tx& tx) { tx.take_over_operation("op-1", "replica-2", now + std::chrono::seconds{30}, now); });
  };
  EXPECT_FAILS(Errc::stale, "", take(lease));
  auto expired = store_->get([&](Reader& reader) { return reader.expired_operations(lease, 5); });
  ASSERT_OK(expired);
  EXPECT_TRUE(expired->empty());
  expired = store_->get([&](Reader& reader) { return reader.expired_operations(lease + at_us(1), 5); });
  ASSERT_OK(expired);
  EXPECT_EQ(expired->size(), 1u);
  EXPECT_OK(take(lease + at_us(1)));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.update_operation(row); })) << "the owner before";
  OperationRow ours = row;
  ours.owner = "replica-2";
  EXPECT_OK(store_->put([&](Tx& tx) { tx.update_operation(ours); }));
  EXPECT_OK(store_->put([&](Tx& tx) { tx.renew_leases("replica-2", lease + std::chrono::hours{1}); }));
  auto found = store_->get([](Reader& reader) { return reader.operation("op-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->lease_until, lease + std::chrono::hours{1});
  EXPECT_OK(store_->put([&](Tx& tx) { tx.cancel_operations("vm-1", "op-1", at_us(kSomeDayUs)); }));
  EXPECT_OK(store_->put([&](Tx& tx) { tx.cancel_operations("vm-1", "op-other", at_us(kSomeDayUs)); }));
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.update_operation(ours); })) << "cancelled";
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.update_operation(some_operation("op-9")); }));
}

TEST_P(EveryStore, SnapshotsAreNewestFirstAndFiltered) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (int i = 0; i < 6; ++i) {
      SnapshotRow row = some_snapshot("snap-" + std::to_string(i), i < 3 ? 10 : i * 100);
      if (i == 5) {
        row.mode = "build";
        row.metadata_json = "{}";
        row.owner_tenant_id = "";
      }
      tx.insert_snapshot(row);
    }
  }));
  using Ids = std::vector<std::string>;
  const auto page = [&](SnapshotFilter filter, std::optional<SnapshotAfter> after, std::uint32_t limit) {
    auto found = store_->get([=](Reader& reader) { return reader.snapshots(filter, after, limit); });
    EXPECT_OK(found);
    Ids out;
    for (const SnapshotRow& row : *found) out.push_back(row.snapshot_id);
    return out;
  };
  EXPECT_EQ(page({}, {}, 4), (Ids{"snap-2", "snap-1", "snap-0", "snap-3"}));
  EXPECT_EQ(page({}, SnapshotAfter{at_us(kSomeDayUs - 10), "snap-1"}, 2), (Ids{"snap-0", "snap-3"}));
  EXPECT_EQ(page({.mode = "build"}, {}, 9), Ids{"snap-5"});
  EXPECT_EQ(page({.name = "nightly"}, {}, 9).size(), 5u);
  EXPECT_EQ(page({.tenant = "tenant-a"}, {}, 9).size(), 5u);
  EXPECT_EQ(page({.vm_id = "vm-1",
                  .task_id = "task-1",
                  .tenant_id = "scope-a",
                  .state = "ready",
                  .mode = "manual",
                  .name = "nightly",
                  .layer_key = "layer",
                  .arch = "arm64",
                  .digest = "sha256:00",
                  .host_id = "host-1"},
                 {}, 9)
                .size(),
            5u);
  EXPECT_EQ(page({.arch = "amd64"}, {}, 9), Ids{});

  auto layer = store_->get([](Reader& reader) { return reader.resolve_layer("scope-a", "layer", "arm64"); });
  ASSERT_OK(layer);
  ASSERT_TRUE(layer->has_value());
  EXPECT_EQ((*layer)->snapshot_id, "snap-2");
  auto use = store_->get([](Reader& reader) { return reader.snapshot_use("scope-a"); });
  ASSERT_OK(use);
  EXPECT_EQ(use->count, 5u);
  EXPECT_EQ(use->bytes, 5'000'000'000'000u);
}

TEST_P(EveryStore, ALineageRowIsInNoQuotaAndGoesWithItsChild) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (const char* id : {"fork-seed-1", "fork-seed-2", "snap-1"}) {
      SnapshotRow row = some_snapshot(id);
      row.vm_id = std::string_view(id) == "fork-seed-2" ? "vm-2" : "vm-1";
      tx.insert_snapshot(row);
    }
  }));
  auto use = store_->get([](Reader& reader) { return reader.snapshot_use("scope-a"); });
  ASSERT_OK(use);
  EXPECT_EQ(use->count, 1u);
  const auto is_there = [&](const char* id) {
    const auto found = store_->get([id](Reader& reader) { return reader.snapshot(id); });
    return found && found->has_value();
  };
  ASSERT_OK(store_->put([&](Tx& tx) {
    SnapshotRow row = some_snapshot("fork-seed-3");
    row.vm_id = "vm-1";
    tx.insert_snapshot(row);  // of the same transaction
    tx.delete_lineage("vm-1");
  }));
  EXPECT_FALSE(is_there("fork-seed-1"));
  EXPECT_FALSE(is_there("fork-seed-3"));
  EXPECT_TRUE(is_there("fork-seed-2"));
  EXPECT_TRUE(is_there("snap-1"));
}

TEST_P(EveryStore, SnapshotsOfAHostFailTogether) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (const char* host : {"host-1", "host-2"}) {
      SnapshotRow row = some_snapshot(std::string("snap-of-") + host);
      row.host_id = host;
      row.state = SnapshotState::deleting;
      tx.insert_snapshot(row);
    }
    tx.fail_snapshots_of_host("host-1", "host removed", at_us(kSomeDayUs + 1));
  }));
  const auto first = store_->get([](Reader& reader) { return reader.snapshot("snap-of-host-1"); });
  const auto second = store_->get([](Reader& reader) { return reader.snapshot("snap-of-host-2"); });
  ASSERT_TRUE(first && *first && second && *second);
  EXPECT_EQ((*first)->state, SnapshotState::error);
  EXPECT_EQ((*first)->last_error, "host removed");
  EXPECT_EQ((*first)->updated_at, at_us(kSomeDayUs + 1));
  EXPECT_EQ((*second)->state, SnapshotState::deleting);
}

TEST_P(EveryStore, ASnapshotChangesOnlyFromTheStateExpected) {
  SnapshotRow row = some_snapshot("snap-1");
  row.state = SnapshotState::creating;
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_snapshot(row); }));
  EXPECT_FAILS(Errc::exists, "", store_->put([&](Tx& tx) { tx.insert_snapshot(row); }));
  SnapshotRow ready = row;
  ready.state = SnapshotState::ready;
  ready.digest = "sha256:ff";
  EXPECT_FAILS(Errc::stale, "", store_->put([&](Tx& tx) { tx.update_snapshot(ready, SnapshotState::restoring); }));
  EXPECT_OK(store_->put([&](Tx& tx) {
    tx.update_snapshot(ready, SnapshotState::creating);
    tx.rename_snapshot("snap-1", "snap-of-agent");
  }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.update_snapshot(ready, SnapshotState::ready); }));
  auto found = store_->get([](Reader& reader) { return reader.snapshot("snap-of-agent"); });
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->digest, "sha256:ff");
  EXPECT_EQ((*found)->owner_tenant_id, row.owner_tenant_id);
  EXPECT_EQ((*found)->size_bytes, row.size_bytes);
  EXPECT_EQ((*found)->retention_until, row.retention_until);
  EXPECT_EQ((*found)->kind, row.kind);

  ASSERT_OK(store_->put([&](Tx& tx) {
    SnapshotRow child = some_snapshot("child");
    child.parent_snapshot_id = "snap-of-agent";
    tx.insert_snapshot(child);
    child.snapshot_id = "fork-seed-0";
    tx.insert_snapshot(child);
  }));
  auto children = store_->get([](Reader& reader) { return reader.count_children("snap-of-agent"); });
  ASSERT_OK(children);
  EXPECT_EQ(*children, 1u);
  EXPECT_OK(store_->put([&](Tx& tx) { tx.delete_snapshot("snap-of-agent"); }));
  found = store_->get([](Reader& reader) { return reader.snapshot("snap-of-agent"); });
  ASSERT_OK(found);
  EXPECT_FALSE(found->has_value());
}

std::vector<std::string> due_ids(TestStore& store, base::Nanos now, base::Nanos used_before, std::uint32_t limit) {
  auto found = store.get([=](Reader& reader) { return reader.snapshots_due(now, used_before, limit); });
  EXPECT_OK(found);
  std::vector<std::string> ids;
  for (const SnapshotRow& row : *found) ids.push_back(row.snapshot_id);
  return ids;
}

TEST_P(EveryStore, KnowsWhichSnapshotsAreDue) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    SnapshotRow row = some_snapshot("kept");
    tx.insert_snapshot(row);
    row = some_snapshot("past");
    row.retention_until = at_us(kSomeDayUs);
    tx.insert_snapshot(row);
    row = some_snapshot("failed");
    row.state = SnapshotState::error;
    row.next_retry_at = at_us(kSomeDayUs + 1);
    tx.insert_snapshot(row);
    row = some_snapshot("never made");
    row.state = SnapshotState::error;
    row.retention_until = at_us(kSomeDayUs + 2);
    tx.insert_snapshot(row);
    row = some_snapshot("deleting");
    row.state = SnapshotState::deleting;
    tx.insert_snapshot(row);
  }));
  const auto due = [&](std::int64_t now_us, std::uint32_t limit) {
    return due_ids(*store_, at_us(now_us), at_us(kSomeDayUs + 9), limit);
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(due(kSomeDayUs - 1, 9), Ids{"deleting"});
  EXPECT_EQ(due(kSomeDayUs, 9), (Ids{"deleting", "past"}));
  EXPECT_EQ(due(kSomeDayUs + 1, 9), (Ids{"failed", "deleting", "past"}));
  EXPECT_EQ(due(kSomeDayUs + 1, 2), (Ids{"failed", "deleting"})) << "what was begun comes first";
  EXPECT_EQ(due(kSomeDayUs + 2, 9), (Ids{"failed", "deleting", "past", "never made"}));
}

TEST_P(EveryStore, WhatMayNotBeCollectedHidesNothingThatMay) {
  const base::Nanos past = at_us(kSomeDayUs);
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(some_environment("lives"));
    HostRow away = some_host("away");
    away.reach_state = Reachability::unreachable;
    tx.put_host(away);
    const auto expired = [&](std::string id, std::string vm_id, std::int64_t age_us) {
      SnapshotRow row = some_snapshot(std::move(id), age_us);
      row.vm_id = std::move(vm_id);
      row.parent_snapshot_id.clear();
      row.retention_until = past;
      row.last_used_at = past;
      return row;
    };
    SnapshotRow row = expired("layer", "gone-1", 9);
    row.mode = "build";
    tx.insert_snapshot(row);
    row = expired("just used", "gone-2", 9);
    row.last_used_at = past + at_us(1);
    tx.insert_snapshot(row);
    row = expired("out of reach", "gone-3", 9);
    row.host_id = "away";
    tx.insert_snapshot(row);
    row.snapshot_id = "deleting out of reach";
    row.state = SnapshotState::deleting;
    tx.insert_snapshot(row);
    tx.insert_snapshot(expired("parent", "gone-4", 9));
    row = expired("child", "gone-5", 9);
    row.parent_snapshot_id = "parent";
    row.retention_until = at_us(kSomeDayUs * 2);
    tx.insert_snapshot(row);
    tx.insert_snapshot(expired("older", "lives", 9));
    tx.insert_snapshot(expired("newest", "lives", 8));
    row = expired("failed later", "lives", 7);
    row.state = SnapshotState::error;
    tx.insert_snapshot(row);
    row = expired("last", "gone-6", 9);
    row.retention_until = past + at_us(1);
    tx.insert_snapshot(row);
  }));
  using Ids = std::vector<std::string>;
  EXPECT_EQ(due_ids(*store_, past + at_us(1), past, 2), (Ids{"older", "last"}));
}

TEST_P(EveryStore, TellsTheTimeOfReadsByQueryAndOfWritesByCommit) {
  std::mutex mutex;
  std::set<std::string, std::less<>> named;
  store_.reset();
  StoreOptions timed = options();
  timed.timing = [&](std::string_view query, double seconds) {
    const std::lock_guard lock(mutex);
    EXPECT_GE(seconds, 0);
    named.emplace(query);
  };
  auto opened = open_store(timed);
  ASSERT_OK(opened);
  store_.emplace(std::move(*opened));
  ASSERT_OK(store_->get([](Reader& reader) { return reader.snapshot("snap-1"); }));
  ASSERT_OK(store_->get([](Reader& reader) { return reader.key_ring(); }));
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(named, (std::set<std::string, std::less<>>{"snapshot", "key_ring"}));
  }
  ASSERT_OK(store_->put([](Tx& tx) { tx.insert_snapshot(some_snapshot("snap-1")); }));
  store_.reset();  // its threads have ended
  EXPECT_TRUE(named.contains("commit"));
}

TEST_P(EveryStore, CountsWhatEachHostKeepsOfSnapshots) {
  EXPECT_TRUE(store_->get([](Reader& reader) { return reader.host_snapshots(); })->empty());
  ASSERT_OK(store_->put([&](Tx& tx) {
    const auto insert = [&](const char* id, const char* host, SnapshotState state, std::int64_t bytes, bool retried) {
      SnapshotRow row = some_snapshot(id);
      row.host_id = host;
      row.state = state;
      row.size_bytes = bytes;
      row.next_retry_at = retried ? at_us(kSomeDayUs) : base::Nanos{0};
      tx.insert_snapshot(row);
    };
    insert("ready", "h1", SnapshotState::ready, 5'000'000'000, false);
    insert("restoring", "h1", SnapshotState::restoring, 1, false);
    insert("deleting", "h1", SnapshotState::deleting, 10, false);
    insert("stuck", "h1", SnapshotState::error, 100, true);
    insert("creating", "h1", SnapshotState::creating, 1'000, false);  // not yet there
    insert("failed", "h1", SnapshotState::error, 10'000, false);      // never there
    insert("fork-seed-1", "h1", SnapshotState::ready, 100'000, false);
    insert("here", "", SnapshotState::ready, 7, false);
    for (const char* id : {"s1", "s2"})
      tx.put_leaked_artifact({.host_id = "h2",
                              .snapshot_id = id,
                              .digest = "d",
                              .last_error = "e",
                              .size_bytes = 4,
                              .first_seen_at = at_us(kSomeDayUs),
                              .last_try_at = at_us(kSomeDayUs)});
  }));
  const auto found = store_->get([](Reader& reader) { return reader.host_snapshots(); });
  ASSERT_OK(found);
  ASSERT_EQ(found->size(), 3u);
  const auto expect = [](const Reader::HostSnapshots& one, const char* host, std::uint64_t count, std::uint64_t bytes,
                         std::uint64_t leaked) {
    EXPECT_EQ(one.host_id, host);
    EXPECT_EQ(one.count, count) << host;
    EXPECT_EQ(one.bytes, bytes) << host;
    EXPECT_EQ(one.leaked_bytes, leaked) << host;
  };
  expect((*found)[0], "", 1, 7, 0);
  expect((*found)[1], "h1", 4, 5'000'000'111, 0);
  expect((*found)[2], "h2", 0, 0, 8);
}

TEST_P(EveryStore, KnowsWhatEnvironmentsWereMadeFrom) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    int number = 0;
    for (const char* const seed : {"", "snap-1", "snap-2", "snap-1"}) {
      EnvironmentRow row = some_environment("vm-" + std::to_string(number++));
      row.task_id = row.vm_id;
      row.source_snapshot_id = seed;
      tx.insert_environment(row);
    }
  }));
  const auto seeds = store_->get([](Reader& reader) { return reader.seeds_in_use(); });
  ASSERT_OK(seeds);
  EXPECT_EQ(std::set<std::string>(seeds->begin(), seeds->end()), (std::set<std::string>{"snap-1", "snap-2"}));
  EXPECT_EQ(seeds->size(), 2u);
}

TEST_P(EveryStore, EventsAreNewestFirst) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (int i = 0; i < 10; ++i) {
      tx.add_event({.entity_type = i % 2 == 0 ? "vm" : "host",
                    .entity_id = "e-" + std::to_string(i % 4),
                    .event_type = "vm.running",
                    .payload_json = R"({"i": )" + std::to_string(i) + "}",
                    .created_at = at_us(kSomeDayUs + i)});
    }
  }));
  const auto page = [&](EventFilter filter, std::int64_t before, std::uint32_t limit) {
    auto found = store_->get([=](Reader& reader) { return reader.events(filter, before, limit); });
    EXPECT_OK(found);
    return *found;
  };
  const auto all = page({}, 0, 20);
  ASSERT_EQ(all.size(), 10u);
  EXPECT_EQ(all.front().payload_json, R"({"i": 9})");
  EXPECT_EQ(page({}, all[2].id, 2).front().id, all[3].id);
  const auto hosts = page({.entity_type = "host"}, 0, 2);
  ASSERT_EQ(hosts.size(), 2u);
  const auto more = page({.entity_type = "host"}, hosts[1].id, 9);
  ASSERT_EQ(more.size(), 3u);
  EXPECT_LT(more.front().id, hosts[1].id);
  EXPECT_EQ(page({.entity_type = "vm", .entity_id = "e-2"}, 0, 9).size(), 2u);
  EXPECT_EQ(page({.event_type = "vm.running", .since = at_us(kSomeDayUs + 8)}, 0, 9).size(), 2u);
  EXPECT_EQ(page({.event_type = "other"}, 0, 9).size(), 0u);
}

TEST_P(EveryStore, RareEventsAreFoundAmongManyAndTimesAmongIdsWithGaps) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (int i = 0; i < 200; ++i) {
      const bool rare = i % 50 == 7;
      tx.add_event({.entity_type = rare ? "replica" : "vm",
                    .entity_id = "e-" + std::to_string(i),
                    .event_type = rare ? "leader.acquired" : "vm.running",
                    .created_at = at_us(kSomeDayUs + i / 2 * 10)});
    }
    Tx::Retention retention{};
    retention.events_before = at_us(kSomeDayUs + 300);
    EXPECT_OK(tx.prune(retention, 1000));  // ids begin at another number than 1
  }));
  const auto count = [&](EventFilter filter) {
    auto found = store_->get([=](Reader& reader) { return reader.events(filter, 0, 1000); });
    EXPECT_OK(found);
    return found->size();
  };
  EXPECT_EQ(count({}), 140u);
  EXPECT_EQ(count({.event_type = "leader.acquired"}), 2u);
  EXPECT_EQ(count({.entity_type = "replica"}), 2u);
  EXPECT_EQ(count({.entity_type = "replica", .event_type = "vm.running"}), 0u);
  EXPECT_EQ(count({.entity_id = "e-107"}), 1u);
  EXPECT_EQ(count({.entity_id = "e-7"}), 0u) << "it was before the cut";
  EXPECT_EQ(count({.since = at_us(kSomeDayUs)}), 140u);
  EXPECT_EQ(count({.since = at_us(kSomeDayUs + 990)}), 2u);
  EXPECT_EQ(count({.since = at_us(kSomeDayUs + 989)}), 2u);
  EXPECT_EQ(count({.since = at_us(kSomeDayUs + 991)}), 0u);
  EXPECT_EQ(count({.event_type = "leader.acquired", .since = at_us(kSomeDayUs + 600)}), 1u);
}

TEST_P(EveryStore, DeadLettersAreKeptByWhatTheyAreAbout) {
  const DeadLetterRow letter{.kind = "orphan",
                             .entity_id = "vm-1",
                             .task_id = "t",
                             .reason = "first",
                             .payload_json = R"({"a": 1})",
                             .retry_count = 1,
                             .first_seen_at = at_us(kSomeDayUs),
                             .last_seen_at = at_us(kSomeDayUs)};
  DeadLetterRow again = letter;
  again.reason = "second";
  again.retry_count = 2;
  again.first_seen_at = again.last_seen_at = at_us(kSomeDayUs + 5);
  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_dead_letter(letter); }));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.put_dead_letter(again); }));
  auto letters = store_->get([](Reader& reader) { return reader.dead_letters(0, 10); });
  ASSERT_OK(letters);
  ASSERT_EQ(letters->size(), 1u);
  EXPECT_EQ(letters->front().reason, "second");
  EXPECT_EQ(letters->front().first_seen_at, letter.first_seen_at);
  EXPECT_EQ(letters->front().last_seen_at, again.last_seen_at);
  const std::int64_t id = letters->front().id;
  EXPECT_OK(store_->put([&](Tx& tx) { tx.acknowledge_dead_letter(id, at_us(kSomeDayUs + 6)); }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.acknowledge_dead_letter(id + 1, at_us(1)); }));
  letters = store_->get([](Reader& reader) { return reader.dead_letters(0, 10); });
  ASSERT_OK(letters);
  EXPECT_EQ(letters->front().acknowledged_at, at_us(kSomeDayUs + 6));
}

TEST_P(EveryStore, KeysAndLogins) {
  KeepingObserver observer;
  (*store_)->observe(&observer);
  ApiKeyRow key{.id = "key-1",
                .label = "ci",
                .tenant_id = "tenant-a",
                .created_by = "admin",
                .key_hash = bytes_of("hash-1"),
                .scopes = std::vector<std::string>{"env:read"},
                .created_at = at_us(kSomeDayUs),
                .expires_at = at_us(kSomeDayUs + 7)};
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_api_key(key); }));
  ApiKeyRow plain{.id = "key-2", .key_hash = bytes_of("hash-2"), .created_at = at_us(kSomeDayUs + 1)};
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_api_key(plain); }));
  plain.id = "key-3";
  EXPECT_FAILS(Errc::exists, "", store_->put([&](Tx& tx) { tx.insert_api_key(plain); })) << "one hash, one key";
  ASSERT_OK(store_->put([&](Tx& tx) { tx.revoke_api_key("key-1", at_us(kSomeDayUs + 2)); }));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.revoke_api_key("key-1", at_us(kSomeDayUs + 3)); }));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.touch_api_key("key-1", at_us(kSomeDayUs + 4)); }));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.touch_api_key("key-1", at_us(kSomeDayUs + 1)); }));
  EXPECT_FAILS(Errc::not_found, "", store_->put([&](Tx& tx) { tx.revoke_api_key("key-9", at_us(1)); }));
  auto found = store_->get([](Reader& reader) { return reader.api_key_of_hash(base::as_bytes("hash-1")); });
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->scopes, key.scopes);
  EXPECT_EQ((*found)->revoked_at, at_us(kSomeDayUs + 2)) << "the first time stays";
  EXPECT_EQ((*found)->last_used_at, at_us(kSomeDayUs + 4));
  EXPECT_EQ((*found)->expires_at, key.expires_at);
  const auto keys = [&](std::string tenant, std::string after, std::uint32_t limit) {
    auto page = store_->get([=](Reader& reader) { return reader.api_keys(tenant, after, limit); });
    EXPECT_OK(page);
    std::vector<std::string> ids;
    for (const ApiKeyRow& row : *page) ids.push_back(row.id);
    return ids;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(keys("", "", 10), (Ids{"key-2", "key-1"}));
  EXPECT_EQ(keys("", "", 1), (Ids{"key-2"}));
  EXPECT_EQ(keys("", "key-2", 10), (Ids{"key-1"}));
  EXPECT_EQ(keys("tenant-a", "", 10), (Ids{"key-1"}));
  EXPECT_EQ(keys("", "key-1", 10), Ids{});
  EXPECT_EQ(keys("", "key-9", 10), Ids{});
  auto unscoped = store_->get([](Reader& reader) { return reader.api_key("key-2"); });
  ASSERT_OK(unscoped);
  EXPECT_FALSE(unscoped->value().scopes.has_value());
  const std::vector<std::string> told = observer.cache();
  EXPECT_TRUE(std::ranges::count(told, "key:key-1") >= 2);

  const base::Bytes value = bytes_of("01234567890123456789012345678901");
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_login({.value_sha256 = value, .created_at = at_us(kSomeDayUs), .expires_at = at_us(kSomeDayUs + 8)});
  }));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.revoke_login(value, at_us(kSomeDayUs + 1)); }));
  auto login = store_->get([&](Reader& reader) { return reader.login(value); });
  ASSERT_OK(login);
  ASSERT_TRUE(login->has_value());
  EXPECT_EQ((*login)->revoked_at, at_us(kSomeDayUs + 1));
  (*store_)->observe(nullptr);
}

TEST_P(EveryStore, LogsAreNumberedAcrossSources) {
  const EnvironmentRow row = some_environment("vm-1");
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(row);
    tx.append_env_log("vm-1", "stdout", at_us(kSomeDayUs), std::string_view("a\0b\xff", 4));
    tx.append_env_log("vm-1", "stderr", at_us(kSomeDayUs + 1), "two");
  }));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.append_env_log("vm-1", "stdout", at_us(kSomeDayUs + 2), ""); }));
  EXPECT_OK(store_->put([&](Tx& tx) { tx.append_env_log("vm-2", "stdout", at_us(kSomeDayUs), "nobody's"); }));
  const auto logs = [&](std::vector<std::string> sources, std::int64_t since_us, std::uint64_t after) {
    auto found = store_->get([=](Reader& reader) {
      return reader.env_logs("vm-1", row.incarnation, sources, since_us == 0 ? base::Nanos{0} : at_us(since_us), after,
                             10);
    });
    EXPECT_OK(found);
    return *found;
  };
  const auto all = logs({}, 0, 0);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].data, std::string("a\0b\xff", 4));
  EXPECT_EQ(all[1].seq, 2u);
  EXPECT_EQ(all[2].source, "stdout");
  EXPECT_EQ(logs({"stderr"}, 0, 0).size(), 1u);
  EXPECT_EQ(logs({"stderr", "stdout"}, kSomeDayUs + 1, 0).size(), 2u);
  EXPECT_EQ(logs({}, 0, 2).size(), 1u);
  ASSERT_OK(store_->put([&](Tx& tx) { tx.delete_environment("vm-1", 3); }));
  EXPECT_EQ(logs({}, 0, 0).size(), 3u) << "logs outlive their environment";
}

TEST_P(EveryStore, OfALogTheNewestBytesStay) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(some_environment("vm-1"));
    for (const char* data : {"aaaa", "bbbb", "cccc"}) {
      tx.append_env_log("vm-1", "script", at_us(kSomeDayUs), data);
      tx.append_env_log("vm-1", "boot", at_us(kSomeDayUs), data);
    }
    tx.trim_env_log("vm-1", "script", 8);
  }));
  const auto left = [&](const std::string& source) {
    auto found = store_->get([&](Reader& reader) {
      return reader.env_logs("vm-1", some_environment("vm-1").incarnation, std::vector<std::string>{source},
                             base::Nanos{0}, 0, 10);
    });
    EXPECT_OK(found);
    std::string data;
    for (const EnvLogRow& row : *found) data += row.data;
    return data;
  };
  EXPECT_EQ(left("script"), "bbbbcccc");
  EXPECT_EQ(left("boot"), "aaaabbbbcccc");
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.append_env_log("vm-1", "script", at_us(kSomeDayUs), "d");
    tx.trim_env_log("vm-1", "script", 8);
  }));
  EXPECT_EQ(left("script"), "ccccd");
}

TEST_P(EveryStore, APageOfLogsEndsByItsBytesToo) {
  const std::string half(kLogPageBytes / 2, 'x');
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(some_environment("vm-1"));
    for (int i = 0; i < 3; ++i) tx.append_env_log("vm-1", "script", at_us(kSomeDayUs), half);
    tx.append_env_log("vm-1", "script", at_us(kSomeDayUs), half + half + half);
    tx.append_env_log("vm-1", "script", at_us(kSomeDayUs), "end");
  }));
  const auto page = [&](std::uint64_t after, std::uint32_t limit) {
    auto found = store_->get([&](Reader& reader) {
      return reader.env_logs("vm-1", some_environment("vm-1").incarnation, {}, base::Nanos{0}, after, limit);
    });
    EXPECT_OK(found);
    std::vector<std::uint64_t> numbers;
    for (const EnvLogRow& row : *found) numbers.push_back(row.seq);
    return numbers;
  };
  using Numbers = std::vector<std::uint64_t>;
  EXPECT_EQ(page(0, 10), (Numbers{1, 2}));
  EXPECT_EQ(page(0, 1), (Numbers{1}));
  EXPECT_EQ(page(2, 10), (Numbers{3, 4})) << "one that is larger than a page is read all the same";
  EXPECT_EQ(page(4, 10), (Numbers{5}));
  EXPECT_EQ(page(5, 10), Numbers{});
}

TEST_P(EveryStore, SmallTables) {
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.put_tombstone({.host_id = "h",
                      .host_vm_name = "n",
                      .vm_id = "v",
                      .reason = "r",
                      .generation = 1,
                      .removed_at = at_us(kSomeDayUs)});
    tx.put_tombstone({.host_id = "h",
                      .host_vm_name = "n",
                      .vm_id = "v",
                      .reason = "r",
                      .generation = 12,
                      .removed_at = at_us(kSomeDayUs)});
    tx.put_leaked_artifact({.host_id = "h",
                            .snapshot_id = "s",
                            .digest = "d",
                            .last_error = "e",
                            .size_bytes = 5,
                            .first_seen_at = at_us(kSomeDayUs),
                            .last_try_at = at_us(kSomeDayUs)});
    tx.put_leaked_artifact({.host_id = "h",
                            .snapshot_id = "s",
                            .digest = "d",
                            .last_error = "f",
                            .size_bytes = 5,
                            .first_seen_at = at_us(kSomeDayUs + 1),
                            .last_try_at = at_us(kSomeDayUs + 1)});
    tx.put_replica({.replica_id = "r",
                    .version = "1",
                    .started_at = at_us(kSomeDayUs),
                    .heartbeat_at = at_us(kSomeDayUs),
                    .leader = true});
    tx.put_key({.key_id = 4'000'000'000u, .check_value = bytes_of("check"), .created_at = at_us(kSomeDayUs)});
    tx.touch_activity("nobody", at_us(kSomeDayUs));
    tx.set_task("nobody", TaskStatus::failed, "", at_us(kSomeDayUs));
  }));
  auto tombstone = store_->get([](Reader& reader) { return reader.tombstone("h", "n"); });
  ASSERT_OK(tombstone);
  ASSERT_TRUE(tombstone->has_value());
  EXPECT_EQ((*tombstone)->generation, 12u);
  auto leaks = store_->get([](Reader& reader) { return reader.leaked_artifacts(5); });
  ASSERT_OK(leaks);
  ASSERT_EQ(leaks->size(), 1u);
  EXPECT_EQ(leaks->front().last_error, "f");
  EXPECT_EQ(leaks->front().first_seen_at, at_us(kSomeDayUs));
  ASSERT_OK(store_->put([&](Tx& tx) { tx.delete_leaked_artifact("h", "s"); }));
  auto replicas = store_->get([](Reader& reader) { return reader.replicas(); });
  ASSERT_OK(replicas);
  ASSERT_EQ(replicas->size(), 1u);
  EXPECT_TRUE(replicas->front().leader);
  auto ring = store_->get([](Reader& reader) { return reader.key_ring(); });
  ASSERT_OK(ring);
  ASSERT_EQ(ring->size(), 1u);
  EXPECT_EQ(ring->front().key_id, 4'000'000'000u);
  auto ciphertext = store_->get([](Reader& reader) { return reader.has_ciphertext(); });
  ASSERT_OK(ciphertext);
  EXPECT_FALSE(*ciphertext);
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  ciphertext = store_->get([](Reader& reader) { return reader.has_ciphertext(); });
  ASSERT_OK(ciphertext);
  EXPECT_TRUE(*ciphertext);
}

TEST_P(EveryStore, OwnCallsWriteTheirColumns) {
  ASSERT_OK(store_->put([&](Tx& tx) { tx.insert_environment(some_environment("vm-1")); }));
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.set_health("vm-1", 3, R"({"h":1})", R"({"v":1})");
    tx.set_strikes("vm-1", 3, 7, 8, base::Nanos{0});
    tx.touch_activity("vm-1", at_us(kSomeDayUs + 50));
    tx.touch_activity("vm-1", at_us(kSomeDayUs + 40));
    tx.put_task({.task_id = "t", .vm_id = "vm-1", .retry_count = 3, .assigned_at = at_us(kSomeDayUs)});
    tx.set_task("t", TaskStatus::failed, "why", at_us(kSomeDayUs + 1));
  }));
  auto row = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(row);
  EXPECT_EQ((*row)->health_json, R"({"h":1})");
  EXPECT_EQ((*row)->view_json, R"({"v":1})");
  EXPECT_EQ((*row)->stuck_strikes, 7);
  EXPECT_EQ((*row)->idle_strikes, 8);
  EXPECT_EQ((*row)->missing_seen_at.count(), 0);
  EXPECT_EQ((*row)->last_activity_at, at_us(kSomeDayUs + 50)) << "never backwards";
  for (const base::Nanos at : {at_us(kSomeDayUs + 45), base::Nanos{0}}) {
    EnvironmentRow older = **row;
    older.last_activity_at = at;
    ASSERT_OK(store_->put([&](Tx& tx) { tx.update_environment(older, 3); }));
    const auto again = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
    ASSERT_OK(again);
    EXPECT_EQ((*again)->last_activity_at, at_us(kSomeDayUs + 50)) << "nor with the whole row";
  }
  auto task = store_->get([](Reader& reader) { return reader.task("t"); });
  ASSERT_OK(task);
  EXPECT_EQ((*task)->run_status, TaskStatus::failed);
  EXPECT_EQ((*task)->last_error, "why");
  EXPECT_EQ((*task)->retry_count, 3);
}

TEST_P(EveryStore, ForeignTextIsStoredReadably) {
  EnvironmentRow row = some_environment("vm-1");
  row.last_error = std::string("bad \xff byte, \0 nul", 17);
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(row);
    tx.add_event({.entity_type = "vm",
                  .entity_id = "e",
                  .event_type = "t",
                  .payload_json = R"({"a": "\u0000 \\u0000"})",
                  .created_at = at_us(kSomeDayUs)});
  }));
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  EXPECT_EQ((*found)->last_error, "bad \xEF\xBF\xBD byte, \xEF\xBF\xBD nul");
  auto events = store_->get([](Reader& reader) { return reader.events({}, 0, 1); });
  ASSERT_OK(events);
  EXPECT_TRUE(events->front().payload_json.contains(R"(\\u0000)"));
}

TEST_P(EveryStore, PrunesWhatIsPastItsTimeInSteps) {
  const base::Nanos then = clock_.wall();
  ASSERT_OK(store_->put([&](Tx& tx) {
    for (int i = 0; i < 5; ++i) {
      const std::string n = std::to_string(i);
      tx.add_event({.entity_type = "vm", .entity_id = n, .event_type = "t", .created_at = then});
      tx.put_tombstone({.host_id = "h", .host_vm_name = n, .generation = 1, .removed_at = then});
      tx.put_task({.task_id = "done-" + n, .run_status = TaskStatus::completed, .updated_at = then});
      tx.put_task({.task_id = "runs-" + n, .run_status = TaskStatus::running, .updated_at = then});
      OperationRow operation = some_operation("op-" + n);
      operation.state = OperationState::done;
      operation.finished_at = then;
      tx.insert_operation(operation);
      tx.insert_login({.value_sha256 = bytes_of("login-" + n), .expires_at = then});
      tx.put_replica({.replica_id = n, .heartbeat_at = then});
      tx.put_dead_letter({.kind = "k", .entity_id = n, .last_seen_at = then});
    }
    tx.insert_operation(some_operation("op-running"));
    for (const char* id : {"ended", "alive"}) {
      tx.insert_environment(some_environment(id));
      for (int i = 0; i < 3; ++i) tx.append_env_event(id, "state", "{}");
      tx.append_env_log(id, "stdout", then, "x");
    }
    tx.delete_environment("ended", 3);
  }));
  bool more = false;
  const auto prune = [&](base::Nanos before, std::uint32_t limit) {
    return store_->put([&more, before, limit](Tx& tx) {
      const auto left = tx.prune({before, before, before, before, before, before, before, before}, limit);
      ASSERT_OK(left);
      more = *left;
    });
  };
  const auto left = [&] {
    std::map<std::string, std::size_t> out;
    auto read = store_->get([&](Reader& reader) -> base::Result<int> {
      FB_TRY(auto events, reader.events({}, 0, 100));
      out["events"] = events.size();
      FB_TRY(auto operations, reader.operations({}, "", 100));
      out["operations"] = operations.size();
      FB_TRY(auto letters, reader.dead_letters(0, 100));
      out["letters"] = letters.size();
      FB_TRY(auto replicas, reader.replicas());
      out["replicas"] = replicas.size();
      for (const char* id : {"ended", "alive"}) {
        FB_TRY(auto seen, reader.env_events(id, some_environment(id).incarnation, 0, 100));
        out[id] = seen.size();
        FB_TRY(auto logs, reader.env_logs(id, some_environment(id).incarnation, {}, {}, 0, 100));
        out[std::string(id) + " logs"] = logs.size();
      }
      for (const char* name : {"0", "4"}) {
        FB_TRY(auto tombstone, reader.tombstone("h", name));
        out["tombstones"] += tombstone ? 1 : 0;
        FB_TRY(auto done, reader.task(std::string("done-") + name));
        FB_TRY(auto running, reader.task(std::string("runs-") + name));
        out["done tasks"] += done ? 1 : 0;
        out["running tasks"] += running ? 1 : 0;
      }
      return 0;
    });
    EXPECT_OK(read);
    return out;
  };
  using Left = std::map<std::string, std::size_t>;
  const Left whole = {{"replicas", 5},   {"events", 5},     {"operations", 6},   {"letters", 5},
                      {"ended", 3},      {"ended logs", 1}, {"alive", 3},        {"alive logs", 1},
                      {"tombstones", 2}, {"done tasks", 2}, {"running tasks", 2}};
  EXPECT_OK(prune(then, 100));
  EXPECT_EQ(left(), whole) << "nothing is older than its own time";
  EXPECT_FALSE(more);
  EXPECT_OK(prune(then + at_us(1), 2));
  EXPECT_TRUE(more);
  Left some = left();
  EXPECT_EQ(some["events"], 3u);
  EXPECT_EQ(some["operations"], 4u);
  EXPECT_EQ(some["ended"], 1u);
  for (int i = 0; i < 10 && more; ++i) EXPECT_OK(prune(then + at_us(1), 2));
  EXPECT_FALSE(more);
  const Left end = {{"replicas", 0},   {"events", 0},     {"operations", 1},   {"letters", 0},
                    {"ended", 0},      {"ended logs", 0}, {"alive", 3},        {"alive logs", 1},
                    {"tombstones", 0}, {"done tasks", 0}, {"running tasks", 2}};
  EXPECT_EQ(left(), end);
}

TEST_P(EveryStore, KeepsEverythingOverARestart) {
  if (!durable()) GTEST_SKIP() << "memory forgets";
  ASSERT_OK(store_->put([&](Tx& tx) {
    tx.insert_environment(some_environment("vm-1"));
    tx.append_env_event("vm-1", "state", "{}");
  }));
  reopen();
  auto found = store_->get([](Reader& reader) { return reader.environment("vm-1"); });
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->event_seq, 1u);
  ASSERT_OK(store_->put([&](Tx& tx) { tx.append_env_event("vm-1", "state", "{}"); }));
  auto events = store_->get(
      [&](Reader& reader) { return reader.env_events("vm-1", some_environment("vm-1").incarnation, 0, 10); });
  ASSERT_OK(events);
  EXPECT_EQ(events->back().seq, 2u);
}

TEST_P(EveryStore, IsHealthyWhenItIs) {
  const StoreStatus status = store_->probe();
  EXPECT_TRUE(status.healthy) << status.failure;
  EXPECT_EQ(status.failure, "");
}

}  // namespace
}  // namespace fusebox::fleet
