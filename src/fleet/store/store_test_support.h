// What the store's tests share: an executor that waits for other threads, rows with every field set, stores by kind.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/files.h"
#include "base/task.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

// Runs what is posted on the thread that waits. Timers never fire.
class WaitingExecutor : public base::Executor {
 public:
  void post(base::Work work) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(work));
    }
    wake_.notify_one();
  }
  TimerId post_at(base::Nanos /*monotonic*/, base::Work /*work*/) override { return 0; }
  void cancel(TimerId /*timer*/) noexcept override {}
  const base::Clock& clock() const noexcept override { return clock_; }

  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      base::Work work;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !posted_.empty(); });
        work = std::move(posted_.front());
        posted_.pop_front();
      }
      work();
    }
  }
  template <class T>
  T await(base::Task<T> task) {
    task.start();
    run_until([&] { return task.done(); });
    return task.take();
  }

 private:
  base::RealClock clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<base::Work> posted_;
};

// Collects what it is told.
class KeepingObserver final : public CommitObserver {
 public:
  void env_event(const EnvEventRow& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    wake_.notify_all();
  }
  void environment_changed(std::string_view vm_id) override {
    const std::lock_guard lock(mutex_);
    changed_.emplace_back(vm_id);
    wake_.notify_all();
  }
  void cache_changed(std::string_view what, std::string_view id) override {
    const std::lock_guard lock(mutex_);
    cache_.push_back(std::string(what) + ":" + std::string(id));
    wake_.notify_all();
  }
  std::vector<EnvEventRow> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<std::string> changed() {
    const std::lock_guard lock(mutex_);
    return changed_;
  }
  std::vector<std::string> cache() {
    const std::lock_guard lock(mutex_);
    return cache_;
  }
  // Waits until `done` of the events holds; false after `seconds`.
  bool wait(const std::function<bool(const std::vector<EnvEventRow>&, const std::vector<std::string>&)>& done,
            int seconds = 20) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds{seconds}, [&] { return done(events_, cache_); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<EnvEventRow> events_;
  std::vector<std::string> changed_, cache_;
};

inline base::Nanos at_us(std::int64_t microseconds) {
  return std::chrono::microseconds{microseconds};
}
inline constexpr std::int64_t kSomeDayUs = 1'790'000'000'000'000;

inline base::Bytes bytes_of(std::string_view text) {
  const base::ByteView view = base::as_bytes(text);
  return {view.begin(), view.end()};
}

// Every field has a value of its own, so that two columns that change places show.
inline EnvironmentRow some_environment(std::string vm_id, std::string host_id = {}) {
  EnvironmentRow row;
  row.vm_id = std::move(vm_id);
  row.host_id = std::move(host_id);
  row.host_vm_name = "name-of-" + row.vm_id;
  row.generation = 3;
  for (std::size_t i = 0; i < row.incarnation.size(); ++i) row.incarnation[i] = static_cast<std::byte>(i * 31);
  row.state = EnvironmentState::provisioning;
  row.backend = "wasm";
  row.url = "wasm://" + row.vm_id;
  row.task_id = "task-" + row.vm_id;
  row.tenant_id = "tenant-a";
  row.cpus = 2;
  row.ram_mb = 768;
  row.storage_gb = 5;
  row.region = "north";
  row.max_runtime_seconds = 7201;
  row.idle_timeout_seconds = 61;
  row.auth_token_sealed = bytes_of(std::string_view("\0token\xff", 7));
  row.secrets_sealed = bytes_of("secrets");
  row.boot_sealed = bytes_of("boot");
  row.cert_sha256 = bytes_of("cert");
  row.cert_not_after = at_us(kSomeDayUs + 1);
  row.last_error = "héllo \"error\"";
  row.endpoints_json = R"([{"port":80}])";
  row.gpus = 1;
  row.gpu_kind = "h100";
  row.gpu_profile = "1g.5gb";
  row.gpu_uuids = {"gpu-1", "gpu,\"2\""};
  row.mig_instance_uuids = {"mig-1"};
  row.spec_json = R"({"cpus":2})";
  row.source_vm_id = "origin";
  row.source_snapshot_id = "snap-0";
  row.op_id = "op-" + row.vm_id;
  row.boot_id = "boot-id";
  row.created_at = at_us(kSomeDayUs + 2);
  row.updated_at = at_us(kSomeDayUs + 3);
  row.state_changed_at = at_us(kSomeDayUs + 4);
  row.running_at = at_us(kSomeDayUs + 5);
  row.boot_ms = 17;
  row.view_json = R"({"id":")" + row.vm_id + "\"}";
  row.view_version = 4;
  row.health_json = R"({"state":"passing"})";
  row.last_activity_at = at_us(kSomeDayUs + 6);
  row.stuck_strikes = 1;
  row.idle_strikes = 2;
  row.missing_seen_at = at_us(kSomeDayUs + 7);
  row.event_seq = 0;
  return row;
}

inline OperationRow some_operation(std::string op_id, std::string vm_id = {}) {
  OperationRow row;
  row.op_id = std::move(op_id);
  row.kind = "create";
  row.vm_id = std::move(vm_id);
  row.snapshot_id = "snap-1";
  row.host_id = "host-1";
  row.tenant_id = "tenant-a";
  row.generation = 3;
  row.step = "intent";
  row.detail_json = R"({"a":1})";
  row.request_hash = bytes_of("hash");
  row.response_status = 202;
  row.response_json = R"({"r":1})";
  row.owner = "replica-1";
  row.lease_until = at_us(kSomeDayUs + 30'000'000);
  row.attempts = 1;
  row.error_code = "code";
  row.last_error = "error";
  row.created_at = at_us(kSomeDayUs + 1);
  row.updated_at = at_us(kSomeDayUs + 2);
  return row;
}

inline HostRow some_host(std::string host_id) {
  HostRow row;
  row.host_id = std::move(host_id);
  row.url = "https://" + row.host_id + ":9090";
  row.token_sealed = bytes_of("host token");
  row.region = "north";
  row.tenant_id = "tenant-h";
  row.backend = "wasm";
  row.arch = "amd64";
  row.labels = {{"disk", "ssd"}, {"zone", "a"}};
  row.cpus_total = 8;
  row.ram_mb_total = 16384;
  row.storage_gb_total = 100;
  row.vm_count_max = 10;
  row.gpus_total = 2;
  row.gpu_kind = "h100";
  row.mig_profiles = {{"1g.5gb", 7}};
  row.gpu_devices_json = R"([{"uuid": "gpu-1"}])";
  row.mig_instances_json = R"([{"uuid": "mig-1"}])";
  row.tls_json = R"({"pin":"x"})";
  row.features = {"egress", "snapshot-id"};
  row.agent_name = "fusebox-host";
  row.agent_version = "0.1.0";
  row.probed_json = R"(["cpus"])";
  row.reach_state = Reachability::suspect;
  row.reach_since = at_us(kSomeDayUs + 1);
  row.last_error = "timeout";
  row.last_seen_at = at_us(kSomeDayUs + 2);
  row.created_at = at_us(kSomeDayUs + 3);
  row.updated_at = at_us(kSomeDayUs + 4);
  return row;
}

inline SnapshotRow some_snapshot(std::string snapshot_id, std::int64_t age_us = 0) {
  SnapshotRow row;
  row.snapshot_id = std::move(snapshot_id);
  row.vm_id = "vm-1";
  row.task_id = "task-1";
  row.host_id = "host-1";
  row.tenant_id = "scope-a";
  row.owner_tenant_id = "tenant-a";
  row.parent_snapshot_id = "parent";
  row.mode = "manual";
  row.kind = "live";
  row.backend = "wasm";
  row.arch = "arm64";
  row.layer_key = "layer";
  row.digest = "sha256:00";
  row.state = SnapshotState::ready;
  row.size_bytes = 1'000'000'000'000;
  row.metadata_json = R"({"name": "nightly"})";
  row.exports_json = R"([{"Destination": "s3"}])";
  row.last_error = "none";
  row.op_id = "op-1";
  row.created_at = at_us(kSomeDayUs - age_us);
  row.updated_at = at_us(kSomeDayUs + 1);
  row.last_used_at = at_us(kSomeDayUs + 2);
  row.retry_count = 2;
  return row;
}

// A store and a way to call it that waits.
class TestStore {
 public:
  explicit TestStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  Store& operator*() { return *store_; }
  Store* operator->() { return store_.get(); }
  base::Result<void> write(Store::WriteWork work) { return executor_.await(store_->write(executor_, std::move(work))); }
  // A write without a result of its own.
  base::Result<void> put(std::function<void(Tx&)> work) {
    return write([work = std::move(work)](Tx& tx) -> base::Result<void> {
      work(tx);
      return {};
    });
  }
  template <class F>
  auto get(F read) -> decltype(read(std::declval<Reader&>())) {
    using Answer = decltype(read(std::declval<Reader&>()));
    return executor_.await(store_->get<typename Answer::value_type>(executor_, std::move(read)));
  }
  StoreStatus probe() { return executor_.await(store_->probe(executor_)); }
  WaitingExecutor& executor() { return executor_; }
  void close() { store_.reset(); }

 private:
  WaitingExecutor executor_;
  std::unique_ptr<Store> store_;
};

template <class T>
::testing::AssertionResult succeeded(const base::Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << to_string(result.error().code) << ": " << result.error().message;
}
template <class T>
::testing::AssertionResult fails_with(base::Errc code, std::string_view name, const base::Result<T>& result) {
  if (result) return ::testing::AssertionFailure() << "it succeeded";
  if (result.error().code == code && result.error().name == name) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << to_string(result.error().code) << " '" << result.error().name
                                       << "': " << result.error().message;
}
#define EXPECT_OK(...) EXPECT_TRUE(succeeded(__VA_ARGS__))
#define ASSERT_OK(...) ASSERT_TRUE(succeeded(__VA_ARGS__))
#define EXPECT_FAILS(code, name, ...) EXPECT_TRUE(fails_with(code, name, __VA_ARGS__))

}  // namespace fusebox::fleet
