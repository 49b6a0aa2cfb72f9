// The store as one process of a simulation reaches it: commits take their time, in order; some fail, of some the answer is
// lost, and none come from a process that is cut off.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/executor.h"
#include "base/fatal.h"
#include "base/random.h"
#include "base/task.h"
#include "base/wait.h"
#include "fleet/store/store.h"

namespace fusebox::fleet::simulation {

// The database all processes share. Its own thread is waited for: what happens there takes no time of the world and has
// one order.
class Database {
 public:
  explicit Database(std::unique_ptr<Store> store) : store_(std::move(store)) {}

  base::Result<void> commit(Store::WriteWork work) { return finish(store_->write(handoff_, std::move(work))); }
  base::Result<void> read(const Store::ReadWork& work) { return finish(store_->read(handoff_, work)); }
  template <class T>
  T get(std::function<base::Result<T>(Reader&)> work) {
    std::optional<T> found;
    const auto done = read([&](Reader& reader) -> base::Result<void> {
      FB_TRY(T value, work(reader));
      found.emplace(std::move(value));
      return {};
    });
    if (!done) base::fatal("a simulated database cannot be read: " + done.error().message);
    return std::move(*found);
  }
  Store& store() noexcept { return *store_; }

  base::Nanos away_until{0};   // nothing can be written before that
  base::Nanos last_commit{0};  // commits have one order

 private:
  // Takes what the store's thread hands over, on the thread that waits.
  class Handoff final : public base::Executor {
   public:
    void post(base::Work work) override {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
      wake_.notify_one();
    }
    TimerId post_at(base::Nanos, base::Work) override { return 0; }
    void cancel(TimerId) noexcept override {}
    const base::Clock& clock() const noexcept override { return clock_; }
    void run_until(const std::function<bool()>& done) {
      while (!done()) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !work_.empty(); });
        base::Work work = std::move(work_.front());
        work_.erase(work_.begin());
        lock.unlock();
        work();
      }
    }

   private:
    base::ManualClock clock_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<base::Work> work_;  // guarded by mutex_
  };

  base::Result<void> finish(base::Task<base::Result<void>> task) {
    std::optional<base::Result<void>> result;
    const auto into = [](base::Task<base::Result<void>> inner,
                         std::optional<base::Result<void>>& to) -> base::Task<void> {
      to.emplace(co_await std::move(inner));
    };
    base::spawn(handoff_, into(std::move(task), result));
    handoff_.run_until([&] { return result.has_value(); });
    return std::move(*result);
  }

  Handoff handoff_;
  std::unique_ptr<Store> store_;
};

struct StoreFaults {
  std::uint32_t refused_per_mille = 0;  // not written, and said so
  std::uint32_t unknown_per_mille = 0;  // written or not, and nobody says which
};

class ProcessStore final : public Store {
 public:
  struct Links {
    Database& database;
    base::Executor& executor;
    base::Random& random;
    const StoreFaults& faults;
    bool shared;  // by several processes
    std::function<bool()> is_leader;
  };
  explicit ProcessStore(Links links) : links_(std::move(links)) {}
  void cut_off() noexcept { cut_off_ = true; }

  base::Task<base::Result<void>> write(base::Executor& executor, WriteWork work) override {
    Database& database = links_.database;
    const base::Nanos now = links_.executor.clock().monotonic();
    const base::Nanos at = std::max(database.last_commit, now + delay());
    if (!cut_off_) database.last_commit = at;
    co_await base::sleep_until(links_.executor, at);
    if (cut_off_) co_return away();
    if (links_.executor.clock().monotonic() < database.away_until) co_return away();
    const std::uint64_t dice = links_.random.below(1000);
    if (dice < links_.faults.refused_per_mille) co_return away();
    const bool unknown = dice < links_.faults.refused_per_mille + links_.faults.unknown_per_mille;
    if (unknown && links_.random.below(2) == 0) co_return base::fail(lost());
    auto done = database.commit(std::move(work));
    co_await base::sleep_for(executor, delay());
    if (cut_off_) co_return away();
    if (unknown) co_return base::fail(lost());
    co_return done;
  }
  base::Task<base::Result<void>> read(base::Executor&, ReadWork work) override {
    if (cut_off_) co_return away();
    if (links_.executor.clock().monotonic() < links_.database.away_until) co_return away();
    co_return links_.database.read(work);
  }
  void observe(CommitObserver*) override {}
  base::Task<StoreStatus> probe(base::Executor&) override {
    StoreStatus status;
    status.healthy = !cut_off_;
    co_return status;
  }
  std::string_view kind() const noexcept override { return links_.shared ? "postgres" : "sqlite"; }
  bool replicated() const noexcept override { return links_.shared; }
  bool is_leader() const noexcept override { return !cut_off_ && links_.is_leader(); }
  std::string_view leader_word() const noexcept override { return is_leader() ? "self" : "other"; }

 private:
  static std::unexpected<base::Error> away() {
    return base::fail(base::Errc::unavailable, "the database does not answer");
  }
  static base::Error lost() {
    return {base::Errc::unavailable, "the connection was lost; it is not known whether this was written", "unknown",
            nullptr};
  }
  base::Nanos delay() {
    static constexpr int kMicros[] = {0, 0, 200, 200, 1000, 5000};
    return std::chrono::microseconds{kMicros[links_.random.below(std::size(kMicros))]};
  }

  Links links_;
  bool cut_off_ = false;
};

}  // namespace fusebox::fleet::simulation
