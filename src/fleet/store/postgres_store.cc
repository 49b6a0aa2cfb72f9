#include "fleet/store/postgres_store.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/wait.h"
#include "fleet/store/failure_class.h"
#include "fleet/store/migrate.h"
#include "fleet/store/probe.h"
#include "fleet/store/timed_connection.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {

base::Result<PostgresConnection*> PostgresLine::get() {
  if (has_connection()) return connection_.get();
  connection_.reset();
  const base::Nanos now = clock_.monotonic();
  if (pause_.count() != 0 && now < not_before_) {
    return base::fail(base::Errc::unavailable, "the database does not answer");
  }
  auto opened = PostgresConnection::open(settings_);
  if (!opened) {
    pause_ = std::clamp(pause_ * 2, kReconnectMin, kReconnectMax);
    not_before_ = clock_.monotonic() + pause_;
    return std::unexpected(std::move(opened.error()));
  }
  pause_ = base::Nanos{0};
  connection_ = std::move(*opened);
  return connection_.get();
}

PostgresStore::PostgresStore(StoreOptions options)
    : options_(std::move(options)), writer_(settings("writer", false), *options_.clock) {}

PostgresStore::~PostgresStore() {
  committer_.reset();
  {
    const std::lock_guard lock(reads_mutex_);
    stopping_ = true;
  }
  reads_wake_.notify_all();
  for (std::thread& reader : readers_) reader.join();
  watch_.reset();
}

PostgresConnection::Settings PostgresStore::settings(std::string_view role, bool read_only) const {
  return {.database_url = options_.database_url,
          .application = "fusebox " + options_.replica_id + " " + std::string(role),
          .read_only = read_only};
}

base::Result<std::unique_ptr<Store>> PostgresStore::open(StoreOptions options) {
  std::unique_ptr<PostgresStore> store(new PostgresStore(std::move(options)));
  FB_CHECK(base::within("store", store->start()));
  return store;
}

base::Result<void> PostgresStore::start() {
  {
    // On a connection of its own: the lock goes with it, whatever happens.
    FB_TRY(const auto connection, PostgresConnection::open(settings("migration", false)));
    FB_CHECK(connection->script("SELECT pg_advisory_lock(1179996997, 2)"));
    FB_CHECK(migrate(*connection, *options_.clock));
  }
  FB_TRY(watch_,
         PostgresWatch::start(settings("listener", false), settings("leader", false), *options_.clock, observer_));
  for (std::size_t i = 0; i < kReaderThreads; ++i) {
    reader_lines_.push_back(std::make_unique<PostgresLine>(settings("reader", true), *options_.clock));
    readers_.emplace_back([this, &line = *reader_lines_.back()] { serve_reads(line); });
    pthread_setname_np(readers_.back().native_handle(), "fb-store-read");
  }
  committer_ =
      std::make_unique<Committer>(Committer::Options{.thread_name = "fb-store",
                                                     .batch_max = options_.batch_max,
                                                     .clock = options_.clock,
                                                     .commit = [this](std::span<PendingWrite> batch) { commit(batch); },
                                                     .idle = {}});
  return {};
}

void PostgresStore::tell(const base::Error& error) const {
  const std::string_view failure = failure_class(error);
  if (!failure.empty() && options_.failed) options_.failed(failure);
}

void PostgresStore::commit(std::span<PendingWrite> batch) {
  const base::Nanos begun = options_.clock->monotonic();
  base::Result<std::vector<Notice>> committed;
  // A connection may have died while nobody used it. That shows at the first use, when nothing of this batch can have
  // been committed: then a new one gets a chance.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool fresh = !writer_.has_connection();
    auto connection = writer_.get();
    if (!connection) {
      committed = std::unexpected(std::move(connection.error()));
      for (PendingWrite& write : batch) write.outcome = std::unexpected(committed.error());
      break;
    }
    watch_->own_writer((*connection)->server_process());
    committed = run_batch(**connection, *options_.clock, batch);
    if (committed || fresh || !(*connection)->lost() || committed.error().name == "unknown") break;
  }
  if (!committed) {
    tell(committed.error());
  } else {
    observer_.tell([&](CommitObserver& observer) { deliver(*committed, observer); });
  }
  if (options_.timing) {
    options_.timing("commit", std::chrono::duration<double>(options_.clock->monotonic() - begun).count());
  }
}

base::Task<base::Result<void>> PostgresStore::write(base::Executor& executor, WriteWork work) {
  PendingWrite write;
  write.work = std::move(work);
  const base::Completion<base::Result<void>> done = write.done;
  if (!committer_->submit(std::move(write))) {
    co_return base::fail(base::Errc::exhausted, "too many writes wait for the store", "queue");
  }
  base::Result<void> outcome = co_await done.wait(executor);
  co_return outcome;
}

base::Result<void> PostgresStore::read_on(PostgresLine& line, const ReadWork& work) {
  base::Result<void> done;
  for (int attempt = 0; attempt < 2; ++attempt) {  // as for writes; reading twice changes nothing
    const bool fresh = !line.has_connection();
    FB_TRY(PostgresConnection* const connection, line.get());
    done = connection->begin();
    if (done) {
      TimedConnection timed(*connection, *options_.clock, options_.timing);
      SqlTx reader(timed, *options_.clock);
      done = work(reader);
      connection->rollback();
    }
    if (fresh || !connection->lost()) break;
  }
  return done;
}

void PostgresStore::serve_reads(PostgresLine& line) {
  for (;;) {
    PendingRead read;
    {
      std::unique_lock lock(reads_mutex_);
      reads_wake_.wait(lock, [&] { return stopping_ || !reads_.empty(); });
      if (reads_.empty()) return;
      read = std::move(reads_.front());
      reads_.pop_front();
    }
    base::Result<void> done = read_on(line, read.work);
    if (!done) tell(done.error());
    read.done.set(std::move(done));
  }
}

base::Task<base::Result<void>> PostgresStore::read(base::Executor& executor, ReadWork work) {
  PendingRead read;
  read.work = std::move(work);
  const base::Completion<base::Result<void>> done = read.done;
  {
    const std::lock_guard lock(reads_mutex_);
    if (reads_.size() >= kReadsMax) {
      co_return base::fail(base::Errc::exhausted, "too many reads wait for the store", "queue");
    }
    reads_.push_back(std::move(read));
  }
  reads_wake_.notify_one();
  base::Result<void> outcome = co_await done.wait(executor);
  co_return outcome;
}

base::Task<StoreStatus> PostgresStore::probe(base::Executor& executor) {
  const base::Result<void> done = co_await probe_write(*committer_, executor);
  co_return status_of(done);
}

}  // namespace fusebox::fleet
