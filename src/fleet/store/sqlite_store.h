// The store in one file, for one process. Internal to fleet/store.
//
// One connection writes, on the committer's thread; a few read, on their callers' threads. A database in memory has one
// connection for both, behind a lock: it is for tests.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/files.h"
#include "fleet/store/committer.h"
#include "fleet/store/observer_slot.h"
#include "fleet/store/sqlite_checkpointer.h"
#include "fleet/store/sqlite_connection.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::size_t kReadersKept = 8;         // connections that wait for the next read
inline constexpr std::int64_t kReaderCacheKib = 1024;  // beside the mapping; each reader may fill it
inline constexpr std::int64_t kWriterCacheKib =
    65536;  // the pages of a large batch, and of busy indexes; none when idle
inline constexpr std::int64_t kReaderMapBytes = 256ll << 20;

class SqliteStore final : public Store {
 public:
  struct Location {
    std::string path;  // "" = in memory
    std::uint32_t pages_max = 0;
  };
  static base::Result<std::unique_ptr<Store>> open(const Location& location, StoreOptions options);
  ~SqliteStore() override;

  base::Task<base::Result<void>> write(base::Executor& executor, WriteWork work) override;
  base::Task<base::Result<void>> read(base::Executor& executor, ReadWork work) override;
  void observe(CommitObserver* observer) override { observer_.set(observer); }
  base::Task<StoreStatus> probe(base::Executor& executor) override;
  std::string_view kind() const noexcept override { return "sqlite"; }
  bool replicated() const noexcept override { return false; }
  bool is_leader() const noexcept override { return true; }
  std::string_view leader_word() const noexcept override { return "self"; }

 private:
  SqliteStore(StoreOptions options, std::string path, base::Fd lock);
  base::Result<void> start(const Location& location);
  void commit(std::span<PendingWrite> batch);
  bool tidy_up();
  base::Result<void> read_here(const ReadWork& work);
  base::Result<void> read_with(sql::Connection& connection, const ReadWork& work);
  base::Result<std::unique_ptr<SqliteConnection>> take_reader();

  StoreOptions options_;
  std::string path_;
  base::Fd lock_;  // of the lock file
  std::unique_ptr<SqliteConnection> writer_;
  std::unique_ptr<SqliteCheckpointer> checkpointer_;  // none in memory
  std::mutex memory_mutex_;                           // of writer_, in memory
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<SqliteConnection>> readers_;  // guarded by readers_mutex_
  ObserverSlot observer_;
  std::atomic<std::uint8_t> last_failure_ = 0;  // index of a class
  std::unique_ptr<Committer> committer_;        // last: its thread uses all of the above
};

}  // namespace fusebox::fleet
