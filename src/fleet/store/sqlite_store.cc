#include "fleet/store/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "fleet/store/failure_class.h"
#include "fleet/store/migrate.h"
#include "fleet/store/probe.h"
#include "fleet/store/timed_connection.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {
namespace {

constexpr std::array<std::string_view, 4> kFailures = {"", "full", "unreachable", "error"};

std::uint8_t index_of(std::string_view failure) {
  for (std::uint8_t i = 0; i < kFailures.size(); ++i) {
    if (kFailures[i] == failure) return i;
  }
  return static_cast<std::uint8_t>(kFailures.size() - 1);
}

// One process at a time: the lock is the kernel's, so it ends with its process; the number in the file is for people.
base::Result<base::Fd> lock_file(const std::string& database) {
  const std::string path = database + ".lock";
  base::Fd file = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return std::unexpected(base::errno_error("open " + path, errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    std::string holder = "another process";
    if (const auto text = base::read_fd(file.get(), 32); text && !text->empty()) holder = "process " + *text;
    return base::fail(base::Errc::denied, "database " + database + " is in use by " + holder + " (lock file " + path +
                                              "); one file serves one control plane, PostgreSQL serves several");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0) return std::unexpected(base::errno_error("write " + path, errno));
  FB_CHECK(base::write_all(file.get(), base::as_bytes(pid)));
  return file;
}

// The file holds what only its user may read; SQLite gives its other files the mode of this one.
base::Result<void> create_private(const std::string& path) {
  const base::Fd file = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(base::errno_error("open " + path, errno));
  return {};
}

}  // namespace

SqliteStore::SqliteStore(StoreOptions options, std::string path, base::Fd lock)
    : options_(std::move(options)), path_(std::move(path)), lock_(std::move(lock)) {}

SqliteStore::~SqliteStore() {
  committer_.reset();
  checkpointer_.reset();
  readers_.clear();
}

base::Result<std::unique_ptr<Store>> SqliteStore::open(const Location& location, StoreOptions options) {
  std::string path = location.path;
  base::Fd lock;
  if (!path.empty()) {
    // By its real name, so that a link to the file meets the same lock.
    std::error_code ignored;
    if (const auto real = std::filesystem::weakly_canonical(path, ignored); !ignored) path = real.string();
    FB_TRY(lock, base::within("store", lock_file(path)));
    FB_CHECK(base::within("store", create_private(path)));
  }
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(options), std::move(path), std::move(lock)));
  FB_CHECK(base::within("store", store->start(location)));
  return store;
}

base::Result<void> SqliteStore::start(const Location& location) {
  const bool in_memory = path_.empty();
  FB_TRY(writer_,
         SqliteConnection::open(
             {.path = in_memory ? ":memory:" : path_, .cache_kib = kWriterCacheKib, .pages_max = location.pages_max}));
  FB_CHECK(migrate(*writer_, *options_.clock));
  Committer::Options committing{.thread_name = "fb-store",
                                .batch_max = options_.batch_max,
                                .clock = options_.clock,
                                .commit = [this](std::span<PendingWrite> batch) { commit(batch); },
                                .idle = {}};
  if (!in_memory) {
    FB_TRY(auto copier, SqliteConnection::open({.path = path_}));
    checkpointer_ = std::make_unique<SqliteCheckpointer>(std::move(copier));
  }
  if (!in_memory) committing.idle = [this] { return tidy_up(); };
  committer_ = std::make_unique<Committer>(std::move(committing));
  return {};
}

void SqliteStore::commit(std::span<PendingWrite> batch) {
  const base::Nanos begun = options_.clock->monotonic();
  base::Result<std::vector<Notice>> committed = [&] {
    std::unique_lock lock(memory_mutex_, std::defer_lock);
    if (path_.empty()) lock.lock();
    return run_batch(*writer_, *options_.clock, batch);
  }();
  if (committed) {
    last_failure_.store(0);
    observer_.tell([&](CommitObserver& observer) { deliver(*committed, observer); });
  } else if (const std::string_view failure = failure_class(committed.error()); !failure.empty()) {
    last_failure_.store(index_of(failure));
    if (options_.failed) options_.failed(failure);
  }
  if (options_.timing) {
    options_.timing("commit", std::chrono::duration<double>(options_.clock->monotonic() - begun).count());
  }
  if (checkpointer_ != nullptr && checkpointer_->after_commit(writer_->pages_in_log())) (void)writer_->checkpoint();
}

// Nothing to write: the log is copied back, and the pages of the last rush are given back.
bool SqliteStore::tidy_up() {
  writer_->release_memory();
  if (writer_->pages_in_log() == 0) return false;
  const auto copied = writer_->checkpoint();
  return copied && copied->copied < copied->in_log;  // a reader still needs some
}

base::Task<base::Result<void>> SqliteStore::write(base::Executor& executor, WriteWork work) {
  PendingWrite write;
  write.work = std::move(work);
  const base::Completion<base::Result<void>> done = write.done;
  if (!committer_->submit(std::move(write))) {
    co_return base::fail(base::Errc::exhausted, "too many writes wait for the store", "queue");
  }
  base::Result<void> outcome = co_await done.wait(executor);
  co_return outcome;
}

base::Task<base::Result<void>> SqliteStore::read(base::Executor& /*executor*/, ReadWork work) {
  base::Result<void> done = read_here(work);
  if (!done && options_.failed)
    if (const std::string_view failure = failure_class(done.error()); !failure.empty()) options_.failed(failure);
  co_return done;
}

base::Result<void> SqliteStore::read_with(sql::Connection& connection, const ReadWork& work) {
  FB_CHECK(connection.begin());
  TimedConnection timed(connection, *options_.clock, options_.timing);
  SqlTx reader(timed, *options_.clock);
  base::Result<void> done = work(reader);
  connection.rollback();
  return done;
}

base::Result<void> SqliteStore::read_here(const ReadWork& work) {
  if (path_.empty()) {
    const std::lock_guard lock(memory_mutex_);
    return read_with(*writer_, work);
  }
  FB_TRY(std::unique_ptr<SqliteConnection> reader, take_reader());
  base::Result<void> done = read_with(*reader, work);
  const std::lock_guard lock(readers_mutex_);
  if (readers_.size() < kReadersKept) readers_.push_back(std::move(reader));
  return done;
}

base::Result<std::unique_ptr<SqliteConnection>> SqliteStore::take_reader() {
  {
    const std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      std::unique_ptr<SqliteConnection> reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  return SqliteConnection::open(
      {.path = path_, .read_only = true, .cache_kib = kReaderCacheKib, .mmap_bytes = kReaderMapBytes});
}

base::Task<StoreStatus> SqliteStore::probe(base::Executor& executor) {
  base::Result<void> done = read_here([](Reader&) { return base::Result<void>{}; });
  // After a write that failed, only a write tells whether the next would.
  if (done && last_failure_.load() != 0) done = co_await probe_write(*committer_, executor);
  co_return status_of(done);
}

}  // namespace fusebox::fleet
