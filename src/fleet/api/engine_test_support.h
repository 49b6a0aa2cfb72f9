// An engine that does what a test tells it, on an executor of its own.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/wait.h"
#include "fleet/api/provider_test_support.h"
#include "fleet/api_error.h"
#include "fleet/engine/engine.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::test {

class ScriptedLease final : public GuestLease {
 public:
  ScriptedLease(EnvironmentRow row, host::Provider& provider, std::stop_token ended, std::atomic<int>& alive,
                std::thread::id thread)
      : row_(std::move(row)), provider_(provider), ended_(std::move(ended)), alive_(alive), thread_(thread) {
    ++alive_;
  }
  ~ScriptedLease() override {
    EXPECT_EQ(std::this_thread::get_id(), thread_) << "a lease ends on the engine's executor";
    --alive_;
  }
  const EnvironmentRow& row() const noexcept override { return row_; }
  host::Provider& provider() const noexcept override { return provider_; }
  bool has_feature(std::string_view) const noexcept override { return false; }
  std::stop_token ended() const noexcept override { return ended_; }
  base::Result<std::string> redacted(std::string_view text) override {  // its one secret is this word
    std::string out(text);
    for (std::size_t at = out.find("hunter22"); at != out.npos; at = out.find("hunter22"))
      out.replace(at, 8, "[REDACTED]");
    return out;
  }

 private:
  EnvironmentRow row_;
  host::Provider& provider_;
  std::stop_token ended_;
  std::atomic<int>& alive_;
  std::thread::id thread_;
};

class ScriptedEngine final : public Engine {
 public:
  ScriptedEngine(base::Executor& executor, Store& store) : provider(executor), executor_(executor), store_(store) {}

  FakeProvider provider;
  std::atomic<int> leases{0};
  GuestAgent agent;  // what guest_agent() says; "" url = 501
  std::stop_source guests_end;
  std::atomic<bool> hosts_reachable{true};
  std::string known_host = "h1";

  void fail_with(std::optional<base::Error> error) {
    const std::lock_guard lock(mutex_);
    fails_ = std::move(error);
  }
  void answer_with(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
  }
  std::vector<std::string> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  RequestInfo last_info() {
    const std::lock_guard lock(mutex_);
    return info_;
  }
  CreateRequest last_create() {
    const std::lock_guard lock(mutex_);
    return create_;
  }

  std::optional<Outcome> earlier;  // what replay() finds under any key

  base::Executor& executor() noexcept override { return executor_; }
  Task<Result<std::optional<Outcome>>> replay(base::Executor& home, RequestInfo) override {
    co_await base::resume_on(home);
    co_return earlier;
  }
  Task<Result<Outcome>> create(base::Executor& home, RequestInfo info, CreateRequest request) override {
    {
      const std::lock_guard lock(mutex_);
      create_ = std::move(request);
    }
    co_return co_await outcome(home, std::move(info), "create");
  }
  Task<Result<Outcome>> fork(base::Executor& home, RequestInfo info, std::string vm_id, ForkRequest) override {
    co_return co_await outcome(home, std::move(info), "fork " + vm_id);
  }
  Task<Result<Outcome>> fork_snapshot(base::Executor& home, RequestInfo info, std::string id,
                                      ForkSnapshotRequest) override {
    co_return co_await outcome(home, std::move(info), "fork_snapshot " + id);
  }
  Task<Result<Outcome>> migrate(base::Executor& home, RequestInfo info, std::string vm_id, MigrateRequest) override {
    co_return co_await outcome(home, std::move(info), "migrate " + vm_id);
  }
  Task<Result<Outcome>> drain(base::Executor& home, RequestInfo info, std::string vm_id) override {
    co_return co_await outcome(home, std::move(info), "drain " + vm_id);
  }
  Task<Result<void>> rotate_token(base::Executor& home, RequestInfo info, std::string vm_id) override {
    co_return co_await done(home, std::move(info), "rotate_token " + vm_id);
  }
  Task<Result<void>> put_secrets(base::Executor& home, RequestInfo info, std::string vm_id,
                                 std::map<std::string, std::string> secrets, bool restart) override {
    std::string call = "put_secrets " + vm_id + (restart ? " restart" : "");
    for (const auto& [name, value] : secrets) call += ' ' + name;
    co_return co_await done(home, std::move(info), std::move(call));
  }
  Task<Result<void>> destroy(base::Executor& home, RequestInfo info, std::string vm_id) override {
    co_return co_await done(home, std::move(info), "destroy " + vm_id);
  }
  Task<Result<void>> complete_task(base::Executor& home, std::string task_id) override {
    co_return co_await done(home, {}, "complete " + task_id);
  }
  Task<Result<Outcome>> snapshot(base::Executor& home, RequestInfo info, std::string vm_id, SnapshotRequest) override {
    co_return co_await outcome(home, std::move(info), "snapshot " + vm_id);
  }
  Task<Result<Outcome>> restore(base::Executor& home, RequestInfo info, std::string id) override {
    co_return co_await outcome(home, std::move(info), "restore " + id);
  }
  Task<Result<void>> delete_snapshot(base::Executor& home, RequestInfo info, std::string id) override {
    co_return co_await done(home, std::move(info), "delete_snapshot " + id);
  }
  Task<Result<Outcome>> register_host(base::Executor& home, RequestInfo info, HostRequest request) override {
    co_return co_await outcome(home, std::move(info), "register_host " + request.id);
  }
  Task<Result<void>> cordon(base::Executor& home, RequestInfo info, std::string id, bool cordoned) override {
    co_return co_await done(home, std::move(info), (cordoned ? "cordon " : "uncordon ") + id);
  }
  Task<Result<void>> drain_host(base::Executor& home, RequestInfo info, std::string id, bool evict,
                                std::int64_t timeout_seconds) override {
    co_return co_await done(home, std::move(info),
                            "drain_host " + id + (evict ? " evict " : " keep ") + std::to_string(timeout_seconds));
  }
  Task<Result<void>> remove_host(base::Executor& home, RequestInfo info, std::string id) override {
    co_return co_await done(home, std::move(info), "remove_host " + id);
  }
  Task<Result<void>> heartbeat(base::Executor& home, RequestInfo info, std::string id, HeartbeatRequest) override {
    co_return co_await done(home, std::move(info), "heartbeat " + id);
  }
  Task<Result<std::string>> explain(base::Executor& home, CreateRequest) override {
    const auto answered = co_await done(home, {}, "explain");
    if (!answered) co_return std::unexpected(answered.error());
    co_return std::string(
        R"({"hosts":[{"host_id":"h1","fits":false,"reason":"is cordoned, not active"}],"decision":{}})");
  }
  Task<Result<std::unique_ptr<GuestLease>>> guest(RequestInfo info, std::string vm_id, GuestUse use) override {
    co_await base::resume_on(executor_);
    note(std::move(info), "guest " + vm_id);
    if (auto failure = failing()) co_return std::unexpected(std::move(*failure));
    auto row = co_await store_.get<std::optional<EnvironmentRow>>(
        executor_, [&vm_id](Reader& reader) { return reader.environment(vm_id); });
    if (!row) co_return std::unexpected(row.error());
    if (!*row) co_return refuse(404, "vm " + vm_id + " not found");
    const bool logs_only = (*row)->state == EnvironmentState::draining && use == GuestUse::logs;
    if ((*row)->state != EnvironmentState::running && !logs_only)
      co_return refuse(409, "vm " + vm_id + " is not running");
    co_return std::make_unique<ScriptedLease>(**row, provider, guests_end.get_token(), leases,
                                              std::this_thread::get_id());
  }
  Task<Result<GuestAgent>> guest_agent(base::Executor& home, RequestInfo, std::string) override {
    co_await base::resume_on(home);
    if (agent.url.empty()) co_return refuse(501, "this environment has no guest agent");
    co_return agent;
  }
  bool host_exists(std::string_view host_id) const noexcept override { return host_id == known_host; }
  bool host_reachable(std::string_view) const noexcept override { return hosts_reachable; }
  LiveBackends live_backends() const override { return {{"stub"}, {}}; }
  Task<void> close(base::Executor&, base::Nanos) override { co_return; }

 private:
  void note(RequestInfo info, std::string call) {
    const std::lock_guard lock(mutex_);
    info_ = std::move(info);
    calls_.push_back(std::move(call));
  }
  std::optional<base::Error> failing() {
    const std::lock_guard lock(mutex_);
    return fails_;
  }
  Task<Result<Outcome>> outcome(base::Executor& home, RequestInfo info, std::string call) {
    co_await base::resume_on(executor_);
    note(std::move(info), std::move(call));
    co_await base::resume_on(home);
    if (auto failure = failing()) co_return std::unexpected(std::move(*failure));
    const std::lock_guard lock(mutex_);
    co_return outcome_;
  }
  Task<Result<void>> done(base::Executor& home, RequestInfo info, std::string call) {
    const auto answered = co_await outcome(home, std::move(info), std::move(call));
    if (!answered) co_return std::unexpected(answered.error());
    co_return Result<void>{};
  }

  base::Executor& executor_;
  Store& store_;
  std::mutex mutex_;
  std::optional<base::Error> fails_;  // guarded by mutex_, as the rest
  Outcome outcome_{200, "{}", "", false};
  std::vector<std::string> calls_;
  RequestInfo info_;
  CreateRequest create_;
};

}  // namespace fusebox::fleet::test
