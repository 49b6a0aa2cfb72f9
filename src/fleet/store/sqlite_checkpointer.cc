#include "fleet/store/sqlite_checkpointer.h"

#include <pthread.h>

#include <utility>

namespace fusebox::fleet {

SqliteCheckpointer::SqliteCheckpointer(std::unique_ptr<SqliteConnection> connection)
    : connection_(std::move(connection)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "fb-store-copy");
}

SqliteCheckpointer::~SqliteCheckpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool SqliteCheckpointer::after_commit(int pages_in_log) {
  if (pages_in_log < kLogPagesCopied) {
    next_at_ = kLogPagesCopied;
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (stage_ == Stage::copied) {
    stage_ = Stage::resting;
    next_at_ = pages_in_log + kLogPagesCopied;
    return true;
  }
  if (stage_ == Stage::resting && pages_in_log >= next_at_) {
    stage_ = Stage::copying;
    wake_.notify_one();
  }
  return false;
}

void SqliteCheckpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || stage_ == Stage::copying; });
    if (stopping_) return;
    lock.unlock();
    (void)connection_->checkpoint();  // one that fails is tried again when the log has grown
    lock.lock();
    stage_ = Stage::copied;
  }
}

}  // namespace fusebox::fleet
