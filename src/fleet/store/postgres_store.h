// The store that replicas share. Internal to fleet/store.
//
// Threads of its own: the committer (one connection that writes), kReaderThreads that read, one that listens to other
// replicas, one that holds or waits for leadership. Each has a connection of its own and gets itself a new one when that is
// lost.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fleet/store/committer.h"
#include "fleet/store/observer_slot.h"
#include "fleet/store/postgres_connection.h"
#include "fleet/store/postgres_watch.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::size_t kReaderThreads = 4;
inline constexpr std::size_t kReadsMax = 4096;  // that wait; a further one is refused
inline constexpr base::Nanos kReconnectMin = std::chrono::milliseconds{50};
inline constexpr base::Nanos kReconnectMax = std::chrono::seconds{2};

// A connection that is made when it is needed, and not more often than a server that comes back can bear.
class PostgresLine {
 public:
  PostgresLine(PostgresConnection::Settings settings, const base::Clock& clock)
      : settings_(std::move(settings)), clock_(clock) {}
  // `unavailable` at once while the last failure is recent.
  base::Result<PostgresConnection*> get();
  bool has_connection() const noexcept { return connection_ != nullptr && !connection_->lost(); }

 private:
  PostgresConnection::Settings settings_;
  const base::Clock& clock_;
  std::unique_ptr<PostgresConnection> connection_;
  base::Nanos not_before_{0};
  base::Nanos pause_{0};
};

class PostgresStore final : public Store {
 public:
  static base::Result<std::unique_ptr<Store>> open(StoreOptions options);
  ~PostgresStore() override;

  base::Task<base::Result<void>> write(base::Executor& executor, WriteWork work) override;
  base::Task<base::Result<void>> read(base::Executor& executor, ReadWork work) override;
  void observe(CommitObserver* observer) override { observer_.set(observer); }
  base::Task<StoreStatus> probe(base::Executor& executor) override;
  std::string_view kind() const noexcept override { return "postgres"; }
  bool replicated() const noexcept override { return true; }
  bool is_leader() const noexcept override { return watch_->is_leader(); }
  std::string_view leader_word() const noexcept override { return watch_->leader_word(); }

 private:
  struct PendingRead {
    ReadWork work;
    base::Completion<base::Result<void>> done;
  };
  explicit PostgresStore(StoreOptions options);
  base::Result<void> start();
  PostgresConnection::Settings settings(std::string_view role, bool read_only) const;
  void commit(std::span<PendingWrite> batch);
  void tell(const base::Error& error) const;
  void serve_reads(PostgresLine& line);
  base::Result<void> read_on(PostgresLine& line, const ReadWork& work);

  StoreOptions options_;
  ObserverSlot observer_;
  std::unique_ptr<PostgresWatch> watch_;
  PostgresLine writer_;
  std::mutex reads_mutex_;
  std::condition_variable reads_wake_;
  std::deque<PendingRead> reads_;  // guarded by reads_mutex_
  bool stopping_ = false;          // likewise
  std::vector<std::unique_ptr<PostgresLine>> reader_lines_;
  std::vector<std::thread> readers_;
  std::unique_ptr<Committer> committer_;
};

}  // namespace fusebox::fleet
