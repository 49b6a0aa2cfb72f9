// Copies the write-ahead log back into the database beside the commits, so that none of them waits for it. Internal to
// fleet/store.
//
// A copy never catches up with a writer that goes on writing, and only a log copied to its end is begun anew. So the thread
// here copies the bulk, and then the writer, between two commits, the little that came meanwhile.
//
// Owner    owns a thread and a connection.
// Threads  the writer's, and its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "fleet/store/sqlite_connection.h"

namespace fusebox::fleet {

inline constexpr int kLogPagesCopied = 4096;  // 16 MiB: worth a copy; fewer wait until writes pause

class SqliteCheckpointer {
 public:
  explicit SqliteCheckpointer(std::unique_ptr<SqliteConnection> connection);
  ~SqliteCheckpointer();
  SqliteCheckpointer(const SqliteCheckpointer&) = delete;
  SqliteCheckpointer& operator=(const SqliteCheckpointer&) = delete;

  // After each commit. True: the bulk is copied, and the writer should now copy the rest.
  bool after_commit(int pages_in_log);

 private:
  enum class Stage : std::uint8_t { resting, copying, copied };
  void run();
  std::unique_ptr<SqliteConnection> connection_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Stage stage_ = Stage::resting;  // guarded by mutex_, as below
  bool stopping_ = false;
  int next_at_ = kLogPagesCopied;  // the writer's: a reader may keep the log from being begun anew
  std::thread thread_;
};

}  // namespace fusebox::fleet
